/*
 * Whatever a peer sends: the right close code, a log line that says where and why and holds no content, nobody else disturbed,
 * nothing changed (protocol §1 to §3).
 */
import net from 'node:net';
import { assert, scenario, sleep, tcp, texts } from './harness.mjs';
import { fromBase64, nacl, sealEnvelope, toBase64, WebSocket } from './app.mjs';

/* A server that holds something, a well-behaved phone that stays connected throughout, and another for the mischief. */
async function stage(s, options) {
    await s.serve(options);
    const bystander = await s.phone({ deviceId: 'bystander' });
    bystander.add('lists', 0, s.text('milk'));
    bystander.add('lockedLists', 0, s.text('passport'));
    await s.confirmed(bystander, { stay: true });
    const before = (await s.cli(['export'])).stdout;
    const phone = await s.phone({ deviceId: 'mischief' });
    return {
        phone,
        bystander,
        /* The rest of the world has noticed nothing. */
        async unharmed() {
            assert.ok(bystander.connected, 'the other connection still stands');
            assert.equal((await s.cli(['export'])).stdout, before, 'the state is unchanged');
            assert.equal((await bystander.sync()).kind, 'confirmed');
        },
    };
}

async function closesWith(phone, code, within) {
    const end = await phone.wait(['closed'], within);
    assert.equal(end.code, code, `closed with ${end.code} ${end.reason}`);
    return end;
}

/* ---- the handshake ---- */

scenario('a wrong secret: 4001 after a second, then after two; others go on meanwhile', async (s) => {
    const { phone, bystander, unharmed } = await stage(s);
    const right = phone.secret;
    phone.secret = '00000000-0000-4000-8000-000000000000';
    for (const delay of [1000, 2000]) {
        const started = Date.now();
        const sync = phone.sync();
        assert.equal((await bystander.sync()).kind, 'confirmed');
        assert.ok(Date.now() - started < delay, 'the delay holds up nobody else');
        const end = await sync;
        assert.deepEqual([end.kind, end.code, end.reason], ['closed', 4001, 'Invalid pairing secret']);
        assert.ok(Date.now() - started >= delay, `closed after ${Date.now() - started} ms`);
        assert.equal(phone.log.filter((entry) => entry.kind === 'state').length, 0, 'it was shown nothing');
    }
    assert.match(s.server.stderr, /secret/i, 'it is logged');
    // Nobody is locked out.
    phone.secret = right;
    await s.confirmed(phone);
    await unharmed();
});

scenario('secrets that are nearly right, or nothing like one', async (s) => {
    const { phone, unharmed } = await stage(s);
    const right = phone.secret;
    const wrong = [right.slice(0, -1), '', `${right}\u0000`]; // the delay doubles with each
    const ends = await Promise.all(
        wrong.map(async (secret, i) => {
            const other = await s.phone({ pairing: phone.pairing, deviceId: `m${i}` });
            other.secret = secret;
            return other.sync({ within: 20000 });
        }),
    );
    for (const [i, end] of ends.entries()) assert.deepEqual([end.kind, end.code], ['closed', 4001], `secret ${i}`);
    await unharmed();
});

scenario('a code that was revoked', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.cli(['devices', 'revoke', phone.pairing.device]);
    const end = await phone.sync();
    assert.deepEqual([end.kind, end.code], ['closed', 4001]);
    await unharmed();
});

for (const [what, text] of [
    ['a state', '{"type":"state_sync","lists":[],"lockedLists":[],"listsCategories":[],"lockedListsCategories":[],"since":0}'],
    ['a heartbeat', '{"type":"heartbeat"}'],
    ['a handshake', '{"type":"handshake","deviceId":"x","lastSyncTimestamp":0,"pairingSecret":"y"}'],
    ['a second key_init', `{"type":"key_init","publicKey":"${toBase64(nacl.box.keyPair().publicKey)}"}`],
    ['no JSON', 'nonsense'],
    ['an array', '[]'],
    ['nothing', ''],
    ['an envelope with enc false', '{"enc":false,"n":"","d":""}'],
])
    scenario(`plaintext before the handshake: ${what}`, async (s) => {
        const { phone, unharmed } = await stage(s);
        phone.hooks.beforeHandshake = () => phone.sendText(text);
        await phone.connect();
        await closesWith(phone, 4004);
        await unharmed();
    });

