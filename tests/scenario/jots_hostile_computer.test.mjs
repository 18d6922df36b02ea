/*
 * trivet phone against a computer that has the key and asks for what it should not get: other files than jots', beginnings that
 * are not there, several at once (protocol §7, "Files").
 */
import fs from 'node:fs';
import { randomBytes } from 'node:crypto';
import { assert, Process, scenario, TRIVET } from './harness.mjs';
import { fromBase64, nacl, toBase64, WebSocket } from './app.mjs';
import { createHash256, derive, open, seal } from './version2.mjs';

const MIB = 1 << 20;

/* A computer of version 2 that only does what it is told: `send`, and what came in `messages` and `pieces`. */
class Computer {
    constructor(k) {
        this.k = k;
        this.forget();
        this.server = new WebSocket.Server({ host: '127.0.0.1', port: 0, maxPayload: 64 * MIB });
        this.server.on('connection', (socket) => {
            this.socket = socket;
            socket.on('error', () => {});
            socket.on('close', (code) => (this.end = code));
            socket.on('message', (data) => this.take(data));
        });
    }

    /* For the next connection, which is under the device key. */
    forget() {
        Object.assign(this, { keys: null, messages: [], pieces: [], sent: 0, received: 0, end: null });
    }

    get port() {
        return this.server.address().port;
    }

    take(data) {
        if (!this.keys) {
            const keyInit = String(data), { publicKey } = JSON.parse(keyInit), own = nacl.box.keyPair();
            const { gen } = JSON.parse(keyInit);
            if (gen === 1) this.k = this.deviceKey;
            this.keys = derive({ key: this.k, ownSecret: own.secretKey, theirPublic: fromBase64(publicKey), computerPublic: own.publicKey, keyInit });
            this.deviceKey = gen === 1 ? this.k : this.keys.deviceKey;
            this.socket.send(JSON.stringify({ type: 'key_exchange', publicKey: toBase64(own.publicKey), v: 2, proof: toBase64(this.keys.proof) }));
            return;
        }
        const frame = open(this.keys.p2c, this.received++, new Uint8Array(data)), body = frame && Buffer.from(frame.body);
        if (frame?.kind === 1) this.messages.push(JSON.parse(body.toString('utf8')));
        else if (frame) this.pieces.push({ transfer: body.readUInt32LE(0), offset: Number(body.readBigUInt64LE(4)), bytes: body.subarray(12) });
    }

    send(message) {
        this.socket.send(seal(this.keys.c2p, this.sent++, 1, new Uint8Array(Buffer.from(JSON.stringify(message)))));
    }

    of(type) {
        return this.messages.filter((m) => m.type === type);
    }
}

