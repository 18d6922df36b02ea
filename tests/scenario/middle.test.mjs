/*
 * Somebody between phone and computer (protocol §2, §7), on both versions, at each message: what comes of it stands in
 * proto/README.md, in two tables, and each cell of these is tried here, with the real program at both ends.
 *
 * Whatever he does, in version 2: he reads nothing, what is synced is what the two wrote, and the next sync without him ends
 * right, with the same pairing (a third of the cells, and all with TRIVET_THOROUGH). In version 1 that holds as long as he only meddles; that he can do more is a test as well.
 */
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assert, itemWith, ROOT, scenario, texts } from './harness.mjs';
import { App, fromBase64, nacl, openEnvelope, sealEnvelope, toBase64, WebSocket } from './app.mjs';
import { between } from './middle.mjs';
import { derive, open, Phone2, seal } from './version2.mjs';

const EVERY = process.env.TRIVET_THOROUGH ? 1 : 3;
const HOW = ['altered', 'truncated', 'dropped', 'replayed', 'reordered', 'reflected', 'downgraded'];

/* The order in which the messages of a sync cross, by version; the second row of a name is the second of its kind. */
const MESSAGES = {
    1: {
        up: ['key_init', 'handshake', 'sync_request', 'jot_manifest', 'state_sync', 'state_sync, 2nd'],
        down: ['key_exchange', 'state_sync', 'state_sync, 2nd', 'sync_confirm'],
    },
    2: {
        up: ['key_init', 'handshake', 'sync_request', 'jot_manifest', 'state_sync', 'sync_ack'],
        down: ['key_exchange', 'state_sync', 'sync_confirm'],
    },
};

