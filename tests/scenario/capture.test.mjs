/*
 * What a listener has of whole sessions of version 2 (protocol §7): the opening, a sync both ways, a jot with text, a drawing and a
 * photo, the end. Every byte that crossed is taken apart; in the clear are HTTP's heads, two public keys, the device's id, `v`, `gen` and the
 * proof, and nothing else.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { assert, scenario, sleep, texts } from './harness.mjs';
import { App } from './app.mjs';
import { open, Phone2 } from './version2.mjs';
import { readFrames, readHead, readMessages, readPcap, recorder } from './wire.mjs';

const CLIENT_HEADERS = new Set(['host', 'upgrade', 'connection', 'sec-websocket-key', 'sec-websocket-version', 'sec-websocket-extensions']);
const SERVER_HEADERS = new Set(['upgrade', 'connection', 'sec-websocket-accept']);
const BASE64_KEY = /^[A-Za-z0-9+/]{43}=$/;

/* Of one connection: all that is in the clear is looked at, the rest is returned: frames in binary, both ways. */
function takeApart({ up, down }, { device, gen }) {
    const request = readHead(up), response = readHead(down);
    assert.match(request.first, /^GET \/ HTTP\/1\.1$/);
    assert.match(response.first, /^HTTP\/1\.1 101 /);
    for (const name of Object.keys(request.headers)) assert.ok(CLIENT_HEADERS.has(name), name);
    for (const name of Object.keys(response.headers)) assert.ok(SERVER_HEADERS.has(name), name);
    assert.match(request.headers.host, /^127\.0\.0\.1:\d+$/);
    const controls = [];
    const [init, ...fromPhone] = readMessages(request.rest, controls);
    const [exchange, ...fromComputer] = readMessages(response.rest, controls);
    for (const frame of [...readFrames(request.rest), ...readFrames(response.rest)]) assert.equal(frame.reserved, 0);
    assert.ok(init.text && exchange.text);
    const asked = JSON.parse(init.data), answered = JSON.parse(exchange.data);
    assert.deepEqual(Object.keys(asked).sort(), ['device', 'gen', 'publicKey', 'type', 'v']);
    assert.deepEqual([asked.type, asked.v, asked.device, asked.gen], ['key_init', 2, device, gen]);
    assert.deepEqual(Object.keys(answered).sort(), ['proof', 'publicKey', 'type', 'v']);
    assert.deepEqual([answered.type, answered.v], ['key_exchange', 2]);
    for (const key of [asked.publicKey, answered.publicKey, answered.proof]) assert.match(key, BASE64_KEY);
    for (const { text, data } of [...fromPhone, ...fromComputer]) {
        assert.ok(!text, 'a text after the opening');
        assert.ok(data.length > 16, 'a frame without a tag');
    }
    // Pings are empty; a close has its code, and words that are the same for everybody.
    for (const { opcode, payload } of controls) {
        if (opcode === 8) assert.match(payload.subarray(2).toString(), /^(|The server is stopping|Replaced by a newer connection)$/);
        else assert.equal(payload.length, 0);
    }
    return { fromPhone: fromPhone.map((m) => m.data), fromComputer: fromComputer.map((m) => m.data), keys: [asked.publicKey, answered.publicKey] };
}

