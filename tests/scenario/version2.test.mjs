/* Version 2 of the channel (protocol §7), spoken with the server by a phone that shares no code with it. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assert, http, itemWith, ROOT, scenario, sleep, texts } from './harness.mjs';
import { nacl, App, toBase64, WebSocket } from './app.mjs';
import { blake2b, derive, open, Phone2, seal } from './version2.mjs';

const vectors = JSON.parse(fs.readFileSync(process.env.TRIVET_VECTORS ?? path.join(ROOT, 'fixtures/protocol/channel.json'), 'utf8'));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data) => Buffer.from(data).toString('hex');

/* ---- the vectors: this phone has its cryptography right ---- */

test('BLAKE2b as in RFC 7693 and past a block', () => {
    assert.equal(hex(blake2b(new Uint8Array(0), Buffer.from('abc'))), 'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319');
    assert.notEqual(hex(blake2b(new Uint8Array(0), new Uint8Array(128))), hex(blake2b(new Uint8Array(0), new Uint8Array(129))));
});

for (const [index, session] of vectors.v2.entries())
    test(`session ${index}: keys, proof and frames, byte for byte`, () => {
        const keys = derive({
            key: bytes(session.key),
            ownSecret: bytes(session.phoneSecret),
            theirPublic: bytes(session.computerPublic),
            computerPublic: bytes(session.computerPublic),
            keyInit: session.keyInit,
        });
        for (const name of ['psk', 'th', 'prk', 'p2c', 'c2p', 'deviceKey']) assert.equal(hex(keys[name]), session[name], name);
        assert.equal(toBase64(keys.proof), JSON.parse(session.keyExchange).proof);
        for (const frame of session.frames.filter((f) => f.kind === 1)) {
            assert.equal(hex(seal(keys[frame.way], frame.counter, 1, Buffer.from(frame.body))), frame.frame);
            assert.equal(Buffer.from(open(keys[frame.way], frame.counter, bytes(frame.frame)).body).toString(), frame.body);
        }
    });

/* ---- with the server ---- */

async function phone2(s, options = {}) {
    const pairing = await s.pair();
    const app = new App({ host: '127.0.0.1', port: s.server.port, secret: pairing.secret, deviceId: 'Pixel 9', ...options });
    return new Phone2(pairing, app);
}

const device = async (s, phone) => (await s.json(['devices'])).find((d) => d.id === phone.pairing.device);

scenario('two sessions of the two generations, in one round each; then the code is worth nothing', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const code = phone.key;
    await s.add(s.text('bread'));
    phone.app.add('lists', 0, s.text('milk'));
    assert.equal(await phone.sync(), 'confirmed');
    assert.deepEqual(phone.messages.map((m) => m.type), ['state_sync', 'sync_confirm'], 'one round');
    assert.equal(phone.gen, 1);
    assert.deepEqual(texts(await s.export()), texts(phone.app.state()));
    assert.equal((await device(s, phone)).protocol, 2);

    // A phone that lost its power before it kept the device key begins anew, under the code.
    const kept = { key: phone.key, gen: phone.gen };
    Object.assign(phone, { key: code, gen: 0 });
    assert.equal(await phone.sync(), 'confirmed');
    assert.notDeepEqual(phone.key, kept.key);
    const stale = new Phone2(phone.pairing, phone.app, kept);
    assert.equal(await stale.sync(), 'refused', 'the newer device key has taken its place');

    phone.app.add('lists', 1, s.text('salt'));
    assert.equal(await phone.sync(), 'confirmed');
    assert.equal(itemWith(await s.export(), s.text('salt')).text, s.text('salt'));
    const photographer = new Phone2(phone.pairing, phone.app, { key: code, gen: 0 });
    assert.equal(await photographer.sync(), 'refused');
    assert.equal(await phone.sync(), 'confirmed', 'and the phone is none the worse');
});