/* { 'up key_init': { altered: '4004 P', … }, … } of a version, from the table under its heading. */
function table(version) {
    const readme = fs.readFileSync(path.join(ROOT, 'proto/README.md'), 'utf8');
    const from = readme.indexOf(`Version ${version}, meddled with:`);
    assert.ok(from > 0, `no table of version ${version}`);
    const lines = readme.slice(from).split('\n').slice(2);
    const rows = lines.slice(0, lines.findIndex((line) => !line.startsWith('|'))).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
    const names = rows[0].slice(1);
    return Object.fromEntries(
        rows.slice(2).map(([message, ...cells]) => {
            const [way, name] = message.match(/^(P→C|C→P) `?([^`]*)`?(.*)$/).slice(1).reduce((all, part, i) => (i < 2 ? [...all, part] : [all[0], all[1] + part]), []);
            return [`${way === 'P→C' ? 'up' : 'down'} ${name}`, Object.fromEntries(cells.map((cell, i) => [names[i], cell]))];
        }),
    );
}

/* A phone in a folder whose way to the computer leads through a middle of its own. */
async function phoneBehind(s, name, version, { port, data } = { port: s.server.port, data: s.data }) {
    const middle = await between(s, port);
    const pairing = await s.json(['pair'], { data });
    s.planted.add(pairing.secret).add(pairing.k);
    const folder = s.file(`phone-${name}`);
    const run = (args, options) => s.run(['phone', '--state', folder, ...args], options);
    await run(['init', '--pairing', '-'], { input: JSON.stringify({ ...pairing, ip: '127.0.0.1', port: middle.port }) });
    await run(['add', s.text(name)]);
    const kept = () => {
        const { k, gen } = JSON.parse(fs.readFileSync(path.join(folder, 'pairing.json'), 'utf8'));
        s.planted.add(k);
        return { k, gen };
    };
    return {
        middle,
        pairing,
        kept,
        text: s.text(name),
        sync: (options) => run(['sync', ...(version === 1 ? ['--v1'] : [])], { expect: null, ...options }),
        export: async () => JSON.parse((await run(['export'])).stdout),
    };
}

const listed = (state) => texts(state).lists.flat();

/* One cell: what came of it, after a look at all that must hold whatever comes of it. */
async function cell(s, server, version, way, index, how) {
    const name = MESSAGES[version][way][index];
    const phone = await phoneBehind(s, `${version}-${way}-${index}-${how}`, version, server);
    phone.middle.meddle = { way, index, how };
    const { status } = await phone.sync();
    assert.ok(phone.middle.meddled, `${name} never came`);
    const outcome = status === 0 ? 'goes on' : await phone.middle.outcome();
    // Neither side has anything that nobody wrote.
    const known = (text) => text === s.text('bread') || text.endsWith(s.marker);
    assert.ok(listed(await phone.export()).every(known));
    // The next sync ends right, with the pairing as it was.
    phone.middle.meddle = null;
    const again = await phone.sync();
    assert.equal(again.status, 0, `${version} ${way} ${name} ${how}: the next sync ${again.stderr}`);
    if (version === 2) assert.equal(phone.kept().gen, 1);
    assert.ok(listed(await phone.export()).includes(s.text('bread')));
    // All that he could read.
    for (const secret of [s.marker, phone.pairing.secret, phone.pairing.k, 'pairingSecret']) assert.ok(!phone.middle.holds(secret), `he has read ${secret}`);
    return { outcome, text: phone.text };
}

const fits = (written, outcome) => written === outcome || (written === 'either 4004' && /^[CP] 4004$/.test(outcome));

for (const version of [1, 2])
    scenario(`version ${version}, meddled with: each outcome is the one in proto/README.md`, async (s) => {
        const written = table(version);
        const cells = Object.entries(MESSAGES[version]).flatMap(([way, names]) =>
            names.flatMap((name, index) => HOW.filter((how) => how !== 'downgraded' || (version === 2 && index === 0)).map((how) => ({ way, name, index, how }))),
        );
        assert.equal(Object.keys(written).length, MESSAGES[version].up.length + MESSAGES[version].down.length);
        const wrong = [], left = cells.filter((_, i) => i % EVERY === 0);
        // Servers of their own, so that no sync has to begin anew because of another.
        const work = async (_, i) => {
            const data = s.file(`c${i}`), synced = [];
            const { port } = await s.serve({ data });
            await s.cli(['add', s.text('bread')], { data });
            for (let next; (next = left.shift()); ) {
                const { way, name, index, how } = next;
                const expected = written[`${way} ${name}`]?.[how];
                const { outcome, text } = await cell(s, { port, data }, version, way, index, how);
                synced.push(text);
                if (!fits(expected, outcome)) wrong.push(`${way} ${name}, ${how}: ${outcome}, and not ${expected}`);
            }
            // What every phone wrote has come, unchanged and once.
            const all = listed(await s.export({ data }));
            assert.deepEqual(all.filter((text) => text !== s.text('bread')).sort(), synced.sort());
        };
        const stop = (error) => {
            left.length = 0;
            throw error;
        };
        const done = await Promise.allSettled(Array.from({ length: 8 }, (...args) => work(...args).catch(stop)));
        for (const { reason } of done) if (reason) throw reason;
        assert.deepEqual(wrong, []);
    });

/* ---- one with keys of his own ---------------------------------------------------------------------------- */

/* Computer to the phone, and phone to the computer: two channels, between which he changes what he likes. */
async function impostor(s, { version, change }) {
    const learnt = { secret: null, texts: [], phone: [], computer: [] };
    const server = new WebSocket.Server({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    s.later(() => server.close());
    server.on('connection', (phone) => {
        const pair = nacl.box.keyPair();
        const computer = new WebSocket(`ws://127.0.0.1:${s.server.port}/`);
        let toPhone, toComputer, sent = 0n;
        const pass = (way, plain) => {
            learnt.texts.push(plain);
            const message = JSON.parse(plain);
            if (message.pairingSecret) learnt.secret = message.pairingSecret;
            return change ? change(way, plain) : plain;
        };
        phone.on('message', (data, binary) => {
            learnt.phone.push(Buffer.from(data));
            if (!toPhone) {
                const init = JSON.parse(data);
                toPhone = version === 1 ? nacl.box.before(fromBase64(init.publicKey), pair.secretKey) : new Uint8Array(32);
                const begin = () => computer.send(JSON.stringify({ ...init, publicKey: toBase64(pair.publicKey) }));
                if (computer.readyState === WebSocket.OPEN) begin();
                else computer.once('open', begin);
                // In version 2 a proof is asked for, too; this is the best that he can do.
                const proof = version === 2 ? { v: 2, proof: toBase64(nacl.randomBytes(32)) } : {};
                if (version === 1) phone.send(JSON.stringify({ type: 'key_exchange', publicKey: toBase64(pair.publicKey) }));
                else computer.once('message', (answer) => phone.send(JSON.stringify({ ...JSON.parse(answer), ...proof, publicKey: toBase64(pair.publicKey) })));
                return;
            }
            const plain = version === 1 && !binary ? openEnvelope(data.toString(), toPhone) : null;
            if (plain === null) return;
            const go = () => (toComputer ? computer.send(sealEnvelope(pass('up', plain), toComputer)) : setTimeout(go, 5));
            go();
        });
        computer.on('message', (data, binary) => {
            learnt.computer.push(Buffer.from(data));
            if (!toComputer) {
                const theirs = fromBase64(JSON.parse(data).publicKey);
                toComputer = version === 1 ? nacl.box.before(theirs, pair.secretKey) : new Uint8Array(32);
                if (version === 2) computer.send(seal(nacl.randomBytes(32), sent++, 1, Buffer.from('{"type":"handshake","deviceId":"x","lastSyncTimestamp":0,"now":1}')));
            } else if (version === 1 && !binary) phone.send(sealEnvelope(pass('down', openEnvelope(data.toString(), toComputer)), toPhone));
        });
        phone.on('close', (code) => { learnt.phoneEnd = code; computer.close(1000); }).on('error', () => {});
        computer.on('close', (code, reason) => { learnt.computerEnd = code; phone.close(1000); }).on('error', () => {});
    });
    await new Promise((resolve) => server.once('listening', resolve));
    return { learnt, port: server.address().port };
}

