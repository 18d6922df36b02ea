/* RFC 6455 as its text has it: the cases of rfc6455/cases.py, sent raw, and what needs a phone that has shown its secret. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { assert, ROOT, scenario } from './harness.mjs';
import { closesWith, stage } from './stage.mjs';

const PYTHON = '/usr/bin/python3'; // the one that Debian's packages are for

function runCases(port) {
    return new Promise((resolve, reject) => {
        const child = spawn(PYTHON, [path.join(ROOT, 'tests/scenario/rfc6455/run.py'), String(port)], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
        let out = '', complaints = '';
        child.stdout.setEncoding('utf8').on('data', (chunk) => (out += chunk));
        child.stderr.setEncoding('utf8').on('data', (chunk) => (complaints += chunk));
        child.on('error', reject);
        child.on('close', (status) => {
            assert.equal(status, 0, complaints);
            resolve(out.trim().split('\n').map((line) => JSON.parse(line)));
        });
    });
}

scenario('framing, fragments, control frames, reserved bits, masks, UTF-8, closing', async (s, t) => {
    const { unharmed } = await stage(s, { env: { TRIVET_PEERS_PER_ADDRESS: '100', TRIVET_UNAUTHENTICATED_MAX: '100' } });
    const results = await runCases(s.server.port);
    assert.ok(results.length >= 200, `${results.length} cases`);
    assert.equal(new Set(results.map(({ name }) => name)).size, results.length, 'each has its own name');
    t.diagnostic(`${results.length} cases`);
    const wrong = results.filter(({ ok }) => !ok).map(({ section, name, got, expected }) => `RFC 6455 §${section}, ${name}: expected ${expected}, got ${got}`);
    assert.deepEqual(wrong, []);
    await unharmed();
});

/* ---- after the handshake, where messages may be large ---------------------------------------------------- */

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

function frameOf(payload, { first = 0x81, form } = {}) {
    const { length } = payload;
    form ??= length < 126 ? 0 : length < 65536 ? 2 : 8;
    const head = Buffer.alloc(2 + form + 4);
    head[0] = first;
    head[1] = 0x80 | (form === 0 ? length : form === 2 ? 126 : 127);
    if (form === 2) head.writeUInt16BE(length, 2);
    if (form === 8) head.writeBigUInt64BE(BigInt(length), 2);
    MASK.copy(head, 2 + form);
    return Buffer.concat([head, payload.map((byte, i) => byte ^ MASK[i % 4])]);
}

/* A heartbeat in an envelope of exactly `length` bytes. */
function heartbeat(phone, length) {
    const envelope = JSON.parse(phone.seal({ type: 'heartbeat' }));
    const bare = JSON.stringify({ ...envelope, pad: '' }).length;
    return Buffer.from(JSON.stringify({ ...envelope, pad: 'p'.repeat(length - bare) }));
}

scenario('lengths in 16 and in 64 bits, up to the limit and one beyond', async (s) => {
    const LIMIT = 200000;
    const { phone, unharmed } = await stage(s, { env: { TRIVET_MAX_MESSAGE: String(LIMIT) } });
    const answers = async (write) => {
        const before = phone.messages('heartbeat').length;
        write();
        await s.eventually('an answer', () => phone.messages('heartbeat').length === before + 1);
    };
    const raw = (bytes) => phone.socket._socket.write(bytes);
    await s.confirmed(phone, { stay: true });
    for (const length of [65535, 65536, 65537, LIMIT - 1, LIMIT]) await answers(() => raw(frameOf(heartbeat(phone, length))));
    const split = (payload, size) => {
        const parts = [];
        for (let at = 0; at < payload.length; at += size) parts.push(payload.subarray(at, at + size));
        return Buffer.concat(parts.map((part, i) => frameOf(part, { first: (i === 0 ? 1 : 0) | (i === parts.length - 1 ? 0x80 : 0) })));
    };
    for (const size of [7, 1000, 70000]) await answers(() => raw(split(heartbeat(phone, LIMIT), size)));
    for (const [what, bytes, code] of [
        ['one byte more', () => frameOf(heartbeat(phone, LIMIT + 1)), 1009],
        ['one byte more, in fragments', () => split(heartbeat(phone, LIMIT + 1), 1000), 1009],
        ['65535 in 64 bits', () => frameOf(heartbeat(phone, 65535), { form: 8 }), 1002],
        ['65,537 fragments', () => Buffer.concat([frameOf(Buffer.from('{'), { first: 1 }), ...Array.from({ length: 65536 }, () => frameOf(Buffer.alloc(0), { first: 0 }))]), 1008],
    ]) {
        await s.confirmed(phone, { stay: true });
        raw(bytes());
        await closesWith(phone, code).catch((error) => assert.fail(`${what}: ${error.message}`));
    }
    await unharmed();
});
