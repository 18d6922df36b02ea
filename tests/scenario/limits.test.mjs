/* How much, how fast, how many, how long: what a connection may do, and how it ends (protocol §1, §2, RFC 6455). */
import net from 'node:net';
import { assert, scenario, sleep, tcp, texts } from './harness.mjs';
import { nacl, toBase64, WebSocket } from './app.mjs';
import { closesWith, stage } from './stage.mjs';

function open(port) {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
        socket.on('open', () => resolve(socket));
        socket.on('error', reject);
    });
}

/* ---- size and speed ---- */

scenario('more than 4 KiB before the handshake', async (s) => {
    const { phone, unharmed } = await stage(s);
    const padded = (length) => {
        const message = { type: 'key_init', publicKey: toBase64(nacl.box.keyPair().publicKey), pad: '' };
        message.pad = 'p'.repeat(length - JSON.stringify(message).length);
        return JSON.stringify(message);
    };
    await phone.connect({ greet: false });
    phone.sendText(padded(4097));
    await closesWith(phone, 1009);
    phone.hooks.beforeHandshake = () => phone.sendText('x'.repeat(1 << 20));
    await phone.connect();
    await closesWith(phone, 1009);
    // In pieces it is as large.
    await phone.connect({ greet: false });
    for (let i = 0; i < 5; i++) phone.socket.send('x'.repeat(1000), { fin: false });
    await closesWith(phone, 1009);
    // Exactly that much passes.
    await phone.connect({ greet: false });
    phone.sendText(padded(4096));
    await s.eventually('a key_exchange', () => phone.received.length > 0);
    phone.cut();
    await unharmed();
});

scenario('a message over the limit', async (s) => {
    const { phone, unharmed } = await stage(s, { env: { TRIVET_MAX_MESSAGE: '65536' } });
    await s.confirmed(phone, { stay: true });
    phone.sendMessage({ type: 'debug_log', lines: ['x'.repeat(20000)] });
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('an answer', () => phone.messages('heartbeat').length === 1);
    phone.sendMessage({ type: 'debug_log', lines: ['x'.repeat(65536)] });
    await closesWith(phone, 1009);
    // A head that promises more than it will ever send.
    await s.confirmed(phone, { stay: true });
    phone.socket._socket.write(Buffer.from([0x81, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8]));
    await closesWith(phone, 1009);
    await unharmed();
});

scenario('too fast', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    for (let i = 0; i < 150; i++) phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('150 answers', () => phone.messages('heartbeat').length === 150);
    assert.ok(phone.connected, 'a burst is borne');
    for (let i = 0; i < 600; i++) phone.sendMessage({ type: 'heartbeat' });
    await closesWith(phone, 4005);
    await unharmed();
});

scenario('a phone that stops reading: nobody waits for it', async (s) => {
    const { phone, bystander } = await stage(s);
    phone.add('lists', 0, s.text('x'.repeat(1 << 20)));
    await s.confirmed(phone, { stay: true });
    phone.socket._socket.pause();
    phone.requestSync();
    assert.equal((await bystander.sync()).kind, 'confirmed');
    await s.cli(['status']);
    await s.add(s.text('typed meanwhile'));
    phone.socket._socket.resume();
    assert.equal((await phone.wait(['confirmed'])).kind, 'confirmed');
    assert.equal((await phone.sync()).kind, 'confirmed');
    await s.expectSame(phone);
});

/* ---- frames (RFC 6455) ---- */

scenario('fragments, with a ping between them', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    let pongs = 0;
    phone.socket.on('pong', (data) => (pongs += data.toString() === 'are you there'));
    const text = phone.seal({ type: 'heartbeat' });
    for (let i = 0; i < text.length; i += 7) {
        phone.socket.send(text.slice(i, i + 7), { fin: i + 7 >= text.length });
        if (i === 7) phone.socket.ping('are you there');
    }
    await s.eventually('an answer', () => phone.messages('heartbeat').length === 1 && pongs === 1);
    await unharmed();
});

scenario('one byte at a time', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    const payload = Buffer.from(phone.seal({ type: 'heartbeat', padding: 'p'.repeat(200) }));
    const mask = Buffer.from([9, 8, 7, 6]);
    const head = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255]);
    const frame = Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i % 4])]);
    phone.socket._socket.setNoDelay(true);
    for (const byte of frame) {
        phone.socket._socket.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
    }
    await s.eventually('an answer', () => phone.messages('heartbeat').length === 1);
    await unharmed();
});