scenario("version 1's hole: one with keys of his own reads all, learns the secret, changes what he likes, and is that phone from then on", async (s) => {
    await s.serve();
    await s.add('bread for both');
    const pairing = await s.pair();
    s.planted.clear(); // what he steals here is used, and shown
    const { learnt, port } = await impostor(s, { version: 1, change: (way, plain) => (way === 'up' ? plain.replaceAll('honey', 'hemlock') : plain) });
    const phone = await s.phone({ pairing: { ...pairing, ip: '127.0.0.1', port } });
    phone.port = port;
    phone.add('lists', 0, 'honey for tea');
    await phone.sync();
    await phone.disconnect();
    assert.equal(learnt.secret, pairing.secret, 'the secret');
    assert.ok(learnt.texts.some((text) => text.includes('bread for both')) && learnt.texts.some((text) => text.includes('honey for tea')), 'the lists');
    assert.ok(itemWith(await s.export(), 'hemlock for tea'), 'and nobody noticed');
    // Later, and from elsewhere.
    const thief = new App({ host: '127.0.0.1', port: s.server.port, secret: learnt.secret, deviceId: 'Pixel 9' });
    assert.equal((await thief.sync()).kind, 'confirmed');
    await thief.disconnect();
    assert.ok(itemWith(thief.state(), 'bread for both'));
    assert.doesNotMatch(s.server.stderr, /another phone uses/, 'not even by its name');
});

scenario('version 2: one with keys of his own learns nothing, changes nothing, and is told 4004 by both', async (s) => {
    await s.serve();
    await s.add(s.text('bread'));
    const before = JSON.stringify(await s.export());
    const pairing = await s.pair();
    const listing = JSON.stringify(await s.json(['devices']));
    const { learnt, port } = await impostor(s, { version: 2 });
    const run = (args, options) => s.run(['phone', '--state', s.file('p'), ...args], options);
    await run(['init', '--pairing', '-'], { input: JSON.stringify({ ...pairing, ip: '127.0.0.1', port }) });
    await run(['add', s.text('honey')]);
    const kept = fs.readFileSync(s.file('p/pairing.json'), 'utf8');
    const { status, stderr } = await run(['sync'], { expect: null });
    assert.equal(status, 77, stderr);
    assert.match(stderr, /could not prove/);
    await s.eventually('both have ended it', () => learnt.phoneEnd && learnt.computerEnd);
    assert.equal(learnt.phoneEnd, 4004);
    assert.equal(learnt.phone.length, 1, 'the key_init, and not another byte');
    assert.deepEqual(Object.keys(JSON.parse(learnt.phone[0])).sort(), ['device', 'gen', 'publicKey', 'type', 'v']);
    assert.equal(learnt.computer.length, 1, 'the key_exchange');
    assert.equal(JSON.stringify(await s.export()), before);
    assert.equal(JSON.stringify(await s.json(['devices'])), listing, 'also not that somebody came');
    assert.equal(fs.readFileSync(s.file('p/pairing.json'), 'utf8'), kept);
    // The secret of version 1, had he it from an earlier day, is worth nothing once the phone has spoken version 2.
    const honest = new Phone2(pairing, new App({ host: '127.0.0.1', port: s.server.port, secret: pairing.secret }));
    assert.equal(await honest.sync(), 'confirmed');
    const thief = new App({ host: '127.0.0.1', port: s.server.port, secret: pairing.secret });
    assert.equal((await thief.sync()).code, 4003);
});

