/*
 * harness.mjs - one scenario: the real program on a fresh data folder, phones (app.mjs) and commands against it.
 *
 *     scenario('what must hold', async (s) => {
 *         await s.serve();
 *         const phone = await s.phone();
 *         phone.add('lists', 0, s.text('milk'));
 *         await s.confirmed(phone);
 *         assert.deepEqual(texts(await s.export()), texts(phone.state()));
 *     });
 *
 * After every scenario, whatever it was about: each server still running is stopped with SIGTERM and must exit with 0;
 * no sanitizer may have spoken; no phone may have been sent what the app does not bear; and nothing that a phone or
 * a command was given as text, no secret and no key may stand in the server's log (protocol §9).
 *
 * TRIVET names the program (default: build/trivet of this tree).
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { App, toBase64 } from './app.mjs';

export { assert, App };

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const TRIVET = path.resolve(process.env.TRIVET ?? path.join(ROOT, 'build/trivet'));
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* Built with a sanitizer, whose shadow is larger than all that the program itself holds. */
export const SANITIZED = ['__asan_', '__tsan_'].some((name) => fs.readFileSync(TRIVET).includes(name));
const LONG = 15000; // ms; a bound for what should be quick, generous for sanitizers and valgrind

/* ---- states, for comparison ------------------------------------------------------------------------------ */

/* The texts that a person sees: section -> slot -> live texts in order. */
export function texts(state) {
    const seen = (items) =>
        (items ?? [])
            .filter((item) => !item.deleted)
            .sort((a, b) => a.position - b.position || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)))
            .map((item) => item.text);
    const result = {};
    for (const section of ['lists', 'lockedLists']) result[section] = padded((state[section] ?? []).map(seen), []);
    return result;
}

const padded = (list, filler) => Array.from({ length: Math.max(6, list.length) }, (_, i) => list[i] ?? filler);

/* All that a sync must make equal. Dead items only by id: what they last said is nobody's concern. */
export function essence(state) {
    const result = { live: {}, dead: [] };
    for (const section of ['lists', 'lockedLists'])
        for (const [slot, items] of (state[section] ?? []).entries())
            for (const item of items)
                if (item.deleted) result.dead.push(`${section} ${item.id}`);
                else {
                    const { deleted, deletedAt, ...rest } = item;
                    result.live[`${section} ${item.id}`] = { slot, ...rest };
                }
    result.dead.sort();
    for (const key of ['listsCategories', 'lockedListsCategories', 'scratchpadCategories'])
        result[key] = padded((state[key] ?? []).map(({ label, updatedAt }) => ({ label, updatedAt })), { label: '', updatedAt: 0 });
    result.scratchpad = padded((state.scratchpad ?? []).map(({ content, updatedAt }) => ({ content, updatedAt })), { content: '', updatedAt: 0 });
    return result;
}

export function itemsOf(state) {
    return ['lists', 'lockedLists'].flatMap((section) => (state[section] ?? []).flatMap((items, slot) => items.map((item) => ({ section, slot, ...item }))));
}

export const itemWith = (state, text) => itemsOf(state).find((item) => item.text === text);

/* Whatever ends the tests, time-outs and broken pipes included: no server outlives them, no folder stays. */
const running = new Set();
const folders = new Set();
process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(1));
process.stdout.on('error', () => process.exit(1));

/* ---- a program that runs --------------------------------------------------------------------------------- */

export class Process {
    constructor(command, args, options) {
        this.stdout = '';
        this.stderr = '';
        this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
        this.pid = this.child.pid;
        running.add(this.child);
        this.child.stdin.on('error', () => {});
        for (const stream of ['stdout', 'stderr'])
            this.child[stream].setEncoding('utf8').on('data', (chunk) => {
                this[stream] += chunk;
                this.woken?.();
            });
        this.done = new Promise((resolve) => {
            this.child.on('error', (error) => resolve((this.end = { status: null, signal: null, error })));
            this.child.on('close', (status, signal) => resolve((this.end ??= { status, signal })));
        });
        this.done.then(() => {
            running.delete(this.child);
            this.woken?.();
        });
    }