scenario('of two first sessions at once one is let in, and only its device key counts', async (s) => {
    await s.serve();
    const early = await phone2(s);
    const phone = new Phone2(early.pairing, early.app);
    assert.equal(await early.connect({ greet: false }), 'open');
    assert.equal(await phone.sync(), 'confirmed');
    early.send({ type: 'handshake', deviceId: 'Pixel 9', lastSyncTimestamp: 0, now: Date.now() });
    assert.equal((await early.until(() => false)).code, 1001);
    assert.equal(early.gen, 0, 'it has heard no frame');
    assert.equal(await phone.sync(), 'confirmed');
    // Nor is one that asked for its keys before the device was revoked.
    assert.equal(await early.connect({ greet: false, keyInit: undefined }), 'refused');
    assert.equal(await phone.connect({ greet: false }), 'open');
    await s.cli(['devices', 'revoke', phone.pairing.device]);
    phone.send({ type: 'handshake', deviceId: 'Pixel 9', lastSyncTimestamp: 0, now: Date.now() });
    assert.equal((await phone.until(() => false)).code, 1001);
    assert.equal(await phone.connect(), 'refused');
});

scenario('nothing but public keys crosses in the clear', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    phone.app.add('lists', 0, s.text('a word that is nowhere'));
    assert.equal(await phone.sync(), 'confirmed');
    const [exchange, ...rest] = phone.frames;
    assert.deepEqual(Object.keys(JSON.parse(exchange.data)).sort(), ['proof', 'publicKey', 'type', 'v']);
    assert.ok(rest.length >= 5);
    for (const frame of rest) {
        assert.ok(frame.binary);
        assert.ok(!frame.data.includes('a word'));
    }
});

scenario('an unknown device, a revoked one and a wrong key look alike', async (s) => {
    await s.serve();
    const known = await phone2(s);
    const revoked = await phone2(s);
    await s.cli(['devices', 'revoke', revoked.pairing.device]);
    const unknown = await phone2(s);
    unknown.pairing.device = 'abcdefgh';
    const used = await phone2(s);
    assert.equal(await used.sync(), 'confirmed');
    assert.equal(await used.sync(), 'confirmed');
    const cases = { 'wrong key': known, revoked, unknown, 'a generation too early': known, 'a generation that is over': used };
    // Each from an address of its own, and all at once: every first wrong key waits for a second (protocol §2).
    const look = async ([name, phone], i) => {
        const stranger = new Phone2(phone.pairing, phone.app, { key: nacl.randomBytes(32), gen: name.endsWith('early') ? 1 : 0 });
        assert.equal(await stranger.connect(), 'refused', name);
        assert.equal(Buffer.from(stranger.exchange.proof, 'base64').length, 32);
        const shape = stranger.frames[0].data.toString().replace(/"[A-Za-z0-9+/]{43}="/g, '"…"');
        // And one that goes on regardless, with a frame that cannot open.
        const { code, reason, took } = await boldly(stranger, `127.0.0.${10 + i}`);
        assert.ok(took >= 1000, `${name}: ${took} ms`);
        return JSON.stringify([shape, stranger.frames[0].data.length, code, reason]);
    };
    const seen = await Promise.all(Object.entries(cases).map(look));
    assert.equal(new Set(seen).size, 1, JSON.stringify(seen, null, 1));
    assert.match(seen[0], /4004,"a frame that does not open"/);
    const told = s.server.stderr.match(/wrong pairing secret.*/g);
    assert.equal(told.length, 5);
    for (const line of told) assert.match(line, /protocol=2.*in_a_row=1 .*answered_in_ms=1000/);
});

scenario('wrong keys are slowed down and told as wrong secrets are, and hold up nobody', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const strangers = [1000, 2000, 4000, 8000, 8000].map(() => new Phone2({ ...phone.pairing, device: 'abcdefgh' }, phone.app, { gen: 0 }));
    const ends = [];
    for (const [i, stranger] of strangers.entries()) {
        ends.push(boldly(stranger, '127.0.0.77'));
        await s.eventually('it is judged', () => s.server.stderr.match(/wrong pairing secret/g)?.length === i + 1);
    }
    assert.deepEqual(s.server.stderr.match(/answered_in_ms=\d+/g).map((word) => Number(word.split('=')[1])), [1000, 2000, 4000, 8000, 8000]);
    await s.server.says(/somebody tries secret after secret.*in_a_row=5/);
    assert.match((await http(s.server.port, { path: '/metrics' })).body, /^trivet_wrong_secrets_total 5$/m);
    assert.equal(await phone.sync(), 'confirmed', 'from another address');
    phone.from = '127.0.0.77';
    assert.equal(await phone.sync(), 'confirmed', 'and from that');
    const [first, second] = await Promise.all(ends.slice(0, 2));
    assert.deepEqual([first.code, second.code], [4004, 4004]);
    assert.ok(second.took >= 2000, `${second.took} ms`);
});