/* ---- the opening, member by member ----------------------------------------------------------------------- */

scenario('version 2: whatever is changed in the opening, the phone says no more', async (s) => {
    await s.serve();
    const other = await s.pair();
    const zero = toBase64(new Uint8Array(32));
    const cases = {
        'another device': ['up', { device: other.device }],
        'an unknown device': ['up', { device: 'zzzzzzzz' }],
        'the other generation': ['up', { gen: 1 }],
        'a member more': ['up', { x: 1 }],
        'version 1 asked for': ['up', { v: 1 }],
        'version 3 asked for': ['up', { v: 3 }],
        'a phone key of zeros': ['up', { publicKey: zero }],
        'another proof': ['down', { proof: toBase64(nacl.randomBytes(32)) }],
        'no proof': ['down', { proof: undefined }],
        'version 1 answered': ['down', { v: 1 }],
        'no version answered': ['down', { v: undefined }],
        'a computer key of zeros': ['down', { publicKey: zero }],
        'another computer key': ['down', { publicKey: toBase64(nacl.box.keyPair().publicKey) }],
    };
    await Promise.all(
        Object.entries(cases).map(async ([what, [way, change]]) => {
            const phone = await phoneBehind(s, what.replaceAll(' ', '-'), 2);
            const before = phone.kept();
            phone.middle.meddle = { way, index: 0, how: 'changed', with: change };
            const { status } = await phone.sync();
            assert.ok([76, 77].includes(status), `${what}: ${status}`);
            assert.deepEqual(phone.middle.seen.filter((m) => m.way === 'up').length, 1, `${what}: it went on`);
            assert.deepEqual(phone.kept(), before, what);
            phone.middle.meddle = null;
            assert.equal((await phone.sync()).status, 0, what);
        }),
    );
});

scenario('version 2: no close code makes a phone forget its pairing or its version', async (s) => {
    await s.serve();
    const codes = [1000, 4001, 4002, 4003, 4004, 4009, 4010];
    await Promise.all(
        codes.flatMap((code) => [0, 1].map(async (index) => {
            const phone = await phoneBehind(s, `closed-${code}-${index}`, 2);
            const before = phone.kept();
            phone.middle.meddle = { way: 'down', index, how: 'closed', with: code };
            assert.notEqual((await phone.sync()).status, 0);
            assert.deepEqual(phone.kept(), before, `${code}`);
            phone.middle.seen = [];
            phone.middle.meddle = null;
            assert.equal((await phone.sync()).status, 0);
            assert.equal(JSON.parse(phone.middle.seen[0].data).v, 2, 'it asks for version 2 as before');
        })),
    );
});

scenario('version 2: what was recorded opens no other connection', async (s) => {
    await s.serve();
    const phone = await phoneBehind(s, 'recorded', 2);
    assert.equal((await phone.sync()).status, 0);
    const up = phone.middle.seen.filter((m) => m.way === 'up').map((m) => m.data);
    const ends = await Promise.all([up, [up[0], up[2]], [up[0], up[4], up[1]]].map((messages, i) => new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${s.server.port}/`, { localAddress: `127.4.0.${i + 1}` });
        const got = [];
        socket.on('open', () => socket.send(messages[0], { binary: false }));
        socket.on('message', (data) => {
            got.push(data);
            for (const frame of messages.slice(1)) socket.send(frame, { binary: true });
        });
        socket.on('close', (code) => resolve([code, got.length]));
    })));
    for (const end of ends) assert.deepEqual(end, [4004, 1]);
    assert.equal((await phone.sync()).status, 0);
});