/* Not in any spelling that a machine would make of it by itself. */
function spellings(text) {
    const bytes = Buffer.from(text);
    const base64 = [0, 1, 2].map((shift) => Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64').slice(shift ? 4 : 0, -4));
    return [bytes, ...base64, bytes.toString('hex'), Buffer.from(text, 'utf16le')].filter((needle) => needle.length >= 6);
}

function expectUnread(streams, words) {
    for (const { up, down } of streams) {
        const clear = [up, down, readHead(up).rest, ...readMessages(readHead(up).rest).map((m) => m.data)];
        for (const word of words)
            for (const needle of spellings(word)) for (const bytes of clear) assert.ok(!bytes.includes(needle), `${JSON.stringify(word)} crossed in the clear`);
    }
}

/* Ciphertext has every byte equally often: chi-square over 256 values, of which 255 are expected and 400 are as good as impossible. */
function expectNoise(bytes) {
    const counts = new Float64Array(256);
    for (const byte of bytes) counts[byte]++;
    const mean = bytes.length / 256;
    const chi = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
    assert.ok(bytes.length > 20000 && chi < 400, `chi-square ${chi} of ${bytes.length} bytes`);
}

/* A phone of the program's own with all that it can have, through `port`; its first and its second session. */
async function sessions(s, port) {
    const pairing = await s.pair();
    const words = ['groceries', 'the wine cellar', 'ring the notary', 'a walk by the lake'].map((word) => s.text(word));
    const run = (args, options) => s.run(['phone', '--state', s.file('p'), ...args], options);
    await run(['init', '--name', 'Telephone of 1928', '--pairing', '-'], { input: JSON.stringify({ ...pairing, ip: '127.0.0.1', port }) });
    await run(['add', words[0]]);
    await s.add(words[1]);
    for (let i = 0; i < 200; i++) words.push(s.text(`item ${i} of the list`));
    fs.writeFileSync(s.file('many'), JSON.stringify({ lists: [words.slice(4).map((text, position) => ({ id: `i${position}`, position, text, updatedAt: 5 }))] }));
    await s.cli(['import', s.file('many')]);
    fs.writeFileSync(s.file('photo.jpg'), Buffer.from(words[3].repeat(40)));
    await run(['jot', 'add', '--text', words[2], '--image', s.file('photo.jpg'), '1']);
    await run(['sync', '--stay', '1']);
    await s.eventually('the jot has come', async () => (await s.json(['jots'])).length > 0);
    const first = JSON.parse(fs.readFileSync(s.file('p/pairing.json'), 'utf8'));
    await run(['sync']);
    return { pairing, words: [...words, 'Telephone of 1928', s.marker, pairing.secret, pairing.k, first.k, 'state_sync', 'handshake', 'lists', 'listsCategories', 'updatedAt'] };
}

scenario('two sessions of trivet phone, with a jot: nothing but public keys in the clear', async (s) => {
    await s.serve();
    const wire = await recorder(s, s.server.port);
    const { pairing, words } = await sessions(s, wire.port);
    await s.eventually('both have ended', () => wire.streams.length === 2);
    const streams = wire.streams.map(({ up, down }) => ({ up, down }));
    const parts = streams.map((stream, gen) => takeApart(stream, { device: pairing.device, gen }));
    expectUnread(streams, words);
    expectNoise(Buffer.concat(parts.flatMap(({ fromPhone, fromComputer }) => [...fromPhone, ...fromComputer])));
    assert.equal(new Set(parts.flatMap((part) => part.keys)).size, 4, 'each connection has keys of its own');
    // And the measure finds what it looks for: of version 1's handshake, this much is to be seen.
    assert.throws(() => expectUnread([{ up: Buffer.from(`GET / HTTP/1.1\r\n\r\n${words[0]}`), down: Buffer.from('HTTP/1.1 101 \r\n\r\n') }], words));
});

scenario('every byte after the opening belongs to a frame that opens', async (s) => {
    await s.serve();
    const wire = await recorder(s, s.server.port);
    const pairing = await s.pair();
    const phone = new Phone2({ ...pairing, port: wire.port }, new App({ host: '127.0.0.1', port: wire.port, secret: pairing.secret }));
    for (const gen of [0, 1]) {
        phone.app.add('lists', 0, s.text(`milk ${gen}`));
        assert.equal(await phone.sync(), 'confirmed');
        const { fromPhone, fromComputer } = takeApart(wire.streams[gen], { device: pairing.device, gen });
        const opened = (frames, key) => frames.map((frame, count) => JSON.parse(Buffer.from(open(key, count, new Uint8Array(frame)).body)).type);
        assert.deepEqual(opened(fromPhone, phone.keys.p2c), ['handshake', 'sync_request', 'state_sync', 'sync_ack']);
        assert.deepEqual(opened(fromComputer, phone.keys.c2p), ['state_sync', 'sync_confirm']);
    }
    assert.deepEqual(texts(await s.export()), texts(phone.app.state()));
});

const tcpdump = ['/usr/bin/tcpdump', '/usr/sbin/tcpdump'].find((file) => fs.existsSync(file));
const reason = !process.env.TRIVET_THOROUGH ? 'TRIVET_THOROUGH is not set' : process.getuid() !== 0 ? 'only root may capture packets' : !tcpdump ? 'tcpdump is not there' : null;

scenario(
    'the same as the network card sees it',
    async (s) => {
        await s.serve();
        const file = s.file('lo.pcap');
        const capture = spawn(tcpdump, ['-i', 'lo', '-U', '-s', '0', '-Z', 'root', '-w', file, 'ip and tcp port', String(s.server.port)], { stdio: ['ignore', 'ignore', 'pipe'] });
        s.later(() => capture.kill('SIGKILL'));
        await new Promise((resolve, reject) => {
            capture.stderr.on('data', (text) => /listening on/.test(text) && resolve());
            capture.on('exit', () => reject(new Error('tcpdump ended')));
        });
        const { pairing, words } = await sessions(s, s.server.port);
        await sleep(500);
        capture.removeAllListeners('exit');
        const ended = new Promise((resolve) => capture.once('exit', resolve));
        capture.kill('SIGINT');
        await ended;
        const streams = readPcap(fs.readFileSync(file), s.server.port);
        assert.equal(streams.length, 2);
        streams.forEach((stream, gen) => takeApart(stream, { device: pairing.device, gen }));
        expectUnread(streams, words);
    },
    { skip: reason },
);
