/*
 * What is stored stays, and nothing is cleared that is not: phones that answer twice, tell more than can be kept, take a file
 * back while it comes, or lie about sizes.
 */
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { assert, App, scenario } from './harness.mjs';
import { Phone2 } from './version2.mjs';

const MIB = 1 << 20;
const byId = async (s, id) => (await s.json(['jots'])).find((jot) => jot.jot === id);
const states = async (s, id) => (await byId(s, id))?.files.map((file) => file.state) ?? [];
const allStored = (s, id, count) => s.eventually(`the files of jot ${id} are stored`, async () => {
    const list = await states(s, id);
    return list.length === count && list.every((state) => state === 'stored');
});
const inFolder = (s) => (fs.existsSync(path.join(s.data, 'jots')) ? fs.readdirSync(path.join(s.data, 'jots')) : []);
const contents = (s) => inFolder(s).filter((name) => /^[0-9a-f]{64}$/.test(name));
const partials = (s) => inFolder(s).filter((name) => name.startsWith('partial-'));
const logged = (s, pattern) => s.server.stderr.match(pattern);

async function connected(s, prepare) {
    const phone = await s.phone();
    prepare?.(phone);
    await s.confirmed(phone, { stay: true });
    return phone;
}

async function phone2(s, prepare) {
    const pairing = await s.pair();
    const phone = new Phone2(pairing, new App({ host: '127.0.0.1', port: s.server.port, secret: pairing.secret, deviceId: 'Pixel 9' }));
    s.later(() => {
        phone.socket?.terminate();
        assert.deepEqual(phone.violations, []);
    });
    prepare?.(phone);
    assert.equal(await phone.sync({ stay: true }), 'confirmed');
    return phone;
}

scenario('an answer that nobody asked for takes no place of what is stored', async (s) => {
    await s.serve();
    const phone = await connected(s, (p) => p.setJot(1, { files: [{ id: 'a', bytes: Buffer.from('the true one') }] }));
    await allStored(s, 1, 1);
    for (const more of [{ data: Buffer.from('another').toString('base64') }, { data: '', error: 'gone' }, { data: '' }])
        phone.sendMessage({ type: 'file_response', jotId: 1, fileId: 'a', fileType: 'file', format: 'bin', ...more });
    phone.setJot(1, { files: [{ id: 'a', bytes: Buffer.from('the true one') }, { id: 'b', bytes: Buffer.from('b') }] });
    await phone.disconnect();
    await s.confirmed(phone, { stay: true });
    await allStored(s, 1, 2);
    await s.cli(['jots', 'get', '--all', '--to', s.file('out')]);
    assert.equal(fs.readFileSync(path.join(s.file('out'), 'jot-1/a'), 'utf8'), 'the true one');
});

scenario('a clear is refused where the phone has more than was kept', async (s) => {
    await s.serve();
    const phone = await connected(s);
    const cases = {
        'an entry that was left out': (jot) => jot.images.push({ id: 'q'.repeat(300), format: 'jpg', createdAt: 1 }),
        'more files than are kept': (jot) => jot.files.push(...Array.from({ length: 1001 }, (_, i) => ({ id: `n${i}`, fileName: 'n', mimeType: 'x/y', size: 1, createdAt: 1 }))),
        'a text that is too large': (jot) => (jot.text = 'x'.repeat((4 << 20) + 1)),
    };
    let id = 0;
    for (const [what, spoil] of Object.entries(cases)) {
        phone.setJot(++id, { text: s.text('kept'), files: [{ id: `f${id}`, bytes: Buffer.from('f') }] });
        phone.sendManifest();
        await allStored(s, id, 1);
        // From now on each meta tells more; no file is given.
        spoil(phone.storage.jots.find((jot) => jot.id === id));
        phone.hooks.file = () => 'drop';
        const before = phone.messages('jot_meta_request').length;
        const { stderr } = await s.cli(['jots', 'clear', '--yes', String((await byId(s, id)).id)], { expect: 1, within: 8000 });
        assert.match(stderr, /nothing was cleared/, what);
        assert.equal(phone.messages('jot_clear_request').length, 0, what);
        assert.ok(phone.messages('jot_meta_request').length - before <= 2, what);
        phone.hooks.file = undefined;
        phone.storage.jots = phone.storage.jots.filter((jot) => jot.id !== id);
        await phone.disconnect();
        await s.confirmed(phone, { stay: true });
    }
});

scenario('a clear is refused where what was stored is not there any more, or is damaged', async (s) => {
    await s.serve();
    const phone = await connected(s, (p) => p.setJot(1, { files: [{ id: 'a', bytes: randomBytes(1000) }] }));
    await allStored(s, 1, 1);
    const there = path.join(s.data, 'jots', contents(s)[0]), bytes = fs.readFileSync(there);
    for (const spoil of [() => fs.writeFileSync(there, 'damaged'), () => fs.rmSync(there)]) {
        spoil();
        const { stderr } = await s.cli(['jots', 'clear', '--yes', '1'], { expect: 1 });
        assert.match(stderr, /damaged|fsck/);
        assert.equal(phone.messages('jot_clear_request').length, 0);
    }
    fs.writeFileSync(there, bytes);
    await s.cli(['jots', 'clear', '--yes', '1']);
    assert.deepEqual(phone.storage.jots, []);
});