scenario('a wrong key hears 4004 though its delay outlasts the time for a handshake, and also when another takes its place', async (s) => {
    await s.serve({ env: { TRIVET_HANDSHAKE_TIMEOUT: '300ms', TRIVET_PEERS_PER_ADDRESS: '1' } });
    const phone = await phone2(s), ends = [];
    for (let i = 1; i <= 2; i++) {
        ends.push(boldly(phone, '127.0.0.78'));
        await s.eventually('it is judged', () => s.server.stderr.match(/wrong pairing secret/g)?.length === i);
    }
    const [first, second] = await Promise.all(ends);
    assert.deepEqual([first.code, second.code, first.reason], [4004, 4004, second.reason]);
    assert.ok(first.took < second.took && second.took >= 2000, `${first.took} and ${second.took} ms`);
});

/* Sends a frame, and much else, under keys that the computer does not have. */
async function boldly(phone, localAddress) {
    const socket = new WebSocket(`ws://127.0.0.1:${phone.pairing.port}/`, { localAddress });
    const keyInit = JSON.stringify({ type: 'key_init', publicKey: toBase64(nacl.box.keyPair().publicKey), v: 2, device: phone.pairing.device, gen: phone.gen });
    return new Promise((resolve) => {
        let sent;
        socket.on('open', () => socket.send(keyInit));
        socket.on('message', () => {
            sent = performance.now();
            socket.send(Buffer.alloc(100, 7));
            socket.send('nothing of this makes it end sooner');
        });
        socket.on('error', () => {});
        socket.on('close', (code, reason) => resolve({ code, reason: String(reason), took: performance.now() - sent }));
    });
}

scenario('whoever has spoken version 2 is never again let in with version 1', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    assert.equal(await phone.sync(), 'confirmed');
    const end = await phone.app.sync();
    assert.equal(end.kind, 'closed');
    assert.equal(end.code, 4003);
    // The other way round the code's key is gone with the first success of version 1.
    const old = await phone2(s);
    await s.confirmed(old.app);
    assert.equal(await old.sync(), 'refused');
    await s.confirmed(old.app);
});

scenario('v1 = deny', async (s) => {
    await s.serve({ env: { TRIVET_V1: 'deny' } });
    const phone = await phone2(s);
    const end = await phone.app.sync();
    assert.equal(end.code, 4003);
    assert.equal(await phone.sync(), 'confirmed');
});

scenario('a frame that is replayed, skipped, damaged, of another kind or text ends the connection, and nothing else', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    assert.equal(await phone.sync(), 'confirmed');
    const wrongs = {
        replayed: (p) => p.socket.send(p.send({ type: 'heartbeat' })),
        skipped: (p) => {
            p.sent++;
            p.send({ type: 'heartbeat' });
        },
        damaged: (p) => {
            const frame = seal(p.keys.p2c, p.sent++, 1, Buffer.from('{"type":"heartbeat"}'));
            frame[20] ^= 1;
            p.socket.send(frame);
        },
        'of kind 3': (p) => p.sendFrame(3, Buffer.from('{}')),
        'a short chunk': (p) => p.sendFrame(2, Buffer.alloc(11)),
        'a text': (p) => p.socket.send('{"type":"heartbeat"}'),
        empty: (p) => p.socket.send(Buffer.alloc(0)),
        reflected: (p) => p.socket.send(p.frames.filter((f) => f.way === 'in' && f.binary).pop()?.data ?? Buffer.alloc(40)),
    };
    for (const [name, wrong] of Object.entries(wrongs)) {
        assert.equal(await phone.connect(), 'open', name);
        phone.send({ type: 'heartbeat' });
        await phone.until(() => phone.of('heartbeat').length > 0);
        wrong(phone);
        const end = await phone.until(() => false);
        assert.equal(end.code, 4004, name);
    }
    assert.equal(await phone.sync(), 'confirmed');
});

