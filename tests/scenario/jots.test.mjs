/*
 * What phones capture (protocol §5): from the phone to plain files, whole or not at all, and what stays.
 */
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { assert, scenario, sleep } from './harness.mjs';

const jots = (s) => s.json(['jots']);
const byId = async (s, id) => (await jots(s)).find((jot) => jot.jot === id);
const states = async (s, id) => (await byId(s, id))?.files.map((file) => file.state) ?? [];
const allStored = (s, id, count) => s.eventually(`the files of jot ${id} are stored`, async () => {
    const list = await states(s, id);
    return list.length === count && list.every((state) => state === 'stored');
});
const inFolder = (s) => (fs.existsSync(path.join(s.data, 'jots')) ? fs.readdirSync(path.join(s.data, 'jots')) : []);
const requests = (phone, type) => phone.messages(type).length;

/* A phone that is connected and has synced. */
async function connected(s, prepare) {
    await s.serve();
    const phone = await s.phone();
    prepare?.(phone);
    await s.confirmed(phone, { stay: true });
    return phone;
}

scenario('a jot comes whole, and out again as plain files', async (s) => {
    const photo = randomBytes(300000), scan = randomBytes(70001), voice = randomBytes(5000);
    const phone = await connected(s, (p) => p.setJot(3, {
        text: s.text('buy bread\nand milk'),
        drawing: JSON.stringify(['M10 10 L20 20', 'M0 0 C1 1 2 2 3 3']),
        files: [{ id: 'p1', kind: 'image', bytes: photo }, { id: 'v1', kind: 'audio', bytes: voice },
            { id: 'f1', bytes: scan, fileName: '../../evil/scan.pdf' }, { id: 'e', bytes: Buffer.alloc(0), fileName: 'empty' }],
    }));
    await allStored(s, 3, 4);
    const { stdout } = await s.cli(['jots']);
    assert.match(stdout, /4 files \(366\.\d KiB\)/);
    assert.match(stdout, /buy bread/);
    const to = s.file('out');
    const { id } = await byId(s, 3);
    await s.cli(['jots', 'get', '--all', '--to', to]);
    const folder = path.join(to, `jot-${id}`), names = fs.readdirSync(folder).sort();
    assert.equal(names.length, 6, names.join());
    const read = (pattern) => fs.readFileSync(path.join(folder, names.find((name) => pattern.test(name))));
    assert.deepEqual(read(/^photo-20260101-000000\.jpg$/), photo);
    assert.deepEqual(read(/^recording-20260101-000000\.m4a$/), voice);
    assert.deepEqual(read(/scan\.pdf$/), scan);
    assert.equal(read(/^empty$/).length, 0);
    assert.equal(read(/^text-.*\.txt$/).toString(), s.text('buy bread\nand milk'));
    assert.match(read(/^drawing-.*\.svg$/).toString(), /viewBox="-1.5 -1.5 23 23"/);
    assert.deepEqual(fs.readdirSync(s.folder).filter((name) => name === 'evil'), []);
    // Once more: nothing new, nothing overwritten.
    const [again] = await s.json(['jots', 'get', String(id), '--to', to]);
    assert.deepEqual([again.written, again.present], [0, 6]);
    // And the lists sync as ever, in between.
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone);
});