scenario('a file that the phone takes back while it comes: nothing of it is kept, and the next one comes at once', async (s) => {
    await s.serve();
    const phone = await phone2(s, (p) => {
        p.app.setJot(1, { files: [{ id: 'f', bytes: randomBytes(2 * MIB) }] });
        p.app.setJot(2, { files: [{ id: 'g', bytes: Buffer.from('g') }] });
        p.hooks.piece = (piece) => (piece.offset < MIB ? piece : null);
    });
    await s.eventually('a half', () => partials(s).length === 1);
    phone.app.storage.jots = phone.app.storage.jots.filter((jot) => jot.id === 2);
    phone.sendManifest();
    await s.eventually('its half is gone', () => partials(s).length === 0);
    phone.hooks.piece = undefined;
    phone.giving.held = false;
    phone.goOn();
    await allStored(s, 2, 1);
    assert.equal(contents(s).length, 1);
    assert.equal(logged(s, /level=error/), null);
});

scenario('a size that cannot be is no full disk, and holds nothing else up', async (s) => {
    await s.serve();
    const phone = await phone2(s, (p) => p.app.setJot(1, { files: [{ id: 'huge', bytes: Buffer.from('x'), size: 2 ** 53 - 1 }, { id: 'g', bytes: Buffer.from('g') }] }));
    await s.eventually('the other one', async () => (await states(s, 1)).join() === 'refused,stored');
    assert.deepEqual(phone.requests.map((r) => r.fileId), ['g']);
    assert.equal(logged(s, /level=error/), null);
});

scenario('a file for which the disk has no room holds no other up, and what had come of it stays', async (s) => {
    await s.serve({ env: { TRIVET_JOT_FILE_MAX: '1000000GiB' } });
    const phone = await phone2(s, (p) => p.app.setJot(1, { files: [{ id: 'huge', bytes: Buffer.from('x'), size: 2 ** 49 }, { id: 'g', bytes: Buffer.from('g') }] }));
    await s.eventually('the other one', async () => (await states(s, 1)).join() === 'refused,stored');
    assert.deepEqual(phone.requests.map((r) => r.fileId), ['g']);
    assert.equal(logged(s, /level=error/), null);
    assert.match(s.server.stderr, /too little space/);
});

scenario('a manifest of more jots than are kept takes none of them for gone', async (s) => {
    await s.serve({ env: { TRIVET_JOTS: 'manual' } });
    const phone = await connected(s, (p) => p.setJot(2 ** 40, { text: s.text('behind all others') }));
    await s.eventually('it is known', async () => (await byId(s, 2 ** 40))?.forms.length === 1);
    const empty = { hasText: false, hasDrawing: false, imageIds: [], audioIds: [], fileIds: [] };
    phone.sendMessage({ type: 'jot_manifest', jots: [...Array.from({ length: 10001 }, (_, id) => ({ id, ...empty })), { id: 2 ** 40, ...empty, hasText: true }] });
    phone.sendMessage({ type: 'jot_refresh_response', jots: [{ id: 5, text: s.text('told after it') }] });
    await s.eventually('both were read', async () => (await byId(s, 5))?.forms.length === 1);
    assert.equal((await byId(s, 2 ** 40)).gone, 0);
});

scenario('one jot that cannot be written into jots_dir keeps no other out of it', async (s) => {
    const kept = s.file('kept');
    fs.mkdirSync(kept);
    fs.writeFileSync(path.join(kept, 'jot-1'), 'a file of the user, where a folder should be');
    await s.serve({ env: { TRIVET_JOTS_DIR: kept } });
    await connected(s, (p) => {
        p.setJot(1, { text: s.text('one') });
        p.setJot(2, { text: s.text('two') });
    });
    await s.eventually('the second', () => fs.existsSync(path.join(kept, 'jot-2')) && fs.readdirSync(path.join(kept, 'jot-2')).some((name) => name.endsWith('.txt')));
    assert.equal(fs.readFileSync(path.join(kept, 'jot-1'), 'utf8'), 'a file of the user, where a folder should be');
});

scenario('one jot of a refresh that cannot be kept takes no other with it', async (s) => {
    await s.serve();
    const phone = await connected(s);
    phone.setJot(1, { text: 'x'.repeat((4 << 20) + 1) });
    phone.setJot(2, { text: s.text('small') });
    phone.sendMessage({ type: 'jot_refresh_response', jots: phone.storage.jots });
    await s.eventually('the small one', async () => (await byId(s, 2))?.forms.length === 1);
});

scenario('pieces where no transfer was ever asked for', async (s) => {
    await s.serve();
    for (const storm of [
        (p) => { for (let i = 0; i < 100; i++) p.sendPiece(1, i * 65536, randomBytes(65536)); },
        (p) => p.sendPiece(0, 0, randomBytes(16)),
        (p) => p.sendPiece(2 ** 32 - 1, 0, randomBytes(16)),
    ]) {
        const phone = await phone2(s);
        storm(phone);
        await s.eventually('the end', () => phone.end);
        assert.equal(phone.end.code, 4004);
    }
    assert.deepEqual(inFolder(s), []);
});