    /* Waits until stderr has it; fails when the program ends first. */
    async says(pattern, within = LONG) {
        const deadline = Date.now() + within;
        for (;;) {
            const match = this.stderr.match(pattern);
            if (match) return match;
            assert.ok(!this.end, `ended (${JSON.stringify(this.end)}) before it said ${pattern}:\n${this.stderr}`);
            assert.ok(Date.now() < deadline, `did not say ${pattern} in ${within} ms:\n${this.stderr}`);
            let timer;
            await new Promise((resolve) => {
                this.woken = resolve;
                timer = setTimeout(resolve, 100);
            });
            clearTimeout(timer);
        }
    }

    async stop(signal = 'SIGTERM', within = LONG) {
        if (!this.end) this.child.kill(signal);
        const timer = setTimeout(() => {
            this.stuck = true;
            this.child.kill('SIGKILL');
        }, within);
        await this.done;
        clearTimeout(timer);
        assert.ok(!this.stuck, `did not stop within ${within} ms of ${signal}:\n${this.stderr}`);
        return this.end;
    }
}

/* ---- a scenario ------------------------------------------------------------------------------------------ */

class Scenario {
    constructor() {
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trivet-'));
        folders.add(this.folder);
        this.data = path.join(this.folder, 'c');
        this.marker = `~${randomBytes(6).toString('hex')}~`;
        this.planted = new Set();
        this.phones = [];
        this.servers = [];
        this.cleanups = [];
        this.env = {
            PATH: process.env.PATH,
            HOME: this.folder,
            LANG: 'C.UTF-8',
            ...Object.fromEntries(Object.entries(process.env).filter(([name]) => /^[A-Z]+SAN_OPTIONS$/.test(name))),
        };
    }

    /* Text that a log must not hold. */
    text(word) {
        return `${word} ${this.marker}`;
    }

    file(name) {
        return path.join(this.folder, name);
    }

    /* Runs a command to its end. `expect` is the exit status that is right (null: any). */
    async run(args, { input, expect = 0, env = {}, cwd = this.folder, within = 2 * LONG, wrap = [] } = {}) {
        const [command, ...rest] = [...wrap, TRIVET, ...args];
        const child = new Process(command, rest, { cwd, env: { ...this.env, ...env } });
        child.child.stdin.end(input ?? '');
        const timer = setTimeout(() => child.child.kill('SIGKILL'), within);
        const end = await child.done;
        clearTimeout(timer);
        const result = { ...end, stdout: child.stdout, stderr: child.stderr };
        const shown = `trivet ${args.join(' ')}: ${JSON.stringify(end)}\n${child.stderr}${child.stdout}`;
        assert.ok(!end.error && end.signal === null, shown);
        assert.doesNotMatch(child.stderr, /Sanitizer|runtime error:/, shown);
        if (expect !== null) assert.equal(end.status, expect, shown);
        return result;
    }

    /* The same on this scenario's data folder. */
    cli(args, options = {}) {
        return this.run([...args, '--data', options.data ?? this.data], options);
    }

    async json(args, options = {}) {
        const { stdout } = await this.cli([...args, '--json'], options);
        return JSON.parse(stdout);
    }

    async export(options) {
        return JSON.parse((await this.cli(['export'], options)).stdout);
    }

    /* `trivet add` with --json: the item. The text counts as planted. */
    add(text, options = []) {
        this.planted.add(text);
        return this.json(['add', ...options, text]);
    }

    edit(id, text) {
        this.planted.add(text);
        return this.json(['edit', id, text]);
    }