scenario('what changed or went on the phone stays here', async (s) => {
    const phone = await connected(s, (p) => p.setJot(1, { text: s.text('first'), files: [{ id: 'a', bytes: Buffer.from('one') }] }));
    await allStored(s, 1, 1);
    phone.setJot(1, { text: s.text('second'), files: [{ id: 'b', bytes: Buffer.from('two') }] });
    await phone.disconnect(); // at most one question in 5 s about a jot on one connection
    await s.confirmed(phone, { stay: true });
    await s.eventually('the new form is here', async () => (await byId(s, 1)).files.filter((file) => file.state === 'stored').length === 2);
    let jot = await byId(s, 1);
    assert.deepEqual(jot.forms.map((form) => form.text), [s.text('first'), s.text('second')]);
    assert.ok(jot.files.find((file) => file.id === 'a').gone > 0);
    assert.equal(jot.files.find((file) => file.id === 'b').gone, 0);
    phone.storage.jots = [];
    phone.sendManifest();
    await s.eventually('it is known to be gone', async () => (await byId(s, 1)).gone > 0);
    await s.cli(['jots', 'get', String(jot.id), '--to', s.file('out')]);
    const names = fs.readdirSync(path.join(s.file('out'), `jot-${jot.id}`));
    assert.equal(names.length, 4, names.join());
    phone.setJot(1, { text: s.text('third') }); // the phone uses its id anew
    await phone.disconnect();
    await s.confirmed(phone, { stay: true });
    await s.eventually('the third form', async () => (await byId(s, 1)).forms.length === 3);
    jot = await byId(s, 1);
    assert.equal(jot.gone, 0);
});

scenario('a connection that is cut in the middle of a file: it comes with the next, or is too large', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const bytes = randomBytes(100000);
    phone.setJot(1, { files: [{ id: 'a', kind: 'image', bytes }, { id: 'b', kind: 'image', bytes: randomBytes(10) }] });
    let cuts = 0;
    phone.hooks.file = (answer) => {
        if (answer.fileId !== 'a' || cuts === 1) return answer;
        cuts++;
        // Half of the message crosses the wire.
        const frame = Buffer.from(phone.seal(answer));
        phone.socket._socket.write(Buffer.concat([Buffer.from([0x81, 0xff, 0, 0, 0, 0, ...[24, 16, 8, 0].map((n) => (frame.length >> n) & 255), 0, 0, 0, 0]), frame.subarray(0, frame.length / 2)]), () => phone.cut());
        return null;
    };
    await s.confirmed(phone, { stay: true });
    await phone.wait(['closed']);
    assert.deepEqual(inFolder(s), []);
    await s.confirmed(phone, { stay: true });
    await allStored(s, 1, 2);
    await phone.disconnect();
    // Two cuts on one file: it is not asked for any more, but others are.
    phone.setJot(2, { files: [{ id: 'c', kind: 'image', bytes }, { id: 'd', kind: 'image', bytes: randomBytes(10) }] });
    let asked = 0;
    phone.hooks.file = (answer) => (answer.fileId === 'c' && ++asked ? (phone.cut(), null) : answer);
    for (let i = 0; i < 2; i++) {
        await s.confirmed(phone, { stay: true });
        await phone.wait(['closed']);
    }
    await s.confirmed(phone, { stay: true });
    await s.eventually('the other one', async () => (await states(s, 2)).includes('stored'));
    assert.equal(asked, 2);
    assert.deepEqual(await states(s, 2), ['large', 'stored']);
    // On the user's word it is asked for once more.
    phone.hooks.file = undefined;
    const { id } = await byId(s, 2);
    await s.cli(['jots', 'get', String(id), '--to', s.file('out')]);
    await allStored(s, 2, 2);
});

scenario('files that the app cannot send are not asked for unasked, and manual means manual', async (s) => {
    const phone = await connected(s, (p) => {
        p.setJot(1, { files: [{ id: 'big', bytes: Buffer.from('x'), size: 9 * 1024 * 1024 + 1 }, { id: 'fits', bytes: Buffer.from('y'), size: 9 * 1024 * 1024 }] });
    });
    await s.eventually('the one that fits', async () => (await states(s, 1)).includes('stored'));
    assert.deepEqual(await states(s, 1), ['large', 'stored']);
    const { id } = await byId(s, 1);
    await s.cli(['jots', 'get', String(id), '--to', s.file('out')]);
    assert.deepEqual(await states(s, 1), ['stored', 'stored']);
    await phone.disconnect();
    await s.restart({ env: { TRIVET_JOTS: 'manual' } });
    phone.setJot(2, { text: s.text('text comes'), files: [{ id: 'm', bytes: Buffer.from('z') }] });
    await s.confirmed(phone, { stay: true });
    await s.eventually('its text', async () => (await byId(s, 2))?.forms.length === 1);
    await phone.wait(['message']);
    assert.deepEqual(await states(s, 2), ['waiting']);
    await s.cli(['jots', 'get', String((await byId(s, 2)).id), '--to', s.file('out')]);
    assert.deepEqual(await states(s, 2), ['stored']);
});