scenario('a connection is replaced by one that has proved itself, and by no other', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    assert.equal(await phone.sync({ stay: true }), 'confirmed');
    const stranger = new Phone2(phone.pairing, phone.app, { key: nacl.randomBytes(32), gen: 1 });
    assert.equal(await stranger.connect(), 'refused');
    phone.send({ type: 'heartbeat' });
    await phone.until(() => phone.of('heartbeat').length > 0);
    const second = new Phone2(phone.pairing, phone.app, { key: phone.key, gen: 1 });
    assert.equal(await second.connect(), 'open');
    const end = await phone.until(() => false);
    assert.equal(end.code, 4009);
    await second.close();
});

scenario('a lost confirm, a confirm without its ack: the next sync ends right and asks nothing', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    await s.add(s.text('bread'));
    phone.app.add('lists', 0, s.text('milk'));
    phone.hooks.ignoresConfirm = true;
    assert.equal(await phone.sync(), 'confirmed');
    phone.hooks = { forgetsAck: true };
    phone.app.add('lists', 0, s.text('salt'));
    assert.equal(await phone.sync(), 'confirmed');
    phone.hooks = {};
    assert.equal(await phone.sync(), 'confirmed');
    assert.deepEqual(texts(await s.export()), texts(phone.app.state()));
    assert.deepEqual(texts(await s.export()).lists[0].sort(), [s.text('bread'), s.text('milk'), s.text('salt')].sort());
});

scenario("a question is answered by the phone's user; the first answer counts, and a stale one is told so", async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const item = phone.app.add('lists', 0, s.text('ash'));
    assert.equal(await phone.sync(), 'confirmed');
    for (const side of ['phone', 'computer']) {
        await s.edit(item.id, s.text(`ash, computer ${side}`));
        const theirs = itemWith(await s.export(), s.text(`ash, computer ${side}`));
        const mine = phone.app.find(item.id).item;
        Object.assign(mine, { text: s.text(`ash, phone ${side}`), updatedAt: theirs.updatedAt });
        s.planted.add(mine.text);
        assert.equal(await phone.connect(), 'open');
        phone.send({ type: 'sync_request' });
        await phone.until(() => phone.of('conflict').length > 0);
        const [conflict] = phone.of('conflict');
        assert.equal(conflict.ties.length, 1);
        assert.ok(conflict.remaining > 0);
        assert.equal((await s.pending())[0].id, conflict.id);
        phone.send({ type: 'resolve', id: conflict.id + 1, picks: [] });
        await phone.until(() => phone.of('error').length > 0);
        assert.deepEqual([phone.of('error')[0].code, phone.of('error')[0].path], ['stale', 'id']);
        const { section, slot, itemId, field } = conflict.ties[0];
        phone.send({ type: 'resolve', id: conflict.id, picks: [{ section, slot, itemId, field: 'no such', pick: side }] });
        await phone.until(() => phone.of('error').length > 1);
        assert.equal(phone.of('error')[1].path, 'picks');
        phone.send({ type: 'resolve', id: conflict.id, picks: [{ section, slot, itemId, field, pick: side }] });
        await phone.until(() => phone.of('sync_confirm').length > 0);
        phone.send({ type: 'resolve', id: conflict.id, picks: [{ section, slot, itemId, field, pick: side }] });
        await phone.until(() => phone.of('error').length > 2);
        assert.equal(phone.of('error')[2].code, 'stale');
        await phone.close();
        assert.ok(itemWith(await s.export(), s.text(`ash, ${side} ${side}`)));
        assert.deepEqual(texts(await s.export()), texts(phone.app.state()));
        assert.deepEqual(await s.pending(), []);
    }
});

scenario('what is refused is told, and a phone is no console', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    assert.equal(await phone.sync({ stay: true }), 'confirmed');
    const told = async (message) => {
        const before = phone.of('error').length;
        phone.send(message);
        await phone.until(() => phone.of('error').length > before);
        const { code, path: at, message: why } = phone.of('error').pop();
        assert.ok(why.length > 0);
        return [code, at];
    };
    assert.deepEqual(await told({ type: 'control', do: 'status' }), ['refused', 'type']);
    assert.deepEqual(await told({ type: 'debug_log', lines: [1] }), ['refused', 'lines[0]']);
    assert.deepEqual(await told({ type: 'state_sync', since: 'x' }), ['refused', 'since']);
    assert.deepEqual(await told({ type: 'of tomorrow' }), ['unknown', 'type']);
    assert.deepEqual(await told({ type: 'sync_ack', since: 5 }).then(([code]) => code), 'stale');
    await phone.close();
});