    /* Starts the computer's side. Without `ready: false` it waits until it listens. */
    async serve({ args = [], env = {}, data = this.data, port = 0, ready = true, wrap = [], cwd = this.folder, mdns = false } = {}) {
        const line = ['serve', '--data', data, '--port', String(port), ...(mdns ? [] : ['--no-mdns']), ...args];
        const [command, ...rest] = [...wrap, TRIVET, ...line];
        const server = new Process(command, rest, { cwd, env: { ...this.env, ...env } });
        server.child.stdin.end();
        server.expected = 0;
        this.servers.push(server);
        if (!ready) return server;
        server.port = Number((await server.says(/listening on \[::\]:(\d+)/))[1]);
        this.server = server;
        for (const phone of this.phones) phone.port = server.port;
        return server;
    }

    /* Keeps the server's worker busy for a while, with requests on many sockets; resolves when it has begun, to what ends it. */
    async keepBusy() {
        const sockets = [];
        for (let i = 0; i < 15; i++) { // fewer than may wait to be accepted
            const socket = net.connect(path.join(this.data, 'control.sock'));
            this.later(() => socket.destroy());
            await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
            sockets.push(socket.on('error', () => {}));
        }
        for (const socket of sockets) socket.write('{"do":"state"}\n'.repeat(4));
        await new Promise((resolve) => sockets[0].once('data', resolve));
        for (const socket of sockets) socket.resume();
        return () => sockets.forEach((socket) => socket.destroy());
    }

    async kill9() {
        this.server.expected = null;
        await this.server.stop('SIGKILL');
    }

    async restart(options) {
        if (!this.server.end) await this.server.stop();
        return this.serve(options);
    }

    async pair(args = []) {
        const pairing = await this.json(['pair', ...args]);
        this.planted.add(pairing.secret);
        this.planted.add(pairing.k);
        return pairing;
    }

    /* A phone, paired unless it is given a pairing. */
    async phone({ pairing, ...options } = {}) {
        pairing ??= await this.pair();
        const phone = new App({ host: '127.0.0.1', port: this.server?.port ?? pairing.port, secret: pairing.secret, ...options });
        phone.pairing = pairing;
        this.phones.push(phone);
        return phone;
    }

    /* A sync that must end with a confirm; leaves the connection. */
    async confirmed(phone, { stay = false } = {}) {
        const end = await phone.sync();
        assert.equal(end.kind, 'confirmed', `the sync ended as ${end.kind} ${end.code ?? ''} ${end.reason ?? ''}`);
        if (!stay) await phone.disconnect();
        return end;
    }

    async pending() {
        return this.json(['pending']);
    }

    /* Waits until a question is open. */
    async question(within = LONG) {
        const deadline = Date.now() + within;
        for (;;) {
            const questions = await this.pending();
            if (questions.length > 0) return questions[0];
            assert.ok(Date.now() < deadline, 'no question came up');
            await sleep(20);
        }
    }

    async eventually(what, check, within = LONG) {
        const deadline = Date.now() + within;
        for (;;) {
            if (await check()) return;
            assert.ok(Date.now() < deadline, `not within ${within} ms: ${what}`);
            await sleep(10);
        }
    }

    /* Phone and computer hold the same. Returns the computer's state. */
    async expectSame(phone) {
        const computer = await this.export();
        assert.deepEqual(essence(phone.state()), essence(computer));
        return computer;
    }

    later(cleanup) {
        this.cleanups.push(cleanup);
    }

    /* What must hold after every scenario. All of it is tried; the first complaint is thrown. */
    async close() {
        const complaints = [];
        const attempt = async (step) => {
            try {
                await step();
            } catch (error) {
                complaints.push(error);
            }
        };
        for (const phone of this.phones) await attempt(() => phone.disconnect());
        for (const server of this.servers)
            await attempt(async () => {
                const end = await server.stop();
                if (server.expected !== null) assert.equal(end.status, server.expected, `the server ended with ${JSON.stringify(end)}\n${server.stderr}`);
                assert.doesNotMatch(server.stderr, /Sanitizer|runtime error:/, server.stderr);
            });
        await attempt(() => this.checkLogs());
        for (const phone of this.phones) await attempt(() => assert.deepEqual(phone.violations, []));
        for (const cleanup of this.cleanups.reverse()) await attempt(cleanup);
        fs.rmSync(this.folder, { recursive: true, force: true });
        folders.delete(this.folder);
        if (complaints.length > 0) throw complaints[0];
    }