scenario('clear: only what is stored, only that jot', async (s) => {
    const phone = await connected(s, (p) => {
        p.setJot(1, { text: s.text('one'), files: [{ id: 'a', bytes: Buffer.from('one') }] });
        p.setJot(2, { text: s.text('two') });
    });
    await allStored(s, 1, 1);
    const one = (await byId(s, 1)).id;
    await s.cli(['jots', 'clear', String(one)], { expect: 1 }); // nobody to be asked
    assert.equal(requests(phone, 'jot_clear_request'), 0);
    // A file appears that is not stored yet.
    phone.hooks.file = () => 'drop';
    phone.setJot(1, { text: s.text('one'), files: [{ id: 'a', bytes: Buffer.from('one') }, { id: 'new', bytes: Buffer.from('n') }] });
    const refused = await s.cli(['jots', 'clear', '--yes', String(one)], { expect: 1 });
    assert.match(refused.stderr, /not all of it is stored/);
    assert.equal(requests(phone, 'jot_clear_request'), 0);
    await phone.disconnect();
    phone.hooks.file = undefined;
    await s.confirmed(phone, { stay: true });
    await allStored(s, 1, 2);
    await s.cli(['jots', 'clear', '--yes', String(one)]);
    assert.deepEqual(phone.storage.jots.map((jot) => jot.id), [2]);
    assert.ok((await byId(s, 1)).gone > 0);
    await s.cli(['jots', 'clear', '--yes', String(one)], { expect: 1 });
    await s.cli(['jots', 'get', String(one), '--to', s.file('out')]);
    assert.equal(fs.readdirSync(path.join(s.file('out'), `jot-${one}`)).length, 3);
    await phone.disconnect();
    const gone = await s.cli(['jots', 'clear', '--yes', String((await byId(s, 2)).id)], { expect: null });
    assert.match(gone.stderr, /not connected/);
});