scenario('something other than key_init first', async (s) => {
    const { phone, unharmed } = await stage(s);
    for (const text of ['{"type":"heartbeat"}', '{"type":"debug_log","lines":[]}', '{"enc":true,"n":"","d":""}', '{}', 'x', 'null', '{"type":"key_init"}', '{"type":"key_init","publicKey":5}']) {
        await phone.connect({ greet: false });
        phone.sendText(text);
        await closesWith(phone, 4004);
    }
    await phone.connect({ greet: false });
    phone.sendBinary(Buffer.from('{"type":"heartbeat"}'));
    await closesWith(phone, 4004);
    await unharmed();
});

scenario('public keys that are none', async (s) => {
    const { phone, unharmed } = await stage(s);
    const lowOrder = ['00'.repeat(32), `01${'00'.repeat(31)}`, 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', `ecffffff${'ff'.repeat(27)}7f`];
    const keys = [...lowOrder.map((hex) => toBase64(Buffer.from(hex, 'hex'))), toBase64(new Uint8Array(31)), toBase64(new Uint8Array(33)), '', '!', `${toBase64(nacl.randomBytes(32))} `];
    for (const publicKey of keys) {
        await phone.connect({ greet: false });
        phone.sendText(JSON.stringify({ type: 'key_init', publicKey }));
        await closesWith(phone, 4004);
    }
    await unharmed();
});

scenario('a key without padding is accepted', async (s) => {
    const { phone, unharmed } = await stage(s);
    phone.sendKeyInit = () => phone.sendText(JSON.stringify({ type: 'key_init', publicKey: toBase64(phone.pair.publicKey).replace(/=+$/, '') }));
    await s.confirmed(phone);
    await unharmed();
});

scenario('a ninth early debug_log', async (s) => {
    const { phone, unharmed } = await stage(s);
    phone.hooks.beforeHandshake = () => {
        for (let i = 0; i < 9; i++) phone.sendText(JSON.stringify({ type: 'debug_log', lines: [s.text('early')] }));
    };
    await phone.connect();
    await closesWith(phone, 4004);
    await unharmed();
});

scenario('something else than a handshake in the first box, or a handshake that is none', async (s) => {
    const { phone, unharmed } = await stage(s);
    const greetings = [
        { type: 'sync_request' },
        { type: 'handshake' },
        { type: 'handshake', deviceId: 5, lastSyncTimestamp: 0, pairingSecret: phone.secret },
        { type: 'handshake', deviceId: 'x', lastSyncTimestamp: 'never', pairingSecret: phone.secret },
        { type: 'handshake', deviceId: 'x', lastSyncTimestamp: 0, pairingSecret: [phone.secret] },
    ];
    for (const greeting of greetings) {
        phone.hooks.greeting = () => phone.sendMessage(greeting);
        await phone.connect();
        await closesWith(phone, 4004);
    }
    await unharmed();
});

/* ---- the channel ---- */

scenario('plaintext after the handshake', async (s) => {
    const { phone, unharmed } = await stage(s);
    for (const text of ['{"type":"heartbeat"}', '{"type":"debug_log","lines":[]}', '{"type":"sync_request"}', 'x', '']) {
        await s.confirmed(phone, { stay: true });
        phone.sendText(text);
        await closesWith(phone, 4004);
    }
    await s.confirmed(phone, { stay: true });
    phone.sendBinary(Buffer.from([1, 2, 3]));
    await closesWith(phone, 4004);
    await unharmed();
});

scenario('a replayed frame, of the handshake or later', async (s) => {
    const { phone, unharmed } = await stage(s);
    for (const pick of [(sent) => sent[1], (sent) => sent[sent.length - 1], (sent) => sent[2]]) {
        await s.confirmed(phone, { stay: true });
        phone.sendText(pick(phone.sent));
        await closesWith(phone, 4004);
    }
    await unharmed();
});

scenario('a reflected frame', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    phone.sendText(phone.received[phone.received.length - 1]);
    await closesWith(phone, 4004);
    await unharmed();
});

scenario('another message under a nonce that was used', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    const theirs = fromBase64(JSON.parse(phone.received[1]).n);
    phone.sendText(phone.seal({ type: 'heartbeat' }, theirs));
    await closesWith(phone, 4004);
    await unharmed();
});

scenario('a frame from an earlier connection', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    const old = phone.seal({ type: 'heartbeat' });
    await phone.disconnect();
    await s.confirmed(phone, { stay: true });
    phone.sendText(old);
    await closesWith(phone, 4004);
    await unharmed();
});

