/*
 * strace on a server that runs already: to see what it calls, or to kill it there.
 */
import { spawn } from 'node:child_process';

/* Until `strace` is there, with what it is to do; resolves to what ends it. */
export async function attach(s, options, output) {
    const strace = spawn('strace', ['-f', '-p', String(s.server.pid), '-o', output, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    s.later(() => strace.kill('SIGKILL'));
    const ended = new Promise((resolve) => strace.on('close', resolve));
    let said = '';
    await Promise.race([ended, new Promise((resolve) => strace.stderr.on('data', (chunk) => /attached/.test((said += chunk)) && resolve()))]);
    return async () => {
        strace.kill('SIGINT');
        // It may wait for ever for the threads of what it has killed.
        const patience = setTimeout(() => strace.kill('SIGKILL'), 1000);
        await ended;
        clearTimeout(patience);
    };
}
