/*
 * The keys of version 2, step by step (protocol §7, store/device.h): either end is killed at each of its writes in turn, in the
 * first session and in the second, and no pairing is ever lost. And what changes no key: whoever has none.
 *
 * A process is killed as it enters a system call, by strace; of the calls that write to a disk or a socket some are tried, with
 * TRIVET_THOROUGH forty of each session.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { assert, itemWith, scenario, TRIVET } from './harness.mjs';
import { App, nacl, toBase64, WebSocket } from './app.mjs';
import { attach } from './strace.mjs';
import { Phone2 } from './version2.mjs';

const CALLS = 'write,pwrite64,writev,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate';
const STRACE = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0 ? null : 'strace cannot be used here';
const TRACED = { ASAN_OPTIONS: 'detect_leaks=0' }; // which cannot be looked for under strace
const MOST = process.env.TRIVET_THOROUGH ? 40 : 6;
const some = (count) => Array.from({ length: count }, (_, i) => i + 1).filter((n) => n % Math.ceil(count / MOST) === 1 % Math.ceil(count / MOST));

/* A phone in a folder, with the code it began with. */
async function newPhone(s, name) {
    const pairing = await s.pair();
    const folder = s.file(name);
    const run = (args, options) => s.run(['phone', '--state', folder, ...args], options);
    await run(['init', '--pairing', '-'], { input: JSON.stringify({ ...pairing, ip: '127.0.0.1', port: s.server.port }) });
    await run(['add', s.text(name)]);
    const phone = {
        folder,
        text: s.text(name),
        sync: (options) => run(['sync'], options),
        gen: () => {
            const { k, gen } = JSON.parse(fs.readFileSync(path.join(folder, 'pairing.json'), 'utf8'));
            s.planted.add(k);
            return gen ?? 0;
        },
        /* The phone must come in, whatever was before, and twice: by then the code is worth nothing. */
        comesIn: async (what) => {
            for (let i = 0; i < 2; i++) {
                const { status, stderr } = await phone.sync({ expect: null });
                assert.equal(status, 0, `${what}: ${stderr}`);
            }
            assert.equal(phone.gen(), 1, what);
            assert.ok(itemWith(await s.export(), phone.text), what);
            const photographer = new Phone2({ ...pairing, port: s.server.port }, new App({ host: '127.0.0.1', port: s.server.port, secret: '' }));
            assert.equal(await photographer.connect(), 'refused', what);
        },
    };
    return phone;
}

