/*
 * Files in pieces (protocol §7), between the server, a phone that shares no code with it (version2.mjs), and `trivet phone`.
 */
import fs from 'node:fs';
import path from 'node:path';
import { createHash, randomBytes } from 'node:crypto';
import { assert, App, Process, SANITIZED, scenario, TRIVET } from './harness.mjs';
import { createHash256, Phone2 } from './version2.mjs';

const MIB = 1 << 20;
const PEAK_KB = 32 * 1024;
const THOROUGH = Boolean(process.env.TRIVET_THOROUGH); // make check-all: 2 GiB, and more kills

const jotFiles = async (s, jot = 1) => (await s.json(['jots'])).find((one) => one.jot === jot)?.files ?? [];
const inFolder = (s) => (fs.existsSync(path.join(s.data, 'jots')) ? fs.readdirSync(path.join(s.data, 'jots')) : []);
const stored = (s, count = 1, jot = 1) => s.eventually(`${count} files are stored`, async () => (await jotFiles(s, jot)).filter((f) => f.state === 'stored').length === count);
const contents = (s) => inFolder(s).filter((name) => /^[0-9a-f]{64}$/.test(name));
const partials = (s) => inFolder(s).filter((name) => name.startsWith('partial-'));
const here = (s) => partials(s).reduce((sum, name) => sum + fs.statSync(path.join(s.data, 'jots', name)).size, 0);
const peakOf = (pid) => Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

async function phone2(s) {
    const pairing = await s.pair();
    const phone = new Phone2(pairing, new App({ host: '127.0.0.1', port: s.server.port, secret: pairing.secret, deviceId: 'Pixel 9' }));
    s.later(() => {
        phone.socket?.terminate();
        assert.deepEqual(phone.violations, []);
    });
    return phone;
}

/* Connects, syncs, and stays with its jots. */
async function stays(s, phone) {
    phone.port = s.server.port;
    assert.equal(await phone.sync({ stay: true }), 'confirmed');
}

const give = (phone, files, jot = 1) => phone.app.setJot(jot, { files });

scenario('a file comes in pieces, large ones too, within the window', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const video = randomBytes(10 * MIB + 12345), note = Buffer.from('a note');
    give(phone, [{ id: 'v', bytes: video, fileName: 'film.mp4' }, { id: 'n', bytes: note }, { id: 'e', bytes: Buffer.alloc(0) }, { id: 'p', kind: 'image', bytes: randomBytes(3 * 65536) }]);
    await stays(s, phone);
    await stored(s, 4);
    assert.deepEqual(phone.requests.map((r) => [r.fileId, r.offset]), [['p', 0], ['v', 0], ['n', 0], ['e', 0]]);
    assert.equal(new Set(phone.requests.map((r) => r.transfer)).size, 4);
    assert.ok(phone.acks.length >= 10 && phone.acks.length <= 42, `${phone.acks.length} acks`);
    const names = contents(s);
    assert.ok(names.includes(createHash256(video).toString('hex')));
    assert.deepEqual(partials(s), []);
    await s.cli(['jots', 'get', '--all', '--to', s.file('out')]);
    assert.deepEqual(fs.readFileSync(path.join(s.file('out'), 'jot-1/film.mp4')), video);
    await s.cli(['fsck']);
});

