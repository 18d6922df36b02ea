/*
 * README.md works as printed: each block that holds `$ command` lines is run in an empty folder, one after the other,
 * and what the commands print must be what stands there. Ids, ports, addresses and folders may differ.
 */
import { execFileSync, spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { ROOT, TRIVET } from './harness.mjs';

/* [{commands, printed}...] of one indented block. */
function steps(block) {
    const result = [];
    for (const line of block) {
        const command = line.match(/^\$ (.*)$/);
        if (command) result.push({ command: command[1], printed: [] });
        else if (result.length > 0) result.at(-1).printed.push(line);
    }
    return result;
}

function blocks(text) {
    const result = [];
    let block = null;
    for (const line of text.split('\n')) {
        if (line.startsWith('    ')) (block ??= []).push(line.slice(4));
        else if (line !== '' || !block) {
            if (block) result.push(block);
            block = null;
        }
    }
    return result.filter((lines) => lines.some((line) => line.startsWith('$ ')));
}

/* What may differ between this machine and the reader's. */
const alike = (text) =>
    text
        .trim()
        .replace(/http:\/\/\S+/g, 'http://HOST')
        .replace(/\n +http:\/\/HOST/g, '')
        .replace(/(with|at) [0-9a-zA-Z.:[\]-]+:\d+/g, '$1 HOST')
        .replace(/\b[0-9a-f]{4}\b(?=  )/g, 'ID')
        .replace(/\[::\]:\d+/g, 'LISTENING')
        .replace(/\d+ parts in \d+ states/, 'PARTS')
        .replace(/\d+ kB/g, 'SIZE') // grows with the tables
        .split('\n')
        .sort() // two items that were added at once at one place stand in the order of their ids
        .join('\n');

const freePort = () =>
    new Promise((resolve) => {
        const server = net.createServer().listen(0, () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });

const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');

test('the commands of README.md print what stands there', async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trivet-readme-'));
    fs.symlinkSync(TRIVET, path.join(folder, 'trivet'));
    const others = Object.entries(process.env).filter(([name]) => !name.startsWith('TRIVET_')); // those steer tests
    const env = { ...Object.fromEntries(others), PATH: `${folder}:${process.env.PATH}`, HOME: folder, TRIVET_DATA: path.join(folder, 'c'), NO_COLOR: '1' };
    const port = await freePort();
    const servers = [];
    t.after(async () => {
        for (const server of servers) {
            server.kill('SIGTERM');
            await server.ended;
        }
        fs.rmSync(folder, { recursive: true, force: true });
    });
    const ids = new Map(); // as printed in README.md -> as they are here
    const run = async (command) => {
        for (const [there, here] of ids) command = command.replaceAll(there, here);
        command = command.replaceAll('18080', String(port));
        if (!command.endsWith(' &')) return execFileSync('/bin/sh', ['-c', `${command} 2>&1`], { cwd: folder, env, encoding: 'utf8' });
        const server = spawn('/bin/sh', ['-c', `exec ${command.slice(0, -2)} 2>&1`], { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
        server.ended = new Promise((resolve) => server.on('close', resolve));
        servers.push(server);
        let said = '';
        for await (const chunk of server.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) if (/listening on .*\n/.test((said += chunk))) break;
        server.stdout.resume();
        return said;
    };
    let count = 0;
    for (const block of blocks(readme))
        for (const { command, printed } of steps(block)) {
            if (/^trivet (pending|resolve)/.test(command)) continue; // need a question
            const said = await run(command);
            assert.equal(alike(said), alike(printed.join('\n')), command);
            const here = said.match(/\b[0-9a-f]{4}\b(?=  )/g) ?? [];
            (printed.join('\n').match(/\b[0-9a-f]{4}\b(?=  )/g) ?? []).forEach((id, i) => ids.set(id, here[i]));
            count++;
        }
    assert.ok(count > 8, 'README.md holds commands');
});