scenario('it gives files of its jots, and nothing else, and no more than was asked for', async (s) => {
    const state = s.file('p'), bytes = randomBytes(3 * MIB + 5), film = s.file('film.mp4'), k = randomBytes(32);
    const computer = new Computer(new Uint8Array(k));
    await new Promise((resolve) => computer.server.once('listening', resolve));
    s.later(() => computer.server.close());
    fs.writeFileSync(film, bytes);
    const code = { ip: '127.0.0.1', port: computer.port, secret: '2f1c3f9e-6c1e-4d4b-9a53-0d4a1f2b3c4d', v: 2, device: 'd-1', name: 'x', k: k.toString('base64url') };
    const cli = (args, options) => s.run(['phone', '--state', state, ...args], options);
    await cli(['init', '--pairing', '-'], { input: JSON.stringify(code) });
    await cli(['jot', 'add', '--file', film, '1']);
    await cli(['jot', 'add', '--image', film, '2']);
    const jots = JSON.parse((await cli(['jot', 'list'])).stdout), mine = jots[0].files[0].id, others = jots[1].images[0].id;
    const run = new Process(TRIVET, ['phone', '--state', state, 'sync'], { env: s.env, cwd: s.folder });
    s.later(() => run.child.kill('SIGKILL'));
    await s.eventually('it greets', () => computer.of('handshake').length === 1);

    // By path, of another jot, as another kind, from beyond the end.
    let transfer = 0;
    const ask = (more) => computer.send({ type: 'file_request', jotId: 1, fileId: mine, fileType: 'file', transfer: ++transfer, offset: 0, ...more });
    const ended = (n) => computer.of('file_end').find((m) => m.transfer === n);
    const wrong = [
        ...['../pairing.json', 'pairing.json', 'phone.json', `jot-file-${mine}`, `./${mine}`, '/etc/passwd', `${mine}\u0000`, '..', mine.toUpperCase() + 'X'].map((fileId) => ({ fileId })),
        { fileId: others }, { fileType: 'image' }, { fileType: 'audio' }, { jotId: 2 }, { jotId: 3 }, { jotId: 2 ** 53 - 1 },
        { offset: bytes.length + 1 }, { offset: 2 ** 53 - 1 },
    ];
    for (const more of wrong) {
        ask(more);
        const n = transfer;
        await s.eventually(`an end of ${JSON.stringify(more)}`, () => ended(n));
        assert.ok(ended(n).error && !ended(n).hash, JSON.stringify(more));
    }
    assert.deepEqual(computer.pieces, []);

    // Without acks: a window, and nothing more.
    ask();
    const first = transfer, of = (n) => computer.pieces.filter((p) => p.transfer === n), sum = (n) => of(n).reduce((all, p) => all + p.bytes.length, 0);
    await s.eventually('a window', () => sum(first) === MIB);
    assert.equal(sum(first), MIB);

    // Another one in its place, with the same number: that alone goes on, from its own offset.
    ask({ offset: 2 * MIB, transfer: first });
    transfer = first;
    await s.eventually('a window from there', () => sum(first) === 2 * MIB);
    computer.send({ type: 'file_ack', transfer: first, offset: 3 * MIB });
    await s.eventually('its end', () => ended(first));
    assert.equal(ended(first).size, bytes.length);
    assert.equal(ended(first).hash, createHash256(bytes).toString('base64'));
    assert.equal(sum(first), MIB + MIB + 5);
    // All of it is there: nothing but the end comes.
    ask({ offset: bytes.length });
    const last = transfer;
    await s.eventually('the end alone', () => ended(last));
    assert.equal(ended(last).hash, createHash256(bytes).toString('base64'));
    assert.equal(sum(last), 0);
    // Many at once: each is left for the next, and the last one comes.
    const from = transfer + 1;
    for (let i = 0; i < 50; i++) ask({ offset: i });
    const final = transfer;
    await s.eventually('a window of the last', () => sum(final) === MIB);
    for (let n = from; n <= final; n++) assert.ok(sum(n) <= MIB, `${n}`);
    // What makes no sense ends it: an ack of what was not sent, of what was not asked for, a piece from this side.
    computer.send({ type: 'file_ack', transfer: final, offset: 2 * MIB });
    assert.equal((await run.done).status, 76);
    for (const nonsense of [
        () => computer.send({ type: 'file_ack', transfer: 5, offset: 0 }),
        () => computer.socket.send(seal(computer.keys.c2p, computer.sent++, 2, new Uint8Array(100))),
        () => computer.send({ type: 'file_request', jotId: 1, fileId: mine, fileType: 'file', transfer: 2 ** 32, offset: 0 }),
        () => computer.send({ type: 'file_request', jotId: 1, fileId: mine, fileType: 'file', transfer: 1, offset: -1 }),
        () => computer.send({ type: 'file_request', jotId: 1, fileId: mine, fileType: 'file', transfer: 1 }),
    ]) {
        computer.forget();
        const again = new Process(TRIVET, ['phone', '--state', state, 'sync'], { env: s.env, cwd: s.folder });
        s.later(() => again.child.kill('SIGKILL'));
        await s.eventually('it greets', () => computer.of('handshake').length === 1);
        nonsense();
        assert.equal((await again.done).status, 76, String(nonsense));
        assert.deepEqual(computer.pieces, []);
    }
    assert.equal(JSON.parse((await cli(['jot', 'list'])).stdout).length, 2);
});