scenario('a large file of trivet phone: whole, and neither end holds it in memory', async (s, t) => {
    await s.serve();
    const state = s.file('p'), code = JSON.stringify(await s.pair()), file = s.file('film.mp4');
    const size = THOROUGH ? 2048 : 64;
    const hash = createHash('blake2b512');
    const fd = fs.openSync(file, 'w');
    for (let i = 0; i < size; i++) {
        const block = randomBytes(MIB);
        hash.update(block);
        fs.writeSync(fd, block);
    }
    fs.closeSync(fd);
    await s.run(['phone', '--state', state, 'init', '--pairing', code]);
    // The peak of the child is the kernel's word: GNU time is not everywhere, and the process is gone when it is asked.
    const peak = async (args) => {
        const { stderr } = await s.run(['phone', '--state', state, ...args], { within: 600000, wrap: ['sh', '-c', '"$@" & p=$!; while kill -0 $p 2>/dev/null; do grep VmHWM /proc/$p/status >&2 2>/dev/null; sleep 0.05; done; wait $p', 'sh'] });
        return Math.max(...[...stderr.matchAll(/VmHWM:\s+(\d+)/g)].map((m) => Number(m[1])));
    };
    const adding = await peak(['jot', 'add', '--file', file, '1']);
    const sending = await peak(['sync']);
    await stored(s);
    const server = peakOf(s.server.child.pid);
    const got = createHash('blake2b512'), there = path.join(s.data, 'jots', contents(s)[0]);
    for await (const block of fs.createReadStream(there)) got.update(block);
    assert.equal(got.digest('hex'), hash.digest('hex'));
    t.diagnostic(`${size} MiB: adding ${adding}, sending ${sending}, server ${server} kB at their peak`);
    if (SANITIZED) return;
    assert.ok(adding > 0 && adding < PEAK_KB && sending > 0 && sending < PEAK_KB, `trivet phone: ${adding} and ${sending} kB`);
    assert.ok(server < PEAK_KB, `server: ${server} kB`);
}, { timeout: 900000 });

/* ---- cuts ------------------------------------------------------------------------------------------------ */

scenario('the connection is cut at random bytes: only the rest comes again', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const file = randomBytes(6 * MIB + 777);
    give(phone, [{ id: 'f', bytes: file }]);
    phone.pieceBytes = 0;
    let cuts = 0, lost = 0;
    while (cuts < 6) {
        let left = Math.floor(Math.random() * 0.9 * MIB);
        phone.hooks.piece = (piece, g) => {
            if ((left -= piece.bytes.length) > 0 || g.at + piece.bytes.length === g.bytes.length) return piece;
            // A part of a frame, and then nothing more.
            const socket = phone.socket._socket;
            socket.write(Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 29, 1, 2, 3, 4]), randomBytes(Math.floor(Math.random() * 60000))]), () => phone.socket.terminate());
            return null;
        };
        await stays(s, phone);
        await s.eventually('the cut', () => phone.end);
        cuts++;
        if (cuts % 3 === 2) {
            await s.kill9(); // and the computer's end now and then
            await s.serve();
        }
    }
    phone.hooks.piece = undefined;
    await stays(s, phone);
    await stored(s);
    const asked = phone.requests.map((r) => r.offset);
    assert.ok(asked.every((offset, i) => i === 0 || offset >= asked[i - 1]), asked.join());
    assert.ok(asked.at(-1) > 0, asked.join());
    // What was on its way when the connection was cut, less than a window each time, is all that came twice.
    const twice = phone.pieceBytes - file.length;
    assert.ok(twice >= 0 && twice <= cuts * MIB, `${twice} bytes came twice`);
    assert.deepEqual(contents(s), [createHash256(file).toString('hex')]);
    assert.deepEqual(partials(s), []);
});

scenario('the server is killed in the middle: what it has written is not sent again', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const file = randomBytes(4 * MIB);
    give(phone, [{ id: 'f', bytes: file }]);
    phone.hooks.piece = (piece, g) => (piece.offset < 3 * MIB || g.request.offset > 0 ? piece : null);
    await stays(s, phone);
    await s.eventually('three of four are here', () => here(s) === 3 * MIB);
    const [{ state, received }] = await jotFiles(s);
    assert.deepEqual([state, received], ['waiting', 3 * MIB]);
    assert.match((await s.cli(['jots'])).stdout, /3\.0 MiB of 4\.0 MiB/);
    await s.kill9();
    await s.cli(['fsck']);
    await s.serve();
    phone.pieceBytes = 0;
    await stays(s, phone);
    await stored(s);
    assert.equal(phone.pieceBytes, MIB);
    assert.deepEqual(contents(s), [createHash256(file).toString('hex')]);
    // Only the end was lost: nothing but the end is asked for.
    phone.hooks.end = () => null;
    const other = randomBytes(MIB);
    give(phone, [{ id: 'g', bytes: other }], 2);
    phone.sendManifest();
    await s.eventually('all of it is here', () => phone.giving.over && here(s) === MIB);
    phone.socket.terminate();
    phone.hooks.end = undefined;
    phone.pieceBytes = 0;
    await stays(s, phone);
    await stored(s, 1, 2);
    assert.equal(phone.pieceBytes, 0);
});