for (const [what, bytes, code] of [
    ['a frame that is not masked', [0x81, 0x01, 0x61], 1002],
    ['a reserved bit', [0xc1, 0x80, 0, 0, 0, 0], 1002],
    ['a reserved opcode', [0x83, 0x80, 0, 0, 0, 0], 1002],
    ['a fragmented ping', [0x09, 0x80, 0, 0, 0, 0], 1002],
    ['a ping of 126 bytes', [0x89, 0xfe, 0, 126, 0, 0, 0, 0, ...new Array(126).fill(0)], 1002],
    ['a continuation of nothing', [0x80, 0x80, 0, 0, 0, 0], 1002],
    ['a close of one byte', [0x88, 0x81, 0, 0, 0, 0, 3], 1002],
    ['a close with code 1005', [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed], 1002],
    ['bytes that are no UTF-8', [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007],
])
    scenario(`the RFC's way out: ${what}`, async (s) => {
        const { phone, unharmed } = await stage(s);
        await s.confirmed(phone, { stay: true });
        phone.socket._socket.write(Buffer.from(bytes));
        await closesWith(phone, code);
        await unharmed();
    });

/* ---- places for those who have not shown a secret ---- */

scenario('eight unauthenticated connections from an address: the oldest goes, never one that has shown its secret', async (s) => {
    const { bystander, unharmed } = await stage(s, { env: { TRIVET_PEERS_PER_ADDRESS: '8', TRIVET_UNAUTHENTICATED_MAX: '64' } });
    const idle = [];
    for (let i = 0; i < 8; i++) idle.push(await open(s.server.port));
    await sleep(50);
    assert.ok(idle.every((socket) => socket.readyState === WebSocket.OPEN), 'eight have room');
    for (let i = 0; i < 3; i++) {
        idle.push(await open(s.server.port));
        await s.eventually('the oldest is closed', () => idle[i].readyState === WebSocket.CLOSED);
        assert.ok(idle.slice(i + 1).every((socket) => socket.readyState === WebSocket.OPEN));
    }
    assert.ok(bystander.connected);
    for (const socket of idle) socket.terminate();
    await unharmed();
});

scenario('so many unauthenticated connections in all', async (s) => {
    const { unharmed } = await stage(s, { env: { TRIVET_PEERS_PER_ADDRESS: '100', TRIVET_UNAUTHENTICATED_MAX: '4' } });
    const idle = [];
    for (let i = 0; i < 6; i++) idle.push(await open(s.server.port));
    await s.eventually('two are closed', () => idle.filter((socket) => socket.readyState === WebSocket.CLOSED).length === 2);
    assert.deepEqual(idle.map((socket) => socket.readyState === WebSocket.OPEN), [false, false, true, true, true, true]);
    for (const socket of idle) socket.terminate();
    await unharmed();
});

/* A thousand addresses can fill all places again and again; but not so that a phone that was here before does not come in. */
scenario('strangers from everywhere do not put out a phone at an address that it had before', async (s) => {
    await s.serve({ env: { TRIVET_UNAUTHENTICATED_MAX: '4' } });
    const phone = await s.phone();
    await s.confirmed(phone);
    const strangers = (count) => Promise.all(Array.from({ length: count }, (_, i) => new Promise((resolve) => {
        const socket = net.connect({ port: s.server.port, host: '127.0.0.1', localAddress: `127.0.2.${i + 1}` }).on('error', () => {});
        socket.once('connect', () => resolve(socket));
        s.later(() => socket.destroy());
    })));
    phone.hooks.greeting = () => {};
    await phone.connect();
    const [first] = await strangers(40);
    await s.eventually('the first stranger is put out', () => first.destroyed || first.readyState !== 'open');
    assert.ok(phone.connected, 'it has shown no secret, on this connection');
    phone.hooks = {};
    phone.sendHandshake();
    assert.equal((await phone.sync()).kind, 'confirmed');
    // Who was never here has no such place.
    const other = await s.phone({ pairing: phone.pairing });
    other.host = '127.0.0.1';
    other.hooks.greeting = () => {};
    await other.connect({ websocket: { localAddress: '127.0.3.1' } });
    await strangers(40);
    await closesWith(other, 4002);
});

scenario('a new phone finds a place where all are held from an address that a phone had before', async (s) => {
    await s.serve({ env: { TRIVET_UNAUTHENTICATED_MAX: '4' } });
    const phone = await s.phone();
    await s.confirmed(phone);
    const sockets = Array.from({ length: 8 }, () => net.connect({ port: s.server.port, host: '127.0.0.1', localAddress: '127.0.0.1' }).on('error', () => {}));
    s.later(() => sockets.forEach((socket) => socket.destroy()));
    await s.eventually('they fill all places', () => sockets.filter((socket) => socket.destroyed || socket.readyState !== 'open').length === 4);
    const other = await s.phone({ deviceId: 'other' });
    other.host = '127.0.0.1';
    assert.equal((await other.sync({ websocket: { localAddress: '127.0.3.1' } })).kind, 'confirmed');
    await s.confirmed(phone);
});

scenario('half-open connections by the hundred leave room for a phone', async (s) => {
    const { phone, unharmed } = await stage(s);
    const sockets = Array.from({ length: 200 }, () => net.connect(s.server.port, '127.0.0.1').on('error', () => {}));
    await sleep(100);
    await s.confirmed(phone);
    for (const socket of sockets) socket.destroy();
    await unharmed();
});

scenario('a handshake that does not come: 4002', async (s) => {
    const { phone, unharmed } = await stage(s, { env: { TRIVET_HANDSHAKE_TIMEOUT: '1s' } });
    const halfway = await s.phone({ pairing: phone.pairing, deviceId: 'halfway' });
    halfway.hooks.greeting = () => {};
    const started = Date.now();
    await Promise.all([phone.connect({ greet: false }), halfway.connect()]);
    const silent = tcp(s.server.port, '', { within: 8000 });
    const slow = tcp(s.server.port, 'GET /ping HTTP/1.1\r\nHost: 127.0', { within: 8000 });
    await closesWith(phone, 4002);
    await closesWith(halfway, 4002);
    assert.ok(Date.now() - started >= 900);
    assert.ok((await silent).ended, 'plain TCP as well');
    assert.ok((await slow).ended, 'and half a request');
    await sleep(300);
    await unharmed();
});

/* ---- ends ---- */

scenario('no answer in time: cancelled; the answer that comes late is dropped', async (s) => {
    const { phone } = await stage(s, { env: { TRIVET_ANSWER_TIMEOUT: '500ms' } });
    await s.confirmed(phone, { stay: true });
    let letGo;
    const gate = new Promise((resolve) => (letGo = resolve));
    const before = phone.round;
    phone.hooks.answer = async (answer, round) => {
        if (round === before + 1) await gate;
        return answer;
    };
    phone.requestSync();
    await phone.wait(['state']);
    await s.eventually('it is given up', () => phone.received.length > 0 && /event=sync_ended .*outcome=timeout/.test(s.server.stderr));
    await sleep(100);
    phone.requestSync();
    await sleep(50);
    // Meanwhile the user edits: the first, late, answer does not hold it, the second does.
    phone.hooks.afterAnswer = (round) => {
        if (round === before + 1) phone.add('lists', 1, s.text('after the late answer'));
    };
    letGo();
    assert.equal((await phone.wait(['cancelled'])).kind, 'cancelled');
    assert.equal((await phone.wait(['confirmed'])).kind, 'confirmed');
    phone.hooks = {};
    await s.expectSame(phone);
    assert.deepEqual(texts(await s.export()).lists[1], [s.text('after the late answer')]);
});

scenario('a revoked device: 4010 at once, and no way back', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    await s.cli(['devices', 'revoke', phone.pairing.device]);
    await closesWith(phone, 4010);
    const end = await phone.sync();
    assert.deepEqual([end.kind, end.code], ['closed', 4001]);
    await unharmed();
});

