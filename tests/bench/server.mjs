/*
 * server.mjs - a `trivet serve` of its own for each bench that measures from outside: in a folder that goes with the process, on a
 * port that was free. TRIVET names the program, else it is BUILD's; build/ by default.
 *
 *     const { server, port, data } = await serve();
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const BUILD = path.resolve(process.env.BUILD ?? path.join(ROOT, 'build'));
const TRIVET = path.resolve(process.env.TRIVET ?? path.join(BUILD, 'trivet'));

/* `folder` is the bench's, `data` the server's, within it. The server is killed when the bench ends. */
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trivet-bench-'));
const data = path.join(folder, 'c');
let server;
process.on('exit', () => {
    server?.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
});

/* What a command prints; of the computer's, at this server. Throws where it fails. */
export function trivet(...args) {
    const { status, stdout, stderr } = spawnSync(TRIVET, args, { encoding: 'utf8', env: { ...process.env, TRIVET_DATA: data }, timeout: 600000 });
    if (status !== 0) throw new Error(`trivet ${args.join(' ')}: ${status} ${stderr}`);
    return stdout;
}

/* Resolves once it listens; `env`: what it has in its environment besides. */
export async function serve(env = {}) {
    server = spawn(TRIVET, ['serve', '--data', data, '--port', '0', '--no-mdns'], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
    const port = await new Promise((resolve, reject) => {
        let said = '';
        server.stderr.setEncoding('utf8').on('data', (chunk) => {
            const match = (said += chunk).match(/listening on \[::\]:(\d+)/);
            if (match) resolve(Number(match[1]));
        });
        server.on('close', () => reject(new Error(`the server ended:\n${said}`)));
    });
    return { server, port, data };
}

/* Processor time of all the server's threads, ms: schedstat counts nanoseconds, stat hundredths of a second. */
export function processor() {
    let ns = 0;
    for (const task of fs.readdirSync(`/proc/${server.pid}/task`)) {
        try {
            ns += Number(fs.readFileSync(`/proc/${server.pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
        } catch {
            const fields = fs.readFileSync(`/proc/${server.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
            return (Number(fields[11]) + Number(fields[12])) * 10;
        }
    }
    return ns / 1e6;
}