scenario('a beginning that is not the file any more: all of it comes again, once', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const file = randomBytes(2 * MIB);
    give(phone, [{ id: 'f', bytes: file }]);
    phone.hooks.piece = (piece, g) => (piece.offset < MIB || phone.requests.length > 1 ? piece : null);
    await stays(s, phone);
    await s.eventually('a half', () => here(s) === MIB);
    await s.server.stop('SIGTERM');
    // As a power cut may leave it: longer than what was written, by zeros.
    const [name] = partials(s);
    fs.writeSync(fs.openSync(path.join(s.data, 'jots', name), 'r+'), Buffer.alloc(4096), 0, 4096, MIB - 4096);
    await s.serve();
    await stays(s, phone);
    await stored(s);
    assert.deepEqual(phone.requests.map((r) => r.offset), [0, MIB, 0]);
    assert.deepEqual(contents(s), [createHash256(file).toString('hex')]);
});

scenario('what is half come goes with its jot, and at the start', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    give(phone, [{ id: 'f', bytes: randomBytes(2 * MIB) }]);
    phone.hooks.piece = (piece) => (piece.offset < MIB ? piece : null);
    await stays(s, phone);
    await s.eventually('a half', () => partials(s).length === 1);
    phone.app.storage.jots = [];
    phone.sendManifest();
    await s.eventually('it went', () => partials(s).length === 0);
    await phone.close();
    await s.server.stop('SIGTERM');
    fs.writeFileSync(path.join(s.data, 'jots/partial-77'), 'x');
    fs.writeFileSync(path.join(s.data, 'jots/partial-x'), 'not ours');
    await s.serve();
    assert.deepEqual(partials(s), ['partial-x']);
});

/* ---- hostile phones ---------------------------------------------------------------------------------------- */

const violations = {
    'the wrong transfer': (p) => ({ ...p, transfer: p.transfer + 1 }),
    'a transfer of the past': (p) => ({ ...p, transfer: p.transfer - 1 }),
    'the wrong offset': (p) => ({ ...p, offset: p.offset + 1 }),
    'an offset beyond all': (p) => ({ ...p, offset: 2 ** 53 }),
    'an empty piece': (p) => ({ ...p, bytes: Buffer.alloc(0) }),
    'too large a piece': (p) => ({ ...p, bytes: randomBytes(65537) }),
};
scenario('pieces out of turn end the connection with 4004, and nothing is stored', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    give(phone, [{ id: 'f', bytes: randomBytes(300000) }]);
    for (const [what, twist] of Object.entries(violations)) {
        phone.hooks.piece = twist;
        await stays(s, phone);
        await s.eventually(`the end after ${what}`, () => phone.end);
        assert.equal(phone.end.code, 4004, what);
    }
    // Beyond the window: while a sync runs there are no acks to keep up with.
    give(phone, [{ id: 'w', bytes: randomBytes(3 * MIB) }]);
    phone.hooks.piece = () => null;
    await stays(s, phone);
    await s.eventually('it is asked for', () => phone.giving?.request.fileId === 'w');
    phone.hooks.keepsQuiet = true;
    phone.send({ type: 'sync_request' });
    await s.eventually('the sync', () => phone.of('state_sync').length === 2);
    const { request, bytes } = phone.giving;
    for (let at = 0; at < MIB; at += 65536) phone.sendPiece(request.transfer, at, bytes.subarray(at, at + 65536));
    await s.eventually('a window is here', () => here(s) === MIB);
    assert.equal(phone.end, null);
    assert.deepEqual(phone.acks, []);
    phone.sendPiece(request.transfer, MIB, Buffer.from('x'));
    await s.eventually('the end', () => phone.end);
    assert.equal(phone.end.code, 4004);
    phone.hooks.keepsQuiet = false;
    // After the end, and a frame too short.
    for (const more of [(g) => phone.sendPiece(g.request.transfer, g.at, Buffer.from('more')), () => phone.sendFrame(2, randomBytes(11))]) {
        give(phone, [{ id: `after${phone.requests.length}`, bytes: Buffer.from('small') }]);
        phone.hooks.piece = undefined;
        phone.hooks.end = (message, g) => {
            phone.send(message);
            more(g);
            return null;
        };
        await stays(s, phone);
        await s.eventually('the end', () => phone.end);
        assert.equal(phone.end.code, 4004);
    }
    assert.ok(contents(s).length <= 2);
});