    checkLogs() {
        const logs = this.servers.map((server) => server.stderr);
        const folder = path.join(this.data, 'log');
        if (fs.existsSync(folder)) for (const name of fs.readdirSync(folder)) logs.push(fs.readFileSync(path.join(folder, name), 'utf8'));
        const planted = new Set([this.marker, ...this.planted]);
        for (const phone of this.phones) {
            for (const text of phone.texts) planted.add(text);
            for (const key of phone.keys) planted.add(toBase64(key)).add(Buffer.from(key).toString('hex'));
            planted.add(phone.secret);
        }
        for (const text of planted) {
            // Shorter than that it proves nothing: "a" is in every log.
            if (text.length < 5) continue;
            for (const log of logs) assert.ok(!log.includes(text), `the log holds what it must not: ${JSON.stringify(text)}\n${log}`);
        }
    }
}

/* Whether a command does what is asked of it here: what a test needs may be lacking. */
export function works([command, ...args]) {
    try {
        execFileSync(command, args, { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
}

/* How to run a program that is killed at its `when`th call of `call`; its output ends in "cut 137" if it came to that. */
export const killedAt = (call, when) => ['sh', '-c', '"$@"; echo "cut $?"', 'sh', 'strace', '-f', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${when}`];
export const wasKilled = ({ stdout }) => /cut (137|-9)/.test(stdout);
export const NO_STRACE = works(['strace', '-o', '/dev/null', 'true']) ? '' : 'strace cannot be used here';

/* A test of its own; `skip` is a reason, or nothing. */
export function scenario(name, body, { skip, timeout = 120000 } = {}) {
    test(name, { timeout, skip: skip || false }, async (t) => {
        const s = new Scenario();
        let failure;
        try {
            await body(s, t);
        } catch (error) {
            failure = error;
            for (const server of s.servers) error.message += `\n--- what the server said:\n${server.stderr.slice(-3000)}`;
        }
        try {
            await s.close();
        } catch (error) {
            failure ??= error;
        }
        if (failure) throw failure;
    });
}

/* ---- bytes on a plain socket ----------------------------------------------------------------------------- */

/* Sends `bytes`, and resolves with all that came until the other side closed, or `within` ms passed. */
export function tcp(port, bytes, { host = '127.0.0.1', within = 5000, until } = {}) {
    return new Promise((resolve) => {
        const chunks = [];
        let timer;
        const socket = net.connect(port, host);
        const finish = (ended) => {
            clearTimeout(timer);
            socket.destroy();
            resolve({ text: Buffer.concat(chunks).toString('latin1'), ended });
        };
        timer = setTimeout(() => finish(false), within);
        socket.on('connect', () => socket.write(bytes));
        socket.on('data', (chunk) => {
            chunks.push(chunk);
            if (until?.test(Buffer.concat(chunks).toString('latin1'))) finish(false);
        });
        socket.on('error', () => {});
        socket.on('close', () => finish(true));
    });
}

/* A request written by hand; the answer taken apart. */
export async function http(port, { method = 'GET', path: target = '/', headers = {}, host = '127.0.0.1', body = '' }) {
    const lines = { Host: `${host.includes(':') ? `[${host}]` : host}:${port}`, Connection: 'close', ...headers };
    const head = Object.entries(lines).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const { text, ended } = await tcp(port, `${method} ${target} HTTP/1.1\r\n${head}\r\n${body}`, { host });
    const [, status, rest] = text.match(/^HTTP\/1\.1 (\d{3})([\s\S]*)$/) ?? [null, '0', ''];
    const split = rest.indexOf('\r\n\r\n');
    return { status: Number(status), head: rest.slice(0, split), body: rest.slice(split + 4), ended, text };
}

/* A random number generator that a seed names (mulberry32). */
export function seeded(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}