scenario("a phone's clock that is wrong by an hour does not win", async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const item = phone.app.add('lists', 0, s.text('ash'));
    assert.equal(await phone.sync(), 'confirmed');
    const hour = 3600000;
    phone.clockOff = hour;
    Object.assign(phone.app.find(item.id).item, { text: s.text('ash, phone'), updatedAt: Date.now() + hour });
    s.planted.add(s.text('ash, phone'));
    await sleep(20);
    await s.edit(item.id, s.text('ash, computer, later'));
    assert.equal(await phone.sync(), 'confirmed');
    assert.ok(itemWith(await s.export(), s.text('ash, computer, later')));
    assert.deepEqual(texts(await s.export()), texts(phone.app.state()));
});

scenario('a clock that is off by less than 5 s is taken as it is', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const item = phone.app.add('lists', 0, s.text('ash'));
    assert.equal(await phone.sync(), 'confirmed');
    phone.clockOff = 3000;
    Object.assign(phone.app.find(item.id).item, { text: s.text('ash, phone'), updatedAt: Date.now() + 3000 });
    s.planted.add(s.text('ash, phone'));
    await s.edit(item.id, s.text('ash, computer, later'));
    assert.equal(await phone.sync(), 'confirmed');
    assert.ok(itemWith(await s.export(), s.text('ash, phone')));
});

scenario('trivet phone: version 2 by itself, the device key kept, --v1 only when told, nothing taken back', async (s) => {
    await s.serve();
    const pairing = await s.pair();
    const folder = s.file('p');
    const run = (args, options) => s.run(['phone', '--state', folder, ...args], options);
    const kept = () => JSON.parse(fs.readFileSync(path.join(folder, 'pairing.json'), 'utf8'));
    await run(['init', '--pairing', '-'], { input: JSON.stringify(pairing) });
    assert.equal(kept().gen, undefined);
    await run(['sync']);
    assert.equal(kept().gen, 1);
    assert.notEqual(kept().k, pairing.k);
    s.planted.add(kept().k);
    await run(['sync']);
    assert.equal((await s.json(['devices'])).find((d) => d.id === pairing.device).protocol, 2);
    const back = await run(['sync', '--v1'], { expect: null });
    assert.equal(back.status, 76, back.stderr);
    await run(['sync']);

    const other = await s.pair();
    const second = (args, options) => s.run(['phone', '--state', s.file('q'), ...args], options);
    await second(['init', '--pairing', '-'], { input: JSON.stringify(other) });
    await second(['sync', '--v1']);
    await second(['sync']);
    assert.equal((await s.json(['devices'])).find((d) => d.id === other.device).protocol, 1);

    await s.cli(['devices', 'revoke', pairing.device]);
    const revoked = await run(['sync'], { expect: null });
    assert.equal(revoked.status, 77);
    assert.match(revoked.stderr, /could not prove/);
});

scenario('trivet pair --v2: a code without a secret, which version 1 is of no use with', async (s) => {
    await s.serve();
    const { stdout } = await s.cli(['pair', '--v2']);
    assert.match(stdout, /Scan this with the phone:[\s\S]*device {4}[0-9a-f]{8}, version 2/);
    assert.doesNotMatch(stdout, /secret/);
    const pairing = await s.json(['pair', '--v2', '--name', 'tablet']);
    s.planted.add(pairing.k);
    assert.deepEqual(Object.keys(pairing).sort(), ['device', 'ip', 'k', 'name', 'port', 'v']);
    const run = (args, options) => s.run(['phone', '--state', s.file('p'), ...args], options);
    await run(['init', '--pairing', '-'], { input: JSON.stringify({ ...pairing, ip: '127.0.0.1', port: s.server.port }) });
    await run(['add', s.text('milk')]);
    assert.match((await run(['sync', '--v1'], { expect: 64 })).stderr, /version 2 of the protocol alone/);
    assert.match((await run(['sync', '--discover'], { expect: 77 })).stderr, /leave --discover out/);
    for (const secret of ['', '00000000-0000-4000-8000-000000000000']) {
        const old = new App({ host: '127.0.0.1', port: s.server.port, secret });
        assert.equal((await old.sync()).code, 4001);
    }
    await run(['sync']);
    await run(['sync']);
    assert.ok(itemWith(await s.export(), s.text('milk')));
    assert.equal((await s.json(['devices'])).find((d) => d.id === pairing.device).protocol, 2);
});