scenario('hostile names, sizes, ids and answers', async (s) => {
    const phone = await connected(s);
    const bad = ['CON', 'a/../../b', '\u0000\u001b[2J', '\u202egnp.exe', 'x'.repeat(5000), '..', ' ', '\ud800', '-rf'];
    const ids = bad.map((name, i) => ({ id: `f${i}`, bytes: Buffer.from(`file ${i}`), fileName: name, size: i % 2 ? -1e300 : 1e300 - 1e300 }));
    phone.setJot(7, { text: '\ud800\u0000', drawing: '{"paths":[{"path":"M0 0\\"/><script>x</script>"},{"d":[[]]}]}', files: ids });
    phone.setJot(8, { drawing: '['.repeat(5000), files: [{ id: '../../../etc/passwd', kind: 'image', bytes: Buffer.from('p'), format: '../sh', createdAt: 1e308 }] });
    phone.sendManifest();
    await allStored(s, 7, bad.length);
    await allStored(s, 8, 1);
    await s.cli(['jots']);
    await s.cli(['jots', 'get', '--all', '--to', s.file('out')]);
    const all = fs.readdirSync(s.file('out'), { recursive: true }).map(String);
    assert.equal(all.filter((name) => /jot-\d+\//.test(name)).length, bad.length + 2 + 2, all.join('\n'));
    for (const name of all) assert.ok(!/[\x00-\x1f]|\.\.\/|\u202e/.test(name) && Buffer.byteLength(path.basename(name)) <= 200, name);
    const svg = all.find((name) => name.endsWith('.svg'));
    assert.doesNotMatch(fs.readFileSync(path.join(s.file('out'), svg), 'utf8'), /script/);
    // Answers that nobody asked for, and bad ones.
    for (const message of [
        { type: 'file_response', jotId: 99, fileId: 'x', fileType: 'image', data: 'AAAA', format: 'jpg' },
        { type: 'file_response', jotId: 7, fileId: 'f0', fileType: 'audio', data: 'AAAA', format: 'jpg' },
        { type: 'file_response', jotId: 7, fileId: 'f0', fileType: 'file', data: 'A A=', format: 'jpg' },
        { type: 'jot_meta_response', jot: { id: 12, images: [{ id: 'q'.repeat(300) }, { id: '' }, 5] } },
        { type: 'jot_download_response', jots: [{ id: 7 }] },
        { type: 'jot_clear_ack', cleared: [7] },
    ])
        phone.sendMessage(message);
    await s.confirmed(phone, { stay: true });
    assert.equal((await byId(s, 7)).gone, 0);
    assert.equal(await byId(s, 12), undefined);
});

scenario('an error is an answer, and what is refused is asked for again with the next connection', async (s) => {
    const phone = await connected(s, (p) => {
        p.setJot(1, { files: [{ id: 'gone', bytes: Buffer.from('x') }, { id: 'here', bytes: Buffer.from('y') }] });
        delete p.storage.bytes.gone;
    });
    await s.eventually('both had their answer', async () => (await states(s, 1)).join() === 'refused,stored');
    await phone.disconnect();
    phone.storage.bytes.gone = Buffer.from('x');
    await s.confirmed(phone, { stay: true });
    await allStored(s, 1, 2);
});

scenario('a sync in the middle of a file is not cut short, and asks for no file', async (s) => {
    await s.serve({ env: { TRIVET_ANSWER_TIMEOUT: '1s' } });
    const phone = await s.phone();
    let release;
    phone.hooks.file = async (answer) => {
        if (release) return answer;
        phone.requestSync(); // its answer waits behind the file, as on a phone's one wire
        await new Promise((resolve) => setTimeout((release = resolve), 1500));
        return answer;
    };
    phone.setJot(1, { files: [{ id: 'a', bytes: randomBytes(1000) }, { id: 'b', bytes: randomBytes(10) }] });
    await s.confirmed(phone, { stay: true });
    phone.add('lists', 0, s.text('milk'));
    const end = await phone.wait(['confirmed', 'cancelled', 'closed']);
    assert.equal(end.kind, 'confirmed');
    await allStored(s, 1, 2);
});

scenario('no file is asked for between the rounds of a sync', async (s) => {
    await s.serve();
    await s.add(s.text('of the computer'));
    const phone = await s.phone();
    phone.add('lists', 0, s.text('of the phone'));
    phone.setJot(1, { files: [{ id: 'a', bytes: Buffer.from('a') }] });
    // app.mjs complains of a file_request that comes before the confirm; there is time enough for one.
    phone.hooks.onState = (message, round) => (round === 2 ? sleep(300) : undefined);
    const { rounds } = await s.confirmed(phone, { stay: true });
    assert.equal(rounds, 2);
    await allStored(s, 1, 1);
});

scenario('kill -9 at any moment: what counts as stored is there', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const files = Array.from({ length: 12 }, (_, i) => ({ id: `k${i}`, bytes: randomBytes(200000 + i) }));
    phone.setJot(1, { text: s.text('text'), files });
    for (let round = 0; round < 4; round++) {
        phone.cut();
        await s.confirmed(phone, { stay: true });
        await s.eventually('one more', async () => inFolder(s).length > round * 2);
        await s.kill9();
        await s.serve();
        assert.deepEqual(inFolder(s).filter((name) => name.startsWith('incoming-')), []);
        const { stdout } = await s.cli(['fsck', '--json'], { expect: 0 });
        assert.ok(JSON.parse(stdout));
    }
    phone.cut();
    await s.confirmed(phone, { stay: true });
    await allStored(s, 1, files.length);
    await s.cli(['jots', 'get', '--all', '--to', s.file('out')]);
    const { id } = await byId(s, 1);
    for (const file of files) assert.deepEqual(fs.readFileSync(path.join(s.file('out'), `jot-${id}`, file.id)), file.bytes);
});

scenario('jots_dir keeps a plain folder of everything', async (s) => {
    const kept = s.file('kept');
    await s.serve({ env: { TRIVET_JOTS_DIR: kept } });
    const phone = await s.phone();
    phone.setJot(1, { text: s.text('one'), files: [{ id: 'a', bytes: Buffer.from('one') }] });
    await s.confirmed(phone, { stay: true });
    const names = () => (fs.existsSync(path.join(kept, 'jot-1')) ? fs.readdirSync(path.join(kept, 'jot-1')) : []);
    await s.eventually('both are there', () => names().filter((name) => !name.startsWith('.')).length === 2);
    phone.setJot(1, { text: s.text('changed'), files: [{ id: 'a', bytes: Buffer.from('one') }] });
    await phone.disconnect();
    await s.confirmed(phone, { stay: true });
    await s.eventually('the change, too', () => names().filter((name) => !name.startsWith('.')).length >= 3);
    await phone.disconnect();
    // Another folder: all of it.
    const other = s.file('other');
    await s.restart({ env: { TRIVET_JOTS_DIR: other } });
    await s.eventually('all of it', () => fs.existsSync(path.join(other, 'jot-1')) && fs.readdirSync(path.join(other, 'jot-1')).filter((name) => !name.startsWith('.')).length === 3);
});

scenario('backup, restore and fsck know them', async (s) => {
    const bytes = randomBytes(50000);
    const phone = await connected(s, (p) => p.setJot(1, { text: s.text('t'), files: [{ id: 'a', bytes }, { id: 'b', bytes: Buffer.from('b') }] }));
    await allStored(s, 1, 2);
    await s.cli(['backup', s.file('b')]);
    await s.cli(['backup', '--check', s.file('b')]);
    const fresh = s.file('fresh');
    await s.cli(['backup', '--restore', s.file('b')], { data: fresh });
    await s.cli(['fsck'], { data: fresh });
    await s.cli(['jots', 'get', '--all', '--to', s.file('out')], { data: fresh });
    assert.deepEqual(fs.readFileSync(path.join(s.file('out'), 'jot-1/a')), bytes);
    // One is lost, one altered: told, left out of a backup, and after a repair asked for again.
    const list = await jots(s);
    const big = inFolder(s).find((name) => fs.statSync(path.join(s.data, 'jots', name)).size === bytes.length);
    const small = inFolder(s).find((name) => name !== big);
    fs.rmSync(path.join(s.data, 'jots', big));
    fs.writeFileSync(path.join(s.data, 'jots', small), 'B');
    const { stdout } = await s.cli(['fsck'], { expect: 1 });
    assert.match(stdout, new RegExp(`jots/${big} is missing`));
    assert.match(stdout, new RegExp(`jots/${small} is damaged`));
    const { stderr } = await s.cli(['backup', s.file('b2')]);
    assert.match(stderr, /2 files of jots are missing or damaged/);
    await phone.disconnect();
    await s.server.stop();
    await s.cli(['fsck', '--repair'], { expect: null });
    await s.cli(['fsck']);
    await s.serve();
    await s.confirmed(phone, { stay: true });
    await allStored(s, list[0].jot, 2);
    await s.cli(['fsck']);
});

scenario('trivet phone has jots too', async (s) => {
    await s.serve();
    const state = s.file('p'), code = JSON.stringify(await s.pair()), photo = s.file('a photo.jpg');
    const phone = (args, options) => s.run(['phone', '--state', state, ...args], options);
    fs.writeFileSync(photo, randomBytes(100000));
    await phone(['init', '--pairing', code]);
    await phone(['jot', 'add', '--text', s.text('a thought'), '--drawing', '["M0 0L9 9"]', '--image', photo, '--file', photo, '1']);
    await phone(['jot', 'add', '--text', s.text('another'), '2']);
    await phone(['sync']);
    assert.deepEqual(await states(s, 1), ['stored', 'stored']);
    await s.cli(['jots', 'get', '--all', '--to', s.file('out')]);
    assert.deepEqual(fs.readFileSync(path.join(s.file('out'), 'jot-1/a photo.jpg')), fs.readFileSync(photo));
    // Connected for longer: refreshed, and cleared.
    const staying = phone(['sync', '--stay', '3']);
    await s.eventually('it is connected', async () => (await s.json(['devices']))[0].connected);
    await s.eventually('it can be asked', async () => (await s.cli(['jots', '--refresh'], { expect: null })).status === 0);
    await s.cli(['jots', 'clear', '--yes', '2']);
    await staying;
    const left = JSON.parse((await phone(['jot', 'list'])).stdout);
    assert.deepEqual(left.map((jot) => jot.id), [1]);
    assert.ok((await byId(s, 2)).gone > 0);
    // What cannot be added changes nothing, and what goes leaves no bytes behind; a pipe has a name.
    const before = (await phone(['jot', 'list'])).stdout, files = () => fs.readdirSync(state).filter((name) => name.startsWith('jot-file-')).length;
    for (const wrong of ['missing', s.folder]) await phone(['jot', 'add', '--text', s.text('no'), '--file', photo, '--file', wrong, '1'], { expect: 66 });
    assert.equal((await phone(['jot', 'list'])).stdout, before);
    assert.equal(files(), 2);
    await phone(['jot', 'add', '--file', '-', '3'], { input: 'piped' });
    assert.equal(JSON.parse((await phone(['jot', 'list'])).stdout).find((jot) => jot.id === 3).files[0].fileName, 'stdin');
    await phone(['jot', 'rm', '3']);
    assert.equal(files(), 2);
    await phone(['jot', 'rm', '1']);
    assert.equal(files(), 0);
    await phone(['jot', 'rm', '1'], { expect: 66 });
});

scenario('a full disk: refused with a message, and it comes when there is room again', async (s) => {
    // A limit on the size of a file says the same as a full disk: the database stays below it.
    await s.serve({ wrap: ['prlimit', '--fsize=1500000'] });
    const phone = await s.phone();
    const bytes = randomBytes(2000000);
    phone.setJot(1, { text: s.text('text'), files: [{ id: 'a', kind: 'image', bytes }, { id: 'b', kind: 'image', bytes: Buffer.from('b') }] });
    await s.confirmed(phone, { stay: true });
    await s.server.says(/no space left/);
    assert.deepEqual(inFolder(s).filter((name) => name.startsWith('incoming-')), []);
    phone.add('lists', 0, s.text('milk')); // the lists go on
    await s.confirmed(phone);
    await s.restart();
    await s.confirmed(phone, { stay: true });
    await allStored(s, 1, 2);
});

scenario('what does not come in its time is left, and taken when it comes late', async (s) => {
    await s.serve({ env: { TRIVET_JOT_META_TIMEOUT: '300ms', TRIVET_JOT_FILE_TIMEOUT: '300ms' } });
    const phone = await s.phone();
    const late = [];
    const answer = phone.answerJots.bind(phone);
    phone.answerJots = (type, body) => (body.jot?.id === 1 && late.length === 0 ? late.push(() => answer(type, body)) : answer(type, body));
    phone.setJot(1, { text: s.text('slow') });
    phone.setJot(2, { text: s.text('quick'), files: [{ id: 'slow', bytes: Buffer.from('slow') }, { id: 'quick', bytes: Buffer.from('quick') }] });
    phone.hooks.file = (given) => {
        if (given.fileId !== 'slow') return given;
        late.push(() => phone.sendMessage(given));
        phone.fileAsked = false;
        return null;
    };
    await s.confirmed(phone, { stay: true });
    await s.eventually('the others came', async () => (await states(s, 2)).join() === 'refused,stored');
    assert.equal(await byId(s, 1), undefined);
    assert.equal(late.length, 2);
    for (const give of late) give();
    await s.eventually('both came late', async () => (await byId(s, 1))?.forms.length === 1 && (await states(s, 2)).join() === 'stored,stored');
});