scenario('a second connection of a device replaces the first, but only with the right secret', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    const pretender = await s.phone({ pairing: phone.pairing, deviceId: phone.deviceId });
    pretender.secret = '00000000-0000-4000-8000-000000000000';
    await pretender.connect();
    await sleep(100);
    assert.ok(phone.connected);
    const again = await s.phone({ pairing: phone.pairing, deviceId: phone.deviceId, storage: phone.backup() });
    await s.confirmed(again, { stay: true });
    await closesWith(phone, 4009);
    assert.ok(again.connected);
    assert.equal((await again.sync()).kind, 'confirmed');
    await closesWith(pretender, 4001);
    await unharmed();
});

scenario('a device replaced in the middle of its sync', async (s) => {
    const { phone, unharmed } = await stage(s);
    phone.hooks.answer = () => null;
    await phone.connect();
    await phone.wait(['state']);
    const again = await s.phone({ pairing: phone.pairing, deviceId: phone.deviceId, storage: phone.backup() });
    await s.confirmed(again);
    await closesWith(phone, 4009);
    await unharmed();
});

scenario('a name with control characters reaches no terminal as such', async (s) => {
    const { phone, unharmed } = await stage(s);
    phone.deviceId = '\u001b[31mred\u0007\r\nERROR forged line\u0000';
    await s.confirmed(phone);
    const control = /[\u0000-\u0008\u000b-\u001f\u007f]/;
    assert.doesNotMatch(s.server.stderr, control);
    assert.doesNotMatch(s.server.stderr, /^ERROR forged/m);
    for (const args of [['devices'], ['status']]) assert.doesNotMatch((await s.cli(args)).stdout, control, args.join(' '));
    await unharmed();
});

/* ---- the log ---- */

scenario('a flood of bad connections does not fill the log', async (s) => {
    const { phone, unharmed } = await stage(s);
    const logged = s.server.stderr.length;
    for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 10 }, () => tcp(s.server.port, 'nonsense\r\n\r\n')));
    await s.server.says(/127\.0\.0\.1: more of this is left out/);
    assert.ok(s.server.stderr.length - logged < 8000, `${s.server.stderr.length - logged} bytes`);
    // A phone that fails again and again once it is known has more lines, and an end of them too.
    await s.confirmed(phone, { stay: true });
    for (let i = 0; i < 90; i++) {
        phone.sendText('nonsense');
        await closesWith(phone, 4004);
        await phone.sync();
    }
    await s.server.says(/mischief: more of this is left out/);
    await unharmed();
});