scenario("trivet phone answers questions over version 2: a tie with --pick, a large change with --use", async (s) => {
    await s.serve();
    const pairing = await s.pair();
    const file = s.file('p/phone.json');
    const run = (args, options) => s.run(['phone', '--state', s.file('p'), ...args], options);
    await run(['init', '--pairing', '-'], { input: JSON.stringify({ ...pairing, ip: '127.0.0.1', port: s.server.port }) });
    const empty = fs.readFileSync(file);
    const ids = [];
    for (let i = 0; i < 12; i++) ids.push((await s.add(s.text(`item ${i}`))).id);
    await run(['sync']);
    for (const side of ['phone', 'computer']) {
        await s.edit(ids[0], s.text(`of the computer, ${side}`));
        const { updatedAt } = itemWith(await s.export(), s.text(`of the computer, ${side}`));
        const kept = JSON.parse(fs.readFileSync(file));
        const item = kept.state.lists.flat().find((candidate) => candidate.id === ids[0]);
        Object.assign(item, { text: s.text(`of the phone, ${side}`), updatedAt });
        fs.writeFileSync(file, JSON.stringify(kept));
        await run(['sync', '--pick', side]);
        assert.ok(itemWith(await s.export(), s.text(`of the ${side}, ${side}`)), side);
        assert.deepEqual(texts(JSON.parse((await run(['export'])).stdout)), texts(await s.export()));
    }
    for (const [use, left] of [['both', 12], ['computer', 12], ['phone', 0]]) {
        await run(['sync']); // or a phone with nothing is what it was before (merge §10)
        fs.writeFileSync(file, empty); // wiped
        await run(['sync', '--use', use]);
        assert.equal(texts(await s.export()).lists.flat().length, left, use);
        assert.deepEqual(texts(JSON.parse((await run(['export'])).stdout)), texts(await s.export()), use);
    }
    assert.deepEqual(await s.pending(), []);
    assert.equal(s.server.stderr.match(/event=question_answered/g).length, 5);
});

test('the transcript of version 1 in proto/README.md is that session, byte for byte', () => {
    const readme = fs.readFileSync(path.join(ROOT, 'proto/README.md'), 'utf8').replace(/\s+/g, '');
    const [session] = vectors.v1;
    const said = session.envelopes.slice(0, 2).flatMap((envelope) => [envelope.plaintext, envelope.nonce, envelope.text]);
    let at = readme.indexOf('Asessionofversion1,byteforbyte');
    assert.ok(at > 0);
    for (const part of [session.phoneSecret, session.computerSecret, session.keyInit, session.keyExchange, session.sharedKey, ...said]) {
        const next = readme.indexOf(part.replace(/\s+/g, ''), at);
        assert.ok(next >= at, `${part} is not there, or not in its place`);
        at = next + part.replace(/\s+/g, '').length;
    }
});

test('the transcript in proto/README.md is that session, byte for byte', () => {
    const readme = fs.readFileSync(path.join(ROOT, 'proto/README.md'), 'utf8').replace(/\s+/g, '');
    const [session] = vectors.v2;
    const [handshake, heartbeat] = session.frames;
    const parts = ['phoneSecret', 'computerSecret', 'keyInit', 'psk', 'th', 'dh', 'prk', 'p2c', 'c2p', 'deviceKey', 'keyExchange'].map((name) => session[name]);
    let at = readme.indexOf('Asession,byteforbyte');
    assert.ok(at > 0);
    for (const part of [session.key, ...parts, handshake.body, handshake.frame, heartbeat.body, heartbeat.frame]) {
        const next = readme.indexOf(part.replace(/\s+/g, ''), at);
        assert.ok(next >= at, `${part} is not there, or not in its place`);
        at = next + part.replace(/\s+/g, '').length;
    }
});