scenario('boxes that do not open', async (s) => {
    const { phone, unharmed } = await stage(s);
    const spoil = {
        'a flipped bit': (e) => ({ ...e, d: toBase64(fromBase64(e.d).map((byte, i) => (i === 20 ? byte ^ 1 : byte))) }),
        'cut short': (e) => ({ ...e, d: toBase64(fromBase64(e.d).slice(0, -1)) }),
        'shorter than a tag': (e) => ({ ...e, d: toBase64([1, 2, 3]) }),
        empty: (e) => ({ ...e, d: '' }),
        'a nonce too short': (e) => ({ ...e, n: toBase64(new Uint8Array(23)) }),
        'no nonce': ({ d }) => ({ enc: true, d }),
        'enc is a string': (e) => ({ ...e, enc: 'true' }),
        'no base64': (e) => ({ ...e, d: `*${e.d.slice(1)}` }),
        'white space': (e) => ({ ...e, d: ` ${e.d}` }),
    };
    for (const change of Object.values(spoil)) {
        await s.confirmed(phone, { stay: true });
        phone.sendText(JSON.stringify(change(JSON.parse(phone.seal({ type: 'heartbeat' })))));
        await closesWith(phone, 4004);
    }
    await unharmed();
});

scenario('a good box with bad content', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    // Refused or ignored, one by one; fewer than ten in all.
    const invalid = ['x', '[]', '"heartbeat"', '{"type":5}', '{}', '{"type":"heartbeat"', ''];
    for (const text of invalid) phone.sendText(sealEnvelope(text, phone.key));
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('an answer', () => phone.messages('heartbeat').length === 1);
    assert.ok(phone.connected);
    // Bytes that are no UTF-8 inside the box.
    const nonce = nacl.randomBytes(24);
    phone.sendText(JSON.stringify({ enc: true, n: toBase64(nonce), d: toBase64(nacl.secretbox(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), nonce, phone.key)) }));
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('an answer', () => phone.messages('heartbeat').length === 2);
    await unharmed();
});

/* ---- messages ---- */

const clash = (state) => JSON.stringify({ type: 'state_sync', ...state, since: 0 });

/* What is wrong with the state, and what the log must name: side and path. */
const REFUSED = [
    ['a position that is a string', (state) => (state.lists[0][0].position = 'x'), /phone.*lists\[0\]\[0\]\.position/],
    ['a position that is null', (state) => (state.lists[0][0].position = null), /phone.*lists\[0\]\[0\]\.position/],
    ['no text', (state) => delete state.lists[0][0].text, /phone.*lists\[0\]\[0\].*text/],
    ['no id', (state) => delete state.lists[0][0].id, /phone.*lists\[0\]\[0\].*id/],
    ['an empty id', (state) => (state.lists[0][0].id = ''), /phone.*lists\[0\]\[0\]\.id/],
    ['an id of 257 bytes', (state) => (state.lists[0][0].id = 'i'.repeat(257)), /phone.*lists\[0\]\[0\]\.id/],
    ['a time below 0', (state) => (state.lists[0][0].updatedAt = -1), /phone.*lists\[0\]\[0\]\.updatedAt/],
    ['a time with a fraction', (state) => (state.lists[0][0].createdAt = 1.5), /phone.*lists\[0\]\[0\]\.createdAt/],
    ['a time above 2^53', (state) => (state.lists[0][0].updatedAt = 2 ** 54), /phone.*lists\[0\]\[0\]\.updatedAt/],
    ['deleted as a string', (state) => (state.lists[0][0].deleted = 'yes'), /phone.*lists\[0\]\[0\]\.deleted/],
    ['done as a number', (state) => (state.lists[0][0].done = 1), /phone.*lists\[0\]\[0\]\.done/],
    ['an item that is null', (state) => (state.lockedLists[1] = [null]), /phone.*lockedLists\[1\]\[0\]/],
    ['a slot that is an object', (state) => (state.lists[3] = {}), /phone.*lists\[3\]/],
    ['lists that are an object', (state) => (state.lists = {}), /lists/],
    ['65 slots', (state) => (state.lists = Array.from({ length: 65 }, () => [])), /phone.*lists/],
    ['a label that is null', (state) => (state.listsCategories[2].label = null), /phone.*listsCategories\[2\]\.label/],
    ['content that is a number', (state) => (state.scratchpad[4].content = 7), /phone.*scratchpad\[4\]\.content/],
    ['since as a string', (state) => (state.since = 'now'), /since/],
    ['nesting without end', (state) => (state.lists[0][0].deep = JSON.parse('['.repeat(80) + ']'.repeat(80))), /phone.*lists\[0\]\[0\]/],
];