/* Where to kill: [call, n], by a trace of a run that was let be. strace counts each call of each thread apart. */
function places(file) {
    const counts = {}, most = {};
    for (const [, thread, name] of fs.readFileSync(file, 'utf8').matchAll(/^(\d*) *([a-z0-9_]+)\(/gm)) {
        counts[`${thread} ${name}`] = (counts[`${thread} ${name}`] ?? 0) + 1;
        most[name] = Math.max(most[name] ?? 0, counts[`${thread} ${name}`]);
    }
    const all = Object.entries(most).flatMap(([name, n]) => Array.from({ length: n }, (_, i) => [name, i + 1]));
    assert.ok(all.length >= 5, fs.readFileSync(file, 'utf8'));
    const chosen = new Set(some(all.length));
    return all.filter((_, i) => chosen.has(i + 1));
}

const killing = ([name, nth]) => ['-e', `trace=${name}`, '-e', `inject=${name}:signal=KILL:when=${nth}`];

/*
 * For each session: `letBe` runs one with its calls traced into a file; then, for each of those calls that is tried, `kill` runs one
 * that is killed there, if it comes there, and says whether it was. All phones must come in. `least`: the share that must be killed.
 */
async function killAtEach(s, { letBe, kill, least }) {
    let kills = 0, tried = 0;
    for (const session of [1, 2]) {
        const model = await newPhone(s, `model-${session}`);
        if (session === 2) await model.sync();
        const trace = s.file(`trace-${session}`);
        await letBe(model, trace);
        for (const call of places(trace)) {
            const phone = await newPhone(s, `phone-${session}-${call.join('-')}`);
            if (session === 2) await phone.sync();
            kills += await kill(phone, call);
            tried++;
            await phone.comesIn(`session ${session}, killed at ${call.join(' ')}`);
        }
    }
    if (process.env.TRIVET_THOROUGH) console.log(`${kills} of ${tried} were killed`);
    assert.ok(kills > tried * least, `${kills} of ${tried} were killed`);
}

scenario(
    'the phone is killed at each of its writes, in its first session and in its second',
    async (s) => {
        await s.serve();
        await s.add(s.text('bread'));
        await killAtEach(s, {
            letBe: (phone, trace) => phone.sync({ wrap: ['strace', '-f', '-o', trace, '-e', `trace=${CALLS}`], env: TRACED }),
            kill: (phone, call) => {
                const { signal } = spawnSync('strace', ['-f', '-o', '/dev/null', ...killing(call), TRIVET, 'phone', '--state', phone.folder, 'sync'], { env: { ...s.env, ...TRACED } });
                return signal === 'SIGKILL';
            },
            least: 0.8,
        });
    },
    { skip: STRACE, timeout: 600000 },
);

scenario(
    'the computer is killed at each of its writes, in the first session and in the second',
    async (s) => {
        await s.serve();
        await s.add(s.text('bread'));
        await killAtEach(s, {
            letBe: async (phone, trace) => {
                const detach = await attach(s, ['-e', `trace=${CALLS}`], trace);
                await phone.sync();
                await detach();
            },
            kill: async (phone, call) => {
                const { server } = s, port = server.port;
                server.expected = null;
                const leave = await attach(s, killing(call), '/dev/null');
                await phone.sync({ expect: null });
                await leave();
                const killed = server.end?.signal === 'SIGKILL';
                await s.kill9();
                await s.serve({ port });
                return killed;
            },
            least: 0.5, // the worker does not write the same each time
        });
        assert.equal((await s.json(['fsck'])).faults, 0);
    },
    { skip: STRACE, timeout: 900000 },
);

scenario(
    'the computer has stored the device key before it sends its first frame',
    async (s) => {
        await s.serve();
        const phone = await newPhone(s, 'phone');
        const trace = s.file('trace');
        const detach = await attach(s, ['-y', '-e', 'trace=fdatasync,fsync,write,writev,sendto,sendmsg'], trace);
        await phone.sync();
        await detach();
        const lines = fs.readFileSync(trace, 'utf8').split('\n');
        const sent = lines.flatMap((line, i) => (/(write|writev|sendto|sendmsg)\(\d+<(TCP|socket)/.test(line) ? [i] : []));
        const exchange = sent.find((i) => lines[i].includes('key_exchange'));
        const first = sent.find((i) => i > exchange);
        assert.ok(exchange >= 0 && first > exchange, lines.join('\n'));
        assert.ok(lines.slice(exchange, first).some((line) => /f(data)?sync\(\d+<.*trivet\.db(-wal)?>/.test(line)), lines.slice(exchange, first + 1).join('\n'));
    },
    { skip: STRACE },
);

/* ---- who has no key --------------------------------------------------------------------------------------- */

const hashes = (s) => ['trivet.db', 'trivet.db-wal'].map((name) => path.join(s.data, name)).filter((file) => fs.existsSync(file))
    .map((file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex'));

/* Asks for a device, sends a frame under no key of its, and waits for the end. */
function intrude(s, device, gen, localAddress) {
    const socket = new WebSocket(`ws://127.0.0.1:${s.server.port}/`, { localAddress });
    socket.on('open', () => socket.send(JSON.stringify({ type: 'key_init', publicKey: toBase64(nacl.box.keyPair().publicKey), v: 2, device, gen })));
    socket.on('message', () => socket.send(Buffer.alloc(120, 9)));
    return new Promise((resolve) => socket.on('error', () => {}).on('close', (code) => resolve(code)));
}

scenario('nothing that is stored changes before a first frame has opened, under either generation, and no key is erased', async (s) => {
    await s.serve();
    const fresh = await s.pair();
    const between = await s.pair(), both = new Phone2(between, new App({ host: '127.0.0.1', port: s.server.port, secret: between.secret }));
    assert.equal(await both.sync({ stay: true }), 'confirmed'); // connected, of generation 1 by now, and `k` not yet erased
    const devices = JSON.stringify(await s.json(['devices']));
    const before = hashes(s);
    const intruders = [fresh.device, between.device, 'zzzzzzzz'].flatMap((device, i) => [0, 1].map((gen) => intrude(s, device, gen, `127.5.${gen}.${i + 1}`)));
    assert.deepEqual(await Promise.all(intruders), Array(6).fill(4004));
    assert.deepEqual(hashes(s), before);
    assert.equal(JSON.stringify(await s.json(['devices'])), devices);
    both.send({ type: 'heartbeat' });
    await both.until(() => both.of('heartbeat').length > 0);
    await both.close();
    // The code's key still works: what claimed generation 1 did not open.
    const again = new Phone2(between, both.app);
    assert.equal(await again.sync(), 'confirmed');
    assert.equal(await new Phone2(fresh, new App({ host: '127.0.0.1', port: s.server.port, secret: '' })).sync(), 'confirmed');
});