scenario('a wrong end, an error, more than was told: told, kept out, and asked for again with the next manifest', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const file = randomBytes(200000);
    const ends = {
        hash: (m) => ({ ...m, hash: Buffer.alloc(32).toString('base64') }),
        'no hash': ({ hash, ...m }) => m,
        'a bad hash': (m) => ({ ...m, hash: 'no base64!' }),
        size: (m) => ({ ...m, size: m.size + 1 }),
        error: (m) => ({ type: m.type, transfer: m.transfer, error: 'gone' }),
    };
    give(phone, [{ id: 'f', bytes: file }]);
    for (const [what, twist] of Object.entries(ends)) {
        phone.hooks.end = twist;
        await stays(s, phone);
        await s.eventually(what, async () => phone.giving?.over && (await jotFiles(s))[0]?.state === 'refused' && partials(s).length === 0);
        await phone.close();
        assert.equal(phone.end.code, 1000, what);
    }
    assert.deepEqual(contents(s), []);
    // Endless, and larger than it was said to be: given up at once, and the connection stays for the rest.
    phone.hooks.end = undefined;
    phone.app.storage.jots[0].files[0].size = 1000;
    phone.app.setJot(2, { files: [{ id: 'other', bytes: Buffer.from('fine') }] });
    await stays(s, phone);
    await stored(s, 1, 2);
    assert.ok(phone.of('error').some((e) => e.code === 'size' && e.path === 'transfer'));
    assert.equal((await jotFiles(s))[0].state, 'refused');
    assert.deepEqual(partials(s), []);
    // In the end it comes.
    phone.app.storage.jots[0].files[0].size = file.length;
    await phone.close();
    await stays(s, phone);
    await stored(s);
});

scenario('a photo without end is given up at the limit, and a silent phone after its time', async (s) => {
    await s.serve({ env: { TRIVET_JOT_FILE_MAX: '1MiB', TRIVET_JOT_FILE_TIMEOUT: '300ms' } });
    const phone = await phone2(s);
    give(phone, [{ id: 'big', kind: 'image', bytes: randomBytes(3 * MIB) }, { id: 'silent', kind: 'image', bytes: randomBytes(100000) }, { id: 'z', kind: 'image', bytes: Buffer.from('z') }]);
    phone.hooks.piece = (piece, g) => (g.request.fileId === 'silent' && piece.offset > 0 ? ((g.over = true), null) : piece);
    phone.hooks.acked = (ack, g) => g.request.fileId === 'big' && g.at >= 2 * MIB && (g.over = true);
    await stays(s, phone);
    await stored(s);
    const states = Object.fromEntries((await jotFiles(s)).map((f) => [f.id, f.state]));
    assert.deepEqual(states, { big: 'refused', silent: 'refused', z: 'stored' });
    // What the silent one gave is not sent again.
    phone.hooks.piece = undefined;
    await phone.close();
    await stays(s, phone);
    await stored(s, 2);
    assert.equal(phone.requests.filter((r) => r.fileId === 'silent').at(-1).offset, 65536);
});