scenario('states that are refused: cancelled, logged by side, path and reason, nothing changed', async (s) => {
    const { phone, unharmed } = await stage(s);
    phone.add('lists', 0, s.text('of mischief'));
    for (const [what, spoil, line] of REFUSED) {
        phone.hooks.answer = (answer) => {
            spoil(answer);
            return answer;
        };
        const logged = s.server.stderr.length;
        const end = await phone.sync();
        assert.equal(end.kind, 'cancelled', `${what}: ${end.kind} ${end.code ?? ''}`);
        await s.eventually(`a log line for: ${what}`, () => line.test(s.server.stderr.slice(logged)));
        await phone.disconnect();
    }
    await unharmed();
    phone.hooks = {};
    await s.confirmed(phone);
    await s.expectSame(phone);
});

scenario('a state with a repeated key, and one that is no JSON', async (s) => {
    // What is no JSON is no answer either: the sync ends when the time for one has passed.
    const { phone, unharmed } = await stage(s, { env: { TRIVET_ANSWER_TIMEOUT: '300ms' } });
    phone.add('lists', 0, s.text('of mischief'));
    const broken = [
        (text) => text.replace('"done":false', '"done":false,"done":true'),
        (text) => text.slice(0, -1),
        (text) => text.replace('"position":', '"position":NaN,"x":'),
        (text) => `${text}{}`,
        (text) => text.replace(/"position":[-\d.]+/, '"position":1e999'),
    ];
    for (const change of broken) {
        phone.hooks.answer = (answer) => {
            phone.sendText(sealEnvelope(change(clash(answer)), phone.key));
            return null;
        };
        const end = await phone.sync();
        assert.equal(end.kind, 'cancelled');
        await phone.disconnect();
    }
    await unharmed();
});

scenario('ten refused messages in a minute close the connection, nine do not', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    for (let i = 0; i < 9; i++) phone.sendMessage({ type: 'debug_log', lines: s.text('not an array') });
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('an answer', () => phone.messages('heartbeat').length === 1);
    phone.sendMessage({ type: 'debug_log', lines: 5 });
    await closesWith(phone, 4004);
    assert.match(s.server.stderr, /lines/, 'logged with the path');
    await unharmed();
});

scenario('unknown types are ignored, and messages that only the computer sends are refused', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    for (let i = 0; i < 40; i++) phone.sendMessage({ type: `future_${i}`, content: s.text('unknown') });
    phone.sendMessage({ type: 'sync_confirm', mode: 'desktop-wins', appliedAt: 1, snapshot: { lists: [] } });
    phone.sendMessage({ type: 'key_exchange', publicKey: toBase64(nacl.randomBytes(32)) });
    phone.sendMessage({ type: 'sync_cancel' });
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('an answer', () => phone.messages('heartbeat').length === 1);
    await unharmed();
});

scenario('jot messages are read leniently', async (s) => {
    const { phone, unharmed } = await stage(s);
    await s.confirmed(phone, { stay: true });
    const jot = { id: 3, text: s.text('jot') };
    for (const message of [
        { type: 'jot_manifest' },
        { type: 'jot_manifest', jots: null },
        { type: 'jot_manifest', jots: [null, 5, { id: 'x' }, { id: 3, hasText: true }] },
        { type: 'jot_meta_response', jot },
        { type: 'jot_refresh_response', jots: [jot, null] },
        { type: 'jot_clear_ack' },
        { type: 'file_response', jotId: 1, fileId: 'f', fileType: 'image', data: 'AAAA', format: 'jpg' },
    ])
        phone.sendMessage(message);
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('an answer', () => phone.messages('heartbeat').length === 1);
    assert.ok(phone.connected);
    assert.equal((await phone.sync()).kind, 'confirmed');
    await unharmed();
});

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
        const end = await phone.wait(['closed']);
        // A client may see its own half of it only; the code counts where one was sent.
        assert.ok([code, 1006].includes(end.code), `closed with ${end.code}`);
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

function open(port) {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
        socket.on('open', () => resolve(socket));
        socket.on('error', reject);
    });
}

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
    await s.eventually('it is given up', () => phone.received.length > 0 && /time|answer/i.test(s.server.stderr));
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
