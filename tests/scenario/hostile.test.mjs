/*
 * Whatever a peer sends: the right close code, a log line that says where and why and holds no content, nobody else disturbed,
 * nothing changed (protocol §2, §3).
 */
import net from 'node:net';
import { assert, scenario, sleep } from './harness.mjs';
import { fromBase64, nacl, sealEnvelope, toBase64 } from './app.mjs';
import { closesWith, stage } from './stage.mjs';

/* ---- the handshake ---- */

scenario('a wrong secret hears 4001 though its delay outlasts the time for a handshake', async (s) => {
    await s.serve({ env: { TRIVET_HANDSHAKE_TIMEOUT: '300ms', TRIVET_PEERS_PER_ADDRESS: '1' } });
    const { pairing } = await s.phone();
    const ends = [];
    for (let i = 1; i <= 2; i++) {
        const stranger = await s.phone({ pairing: { ...pairing, secret: '11111111-2222-4333-8444-555555555555' } });
        ends.push(stranger.sync().then(({ code }) => ({ code, at: performance.now() })));
        await s.eventually('it is judged', () => s.server.stderr.match(/wrong pairing secret/g)?.length === i);
    }
    // Its place was still taken: the second had the first put out, which hears the truth as well.
    const [first, second] = await Promise.all(ends);
    assert.deepEqual([first.code, second.code], [4001, 4001]);
    assert.ok(second.at - first.at > 1000, 'the delay of the second');
});

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

scenario('whoever does not wait for the answer to a wrong secret is logged, too', async (s) => {
    const { phone, unharmed } = await stage(s);
    phone.secret = '00000000-0000-4000-8000-000000000000';
    phone.hooks.greeting = () => {
        phone.sendHandshake();
        phone.cut();
    };
    await phone.connect();
    await s.server.says(/wrong pairing secret/);
    phone.hooks = {};
    const end = await phone.sync({ within: 20000 });
    assert.equal(end.code, 4001);
    assert.match(s.server.stderr, /answered_in_ms=2000/, 'and counted');
    await unharmed();
});

scenario('a connection that is put out while its secret is looked at replaces nobody', async (s) => {
    await s.serve({ env: { TRIVET_PEERS_PER_ADDRESS: '1' } });
    const phone = await s.phone();
    for (let i = 0; i < 10; i++) phone.add('lists', 0, 'x'.repeat(300000));
    phone.texts = [];
    await s.confirmed(phone, { stay: true });
    const again = await s.phone({ pairing: phone.pairing });
    again.hooks.greeting = () => {};
    await again.connect();
    await s.keepBusy();
    again.sendHandshake();
    again.socket.ping();
    await new Promise((resolve) => again.socket.once('pong', resolve)); // the handshake was read
    again.socket._socket.pause(); // it does not answer the closing handshake
    const other = net.connect(s.server.port, '127.0.0.1').on('error', () => {});
    s.later(() => other.destroy());
    await s.server.says(/refused: too many from this address/);
    await s.cli(['export']); // its turn comes after the secret's
    await sleep(50);
    assert.ok(phone.connected, 'the older connection still stands');
    again.cut();
    assert.equal((await phone.sync()).kind, 'confirmed');
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