scenario('a sync in the middle of a file has the line to itself, and the file goes on after it', async (s) => {
    await s.serve();
    const phone = await phone2(s);
    const file = randomBytes(4 * MIB);
    give(phone, [{ id: 'f', bytes: file }]);
    let once = true;
    phone.hooks.acked = () => {
        if (!once) return;
        once = false;
        phone.app.add('lists', 0, s.text('milk'));
        phone.send({ type: 'sync_request' });
    };
    await stays(s, phone);
    await stored(s);
    assert.equal(phone.of('sync_confirm').length, 2);
    assert.equal(phone.requests.length, 1);
    const types = phone.messages.map((m) => m.type), from = types.lastIndexOf('state_sync');
    assert.deepEqual(types.slice(from, types.lastIndexOf('sync_confirm')).filter((t) => t === 'file_ack'), []);
});

scenario('a full disk: told, given back, and the file comes when there is room', async (s) => {
    await s.serve({ wrap: ['prlimit', '--fsize=1500000'] }); // says the same as a full disk
    const phone = await phone2(s);
    give(phone, [{ id: 'f', kind: 'image', bytes: randomBytes(2 * MIB) }, { id: 'g', kind: 'image', bytes: Buffer.from('g') }]);
    await stays(s, phone);
    await s.eventually('the word', () => phone.of('error').some((e) => e.code === 'full'));
    await s.eventually('the space is given back', () => partials(s).length === 0);
    await s.eventually('it is known here, too', async () => (await jotFiles(s))[0].state === 'refused'); // recorded beside the deletion
    phone.app.add('lists', 0, s.text('milk'));
    await phone.close();
    await s.restart();
    await stays(s, phone);
    await stored(s, 2);
});

scenario('with trivet phone: cut at random by kills of both ends, a file that changes, one that shrinks', async (s) => {
    const settled = { env: { TRIVET_ANSWER_TIMEOUT: '2s' } };
    await s.serve(settled);
    const state = s.file('p'), code = JSON.stringify(await s.pair()), file = s.file('film.mp4'), bytes = randomBytes(24 * MIB);
    const phone = (args, options) => s.run(['phone', '--state', state, ...args], options);
    fs.writeFileSync(file, bytes);
    await phone(['init', '--pairing', code]);
    await phone(['jot', 'add', '--file', file, '1']);
    const { port } = s.server;
    for (let i = 0; i < (THOROUGH ? 12 : 2); i++) {
        const begun = here(s);
        const run = new Process(TRIVET, ['phone', '--state', state, 'sync'], { env: s.env, cwd: s.folder });
        await s.eventually('a part more', () => run.end || contents(s).length || here(s) > begun);
        if (i % 2) await s.kill9();
        else run.child.kill('SIGKILL');
        await run.done;
        if (i % 2) await s.serve({ ...settled, port });
    }
    await phone(['sync']);
    await stored(s);
    assert.deepEqual(contents(s), [createHash256(bytes).toString('hex')]);
    assert.deepEqual(partials(s), []);
    // Under its hands: what is told in the end is an error, and the next sync has the file as it is then.
    const kept = path.join(state, fs.readdirSync(state).find((name) => name.startsWith('jot-file-')));
    const meta = JSON.parse(fs.readFileSync(path.join(state, 'jots.json'), 'utf8'));
    for (const spoil of [() => fs.truncateSync(kept, MIB), () => fs.writeFileSync(kept, randomBytes(24 * MIB))].slice(0, THOROUGH ? 2 : 1)) {
        meta[0].files[0].createdAt++; // another file, as far as anyone knows
        fs.writeFileSync(path.join(state, 'jots.json'), JSON.stringify(meta));
        fs.writeFileSync(kept, randomBytes(24 * MIB));
        const run = new Process(TRIVET, ['phone', '--state', state, 'sync'], { env: s.env, cwd: s.folder });
        await s.eventually('a part', () => here(s) > 0);
        spoil();
        assert.equal((await run.done).status, 0);
        await s.eventually('nothing half of it is kept', () => partials(s).length === 0);
        await phone(['sync']);
        await s.eventually('it came as it is', async () => contents(s).includes(createHash256(fs.readFileSync(kept)).toString('hex')), 20000);
    }
});