scenario('one id as photo, recording and file, in two jots, and one content for two files', async (s) => {
    await s.serve();
    const twin = randomBytes(5000);
    for (const make of [connected, phone2]) {
        const at = make === connected ? 1 : 3;
        const phone = await make(s, (p) => {
            const app = p.app ?? p;
            for (const jot of [at, at + 1])
                app.setJot(jot, { files: ['image', 'audio', 'file'].map((kind) => ({ id: `same${at}`, kind, bytes: twin })) });
        });
        await allStored(s, at, 3);
        await allStored(s, at + 1, 3);
        phone.socket.terminate();
    }
    assert.equal(contents(s).length, 1);
    assert.deepEqual(partials(s), []);
    await s.cli(['fsck']);
});

scenario('numbers of jots at the ends of what they may be', async (s) => {
    await s.serve();
    const phone = await connected(s, (p) => {
        p.setJot(0, { text: s.text('zero') });
        p.setJot(2 ** 53 - 1, { text: s.text('last'), files: [{ id: 'a', bytes: Buffer.from('a') }] });
    });
    await allStored(s, 2 ** 53 - 1, 1);
    await s.eventually('both', async () => (await s.json(['jots'])).length === 2);
    for (const id of [2 ** 53, -1, 0.5, 1e300, '7', null])
        phone.sendMessage({ type: 'jot_refresh_response', jots: [{ id, text: s.text('none') }] });
    phone.sendManifest();
    await phone.disconnect();
    await s.confirmed(phone, { stay: true });
    assert.deepEqual((await s.json(['jots'])).map((jot) => jot.jot).sort(), [0, 2 ** 53 - 1]);
    await s.cli(['jots', 'clear', '--yes', String((await byId(s, 0)).id)]);
    await s.cli(['jots', 'clear', '--yes', String((await byId(s, 2 ** 53 - 1)).id)]);
    assert.deepEqual(phone.storage.jots, []);
});

/* ---- questions and answers in time (protocol §5) ---- */

scenario('a jot is asked about once in five seconds, whatever manifests come', async (s) => {
    await s.serve();
    const phone = await s.phone();
    phone.setJot(1, { text: s.text('one') });
    phone.setJot(2, { text: s.text('two') });
    await s.confirmed(phone, { stay: true });
    const count = () => phone.messages('jot_meta_request').length;
    await s.eventually('both are known', async () => (await s.json(['jots'])).length === 2);
    const since = Date.now();
    phone.setJot(1, { text: s.text('changed') });
    for (let i = 0; i < 5; i++) phone.sendManifest();
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('the manifests were read', () => phone.messages('heartbeat').length === 1);
    await s.eventually('the change is here', async () => (await byId(s, 1)).forms.length === 2);
    assert.ok(Date.now() - since > 3500, `after ${Date.now() - since} ms`);
    await s.eventually('both were asked about once more', () => count() === 4);
});

scenario('a meta that does not come is left, and others are asked for; a file likewise, and its late answer is taken', async (s) => {
    await s.serve({ env: { TRIVET_JOT_META_TIMEOUT: '300ms', TRIVET_JOT_FILE_TIMEOUT: '300ms' } });
    const phone = await s.phone();
    phone.setJot(1, { text: s.text('silent') });
    phone.setJot(2, { files: [{ id: 'slow', bytes: Buffer.from('slow') }, { id: 'quick', bytes: Buffer.from('quick') }] });
    const meta = phone.answerJots;
    phone.answerJots = function (type, body) {
        return body.jot?.id === 1 ? undefined : meta.call(this, type, body);
    };
    let late;
    phone.hooks.file = (answer) => {
        if (answer.fileId !== 'slow' || late) return answer;
        late = answer;
        phone.fileAsked = false; // it has been given up when the next is asked for
        return null;
    };
    await s.confirmed(phone, { stay: true });
    await s.eventually('the quick one', async () => (await states(s, 2)).join() === 'refused,stored');
    assert.equal(await byId(s, 1), undefined);
    phone.sendMessage(late);
    await allStored(s, 2, 2);
    // A late answer to what nothing lacks leaves nothing on the disk.
    const before = contents(s).length;
    phone.sendMessage({ ...late, jotId: 9, data: Buffer.from('whose is it').toString('base64') });
    phone.setJot(2, { files: [...phone.storage.jots.find((jot) => jot.id === 2).files.map((file) => ({ ...file, bytes: phone.storage.bytes[file.id] })), { id: 'more', bytes: Buffer.from('more') }] });
    await phone.disconnect();
    phone.answerJots = meta;
    await s.confirmed(phone, { stay: true });
    await s.eventually('the third', async () => (await states(s, 2)).filter((state) => state === 'stored').length === 3);
    await s.eventually('and the text', async () => (await byId(s, 1))?.forms.length === 1);
    assert.equal(contents(s).length, before + 1);
});
