/*
 * Backups: one file that is whole or refused, made beside a running server, and restored so that nothing is lost and
 * nothing comes back that was deleted (merge §10).
 */
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync, spawn } from 'node:child_process';
import { NO_STRACE, TRIVET, assert, essence, itemsOf, killedAt, scenario, wasKilled, works } from './harness.mjs';
import { blake2b } from './version2.mjs';

const live = (state) => itemsOf(state).filter((item) => !item.deleted).map((item) => item.text).sort();
const mode = (file) => fs.statSync(file).mode & 0o777;

/* All files of the data folder but the lock, by name. */
function bytesOf(folder) {
    const names = fs.readdirSync(folder).filter((name) => name !== 'lock' && name !== 'control.sock' && !name.endsWith('-shm'));
    return Object.fromEntries(names.sort().map((name) => [name, fs.readFileSync(path.join(folder, name)).toString('base64')]));
}

for (const running of [true, false])
    scenario(`a backup ${running ? 'beside the server' : 'without a server'}, and back`, async (s) => {
        if (running) await s.serve();
        await s.add(s.text('milk'));
        await s.add(s.text('secret'), ['--locked']);
        const before = (await s.cli(['export'])).stdout;
        const file = s.file('b.trivet');
        const said = await s.cli(['backup', file]);
        assert.match(said.stdout, /^wrote .*b\.trivet: \d+ kB, not encrypted/);
        assert.equal(mode(file), 0o600);
        assert.deepEqual(fs.readdirSync(s.folder).filter((name) => name.startsWith('b.trivet')), ['b.trivet'], 'no other name is left');
        assert.deepEqual(fs.readdirSync(s.data).filter((name) => name.includes('copy')), []);
        // One that is there stays, unless --force says otherwise.
        const first = fs.readFileSync(file);
        assert.match((await s.cli(['backup', file], { expect: 73 })).stderr, /--force/);
        assert.deepEqual(fs.readFileSync(file), first);
        await s.add(s.text('bread'));
        await s.cli(['backup', '--force', file]);
        const checked = await s.json(['backup', '--check', file]);
        assert.deepEqual([checked.encrypted, checked.entries.map((entry) => entry.name)], [false, ['trivet.db']]);
        // Into an empty folder, server or not.
        const elsewhere = s.file('elsewhere/deep');
        await s.cli(['backup', '--restore', file], { data: elsewhere });
        assert.equal(mode(elsewhere), 0o700);
        assert.equal(mode(path.join(elsewhere, 'trivet.db')), 0o600);
        assert.deepEqual(await s.export({ data: elsewhere }), await s.export());
        // In place of the present one: not while a server has it, not by accident.
        fs.writeFileSync(file, first);
        if (running) {
            assert.match((await s.cli(['backup', '--restore', '--force', file], { expect: 75 })).stderr, /in use by process \d+: stop the server/);
            await s.server.stop();
        }
        assert.match((await s.cli(['backup', '--restore', file], { expect: 73 })).stderr, /--force/);
        const restored = await s.json(['backup', '--restore', '--force', file]);
        assert.equal((await s.cli(['export'])).stdout, before);
        // What was there is kept, and opens.
        fs.mkdirSync(s.file('kept'), { mode: 0o700 });
        for (const tail of ['', '-wal']) {
            const from = path.join(s.data, restored.kept + tail);
            if (fs.existsSync(from)) fs.copyFileSync(from, s.file(`kept/trivet.db${tail}`));
        }
        assert.ok(live(await s.export({ data: s.file('kept') })).includes(s.text('bread')));
    });

scenario('with a passphrase: from a file, and typed', async (s) => {
    await s.add(s.text('milk'));
    const file = s.file('b.trivet');
    fs.writeFileSync(s.file('pass'), 'correct horse\nmore\n', { mode: 0o600 });
    await s.cli(['backup', '--passphrase-file', s.file('pass'), file]);
    assert.ok(!fs.readFileSync(file).includes('SQLite'));
    assert.match((await s.cli(['backup', '--check', '--passphrase-file', s.file('pass'), file])).stdout, /whole.*encrypted/);
    fs.writeFileSync(s.file('wrong'), 'correct horses', { mode: 0o600 });
    assert.match((await s.cli(['backup', '--check', '--passphrase-file', s.file('wrong'), file], { expect: 65 })).stderr, /passphrase is wrong, or/);
    fs.writeFileSync(s.file('empty'), '\n', { mode: 0o600 });
    await s.cli(['backup', '--passphrase-file', s.file('empty'), s.file('b2')], { expect: 65 });
    assert.ok(!fs.existsSync(s.file('b2')));
    fs.chmodSync(s.file('pass'), 0o644);
    assert.match((await s.cli(['backup', '--check', '--passphrase-file', s.file('pass'), file])).stderr, /chmod 600/);
    // No terminal, no file: said, not waited for.
    assert.match((await s.cli(['backup', '--check', file], { expect: 77, wrap: ['setsid', '-w'] })).stderr, /--passphrase-file/);

    const typed = async (args, answers, expect) => {
        const child = spawn('script', ['-qec', [TRIVET, ...args, '--data', s.data].join(' '), '/dev/null'], { env: s.env });
        let said = '';
        for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (said += chunk));
        for (const [prompt, answer] of answers) {
            await s.eventually(`${prompt} in ${said}`, () => said.includes(prompt));
            child.stdin.write(`${answer}\n`);
        }
        const status = await new Promise((resolve) => child.on('close', resolve));
        assert.equal(status, expect, said);
        for (const [, answer] of answers) assert.ok(!said.includes(answer), `it was echoed: ${said}`);
        return said;
    };
    await typed(['backup', '--encrypt', s.file('t')], [['Passphrase: ', 'one two'], ['again: ', 'one too']], 65);
    assert.ok(!fs.existsSync(s.file('t')));
    await typed(['backup', '--encrypt', s.file('t')], [['Passphrase: ', 'one two'], ['again: ', 'one two']], 0);
    await typed(['backup', '--check', s.file('t')], [['Passphrase: ', 'one two']], 0);
    await typed(['backup', '--restore', '--force', s.file('t')], [['Passphrase: ', 'two one']], 65);
    await typed(['backup', '--restore', '--force', s.file('t')], [['Passphrase: ', 'one two']], 0);
});

scenario('a backup that is not whole replaces nothing', async (s) => {
    await s.add(s.text('milk'));
    const good = s.file('good');
    await s.cli(['backup', good]);
    await s.add(s.text('bread'));
    const before = (await s.cli(['export'])).stdout, files = bytesOf(s.data);
    const bytes = fs.readFileSync(good);
    const flipped = (at) => {
        const copy = Buffer.from(bytes);
        copy[at] ^= 0x20;
        return copy;
    };
    const cases = {
        empty: [Buffer.alloc(0), /too soon/],
        'another file': [Buffer.from('PK\x03\x04'.padEnd(100)), /no backup of trivet/],
        'cut in the header': [bytes.subarray(0, 30), /too soon/],
        'cut in the middle': [bytes.subarray(0, bytes.length >> 1), /too soon/],
        'without its last byte': [bytes.subarray(0, -1), /too soon/],
        'one bit of the manifest': [flipped(100), /altered|manifest/],
        'one bit of the database': [flipped(bytes.length >> 1), /altered/],
        'one bit of the hash': [flipped(bytes.length - 1), /altered/],
        'a byte more': [Buffer.concat([bytes, Buffer.from([0])]), /appended/],
        'twice': [Buffer.concat([bytes, bytes]), /appended/],
    };
    for (const [what, [content, pattern]] of Object.entries(cases)) {
        fs.writeFileSync(s.file('bad'), content);
        for (const args of [['--check'], ['--restore', '--force']])
            assert.match((await s.cli(['backup', ...args, s.file('bad')], { expect: 65 })).stderr, pattern, what);
        assert.deepEqual(bytesOf(s.data), files, what);
    }
    assert.equal((await s.cli(['export'])).stdout, before);
    await s.cli(['backup', '--check', s.file('none')], { expect: 66 });
    // Full: no file is left, not even in part.
    if (process.getuid() === 0 && works(['unshare', '-m', 'true']))
        execFileSync('unshare', ['-m', 'sh', '-c', `mkdir -p ${s.file('m')}; mount -t tmpfs -o size=32k tmpfs ${s.file('m')}; ! ${TRIVET} backup --data ${s.data} ${s.file('m')}/b 2>/dev/null; test -z "$(ls -A ${s.file('m')})"`]);
});

scenario('backups while phones sync: each one is a moment', async (s) => {
    await s.serve();
    const phone = await s.phone();
    for (let i = 0; i < 200; i++) phone.add('lists', i % 6, s.text(`item ${i}`));
    await s.confirmed(phone, { stay: true });
    let syncing = true, rounds = 0;
    const busy = (async () => {
        // Each sync adds one to either list: a state in between would show.
        while (syncing) {
            phone.add('lists', 0, s.text(`pair ${rounds}`));
            phone.add('lockedLists', 0, s.text(`pair ${rounds}`));
            await s.confirmed(phone, { stay: true });
            rounds++;
        }
    })();
    for (let i = 0; i < 5; i++) await s.cli(['backup', s.file(`b${i}`)]);
    syncing = false;
    await busy;
    await phone.disconnect();
    for (let i = 0; i < 5; i++) {
        await s.cli(['backup', '--restore', s.file(`b${i}`)], { data: s.file(`r${i}`) });
        const state = await s.export({ data: s.file(`r${i}`) });
        const pairs = (section) => state[section].flat().map((item) => item.text).filter((text) => text.startsWith('pair')).length;
        assert.equal(pairs('lists'), pairs('lockedLists'));
    }
    await s.expectSame(phone);
});

scenario('a restore loses nothing that phones hold, and revives nothing', async (s) => {
    await s.serve();
    const [one, two] = [await s.phone({ deviceId: 'one' }), await s.phone({ deviceId: 'two' })];
    const lost = await s.phone({ deviceId: 'lost' });
    const ids = {};
    for (const [i, word] of ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak', 'pine', 'rowan'].entries()) ids[word] = one.add(i % 2 ? 'lockedLists' : 'lists', i % 3, s.text(word)).id;
    one.setPad(0, s.text('pad'));
    for (const phone of [one, two, lost, one, two]) await s.confirmed(phone);
    const pairing = await s.pair(); // a code that nobody has used yet
    const file = s.file('b.trivet');
    await s.cli(['backup', file]);

    // After the backup: edits on all three, deletions on all three, each known to both phones when the disk dies.
    one.add('lists', 1, s.text('one, after'));
    one.remove(ids.ash);
    two.edit(ids.birch, s.text('birch, by two'));
    two.remove(ids.cedar);
    await s.add(s.text('computer, after'));
    await s.cli(['rm', ids.elm]);
    await s.edit(ids.fir, s.text('fir, by the computer'));
    await s.cli(['pad', '2', '--set', s.text('pad, by the computer')]);
    await s.cli(['devices', 'revoke', lost.pairing.device]);
    for (const phone of [one, two, one, two]) await s.confirmed(phone);
    one.purge(); // the phone forgets what it deleted
    await s.confirmed(one);
    await s.confirmed(two);
    const stranger = await s.phone({ deviceId: 'stranger', pairing });
    await s.confirmed(stranger);
    const later = await s.phone({ deviceId: 'later' });
    await s.confirmed(later);
    // Not yet synced when the computer comes back.
    one.edit(ids.oak, s.text('oak, by one'));
    two.add('lists', 2, s.text('two, on the way'));
    two.remove(ids.pine);

    await s.server.stop();
    const restored = await s.json(['backup', '--restore', '--force', file]);
    assert.equal(restored.revoked, 1, 'what was revoked stays so');
    assert.deepEqual(restored.unknown_devices, [later.pairing.device]);
    await s.serve();
    for (const phone of [two, one, two, one]) {
        await s.confirmed(phone);
        assert.deepEqual(await s.pending(), []);
    }
    const expected = ['birch, by two', 'computer, after', 'fir, by the computer', 'oak, by one', 'one, after', 'rowan', 'two, on the way'].map((text) => s.text(text)).sort();
    for (const phone of [one, two]) assert.deepEqual(live(await s.expectSame(phone)), expected);
    assert.equal((await s.export()).scratchpad[1].content, s.text('pad, by the computer'));
    assert.equal((await lost.sync()).kind, 'closed');
    assert.equal((await later.sync()).kind, 'closed');
    // The code that was open when the backup was made: the phone that used it is known by it again.
    await s.confirmed(stranger);
    assert.deepEqual(live(await s.expectSame(stranger)), expected);
    // A second sync changes nothing.
    const settled = essence(await s.export());
    for (const phone of [one, two, stranger]) await s.confirmed(phone);
    assert.deepEqual(essence(await s.export()), settled);
});

scenario('after a restore a phone is measured from what was restored, whatever its clock says', async (s) => {
    await s.serve();
    const phone = await s.phone({ clockOffset: -3 * 3600 * 1000 });
    const milk = phone.add('lists', 0, s.text('milk')).id;
    await s.confirmed(phone);
    await s.add(s.text('bread')); // what tells the two states apart
    await s.edit(milk, s.text('oat milk')); // by a clock that is hours ahead of the phone's
    const file = s.file('b.trivet');
    await s.cli(['backup', file]);
    await s.confirmed(phone); // and this the computer will not remember
    phone.change(milk, { text: s.text('soy milk') });

    await s.server.stop();
    await s.cli(['backup', '--restore', '--force', file]);
    await s.serve();
    await s.confirmed(phone);
    assert.deepEqual(live(await s.expectSame(phone)), [s.text('bread'), s.text('soy milk')]);
    await s.cli(['fsck']);
});

scenario('a restore that is cut off leaves the old state or the new', async (s) => {
    await s.add(s.text('old'));
    const file = s.file('b.trivet');
    await s.cli(['backup', file]);
    const old = await s.export();
    await s.add(s.text('since'));
    // Its log is still there, as after a power cut.
    await s.serve();
    await s.add(s.text('since, in the log'));
    await s.kill9();
    fs.rmSync(path.join(s.data, 'control.sock'));
    const pristine = s.file('pristine');
    fs.cpSync(s.data, pristine, { recursive: true });
    assert.ok(fs.statSync(path.join(pristine, 'trivet.db-wal')).size > 0);
    const present = await s.export();
    const cuts = [];
    for (const call of ['fsync', 'link', 'rename', 'unlink', 'openat', 'pwrite64'])
        for (let when = 1; when <= 60; when += call === 'openat' || call === 'pwrite64' ? 7 : 1) {
            fs.rmSync(s.data, { recursive: true, force: true });
            fs.cpSync(pristine, s.data, { recursive: true });
            const cut = await s.run(['backup', '--restore', '--force', file, '--data', s.data], {
                expect: null,
                env: { ASAN_OPTIONS: 'detect_leaks=0' }, // which cannot be looked for under strace
                wrap: killedAt(call, when),
            });
            const state = await s.export();
            const isOld = JSON.stringify(essence(state)) === JSON.stringify(essence(present));
            const isNew = JSON.stringify(essence(state)) === JSON.stringify(essence(old));
            assert.ok(isOld || isNew, `${call} ${when}: neither the old nor the new state`);
            if (!wasKilled(cut)) {
                assert.ok(isNew, `${call} ${when}: not cut, so it is done`);
                break;
            }
            cuts.push(isNew);
        }
    assert.ok(cuts.includes(true) && cuts.includes(false), 'cuts on both sides of the moment that decides');
}, { skip: NO_STRACE });

scenario('copies that killed backups left go with the next one, and no other', async (s) => {
    await s.add(s.text('milk'));
    for (const name of ['0123456789abcdef', '0123456789abcdef-journal', '00000000deadbeef-journal']) fs.writeFileSync(path.join(s.data, `trivet.db.copy-${name}`), 'left');
    await s.cli(['backup', s.file('b')]);
    assert.deepEqual(fs.readdirSync(s.data).filter((name) => name.includes('copy')), []);
});

scenario('several backups at once leave each other alone', async (s) => {
    await s.add(s.text('milk'));
    for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 8 }, (_, i) => s.cli(['backup', '--force', s.file(`b${i}`)])));
    for (let i = 0; i < 8; i++) await s.cli(['backup', '--check', s.file(`b${i}`)]);
    assert.deepEqual(fs.readdirSync(s.data).filter((name) => name.includes('copy')), []);
});

/* A backup as anybody can write one, of these bytes (store/backup_file.h). */
function forged(database) {
    const hash = (bytes) => blake2b(Buffer.alloc(0), bytes);
    const u32 = (n) => Buffer.from(Uint32Array.of(n).buffer);
    const header = Buffer.alloc(64);
    Buffer.from('89545256540d0a1a', 'hex').copy(header);
    header.writeUInt16LE(1, 8);
    const entry = { name: 'trivet.db', size: database.length, hash: Buffer.from(hash(database)).toString('hex') };
    const manifest = Buffer.from(JSON.stringify({ version: '0.1.0', server: '', created: 0, entries: [entry] }));
    const content = Buffer.concat([u32(manifest.length), manifest, database]);
    const chunks = [header];
    for (let at = 0; at < content.length; at += 65536) {
        const some = content.subarray(at, at + 65536);
        chunks.push(u32(some.length), some);
    }
    const all = Buffer.concat([...chunks, u32(0)]);
    return Buffer.concat([all, hash(all)]);
}

scenario('a hostile backup whose state names one part again and again is refused before it takes the memory', async (s) => {
    await s.add(s.text('milk'));
    const good = s.file('good'), bad = s.file('bad'), database = s.file('hostile.db');
    const sql = (text) => execFileSync('sqlite3', ['-batch', database], { input: text });
    fs.copyFileSync(path.join(s.data, 'trivet.db'), database);
    fs.rmSync(path.join(s.data, 'trivet.db-wal'), { force: true });
    fs.writeFileSync(good, forged(fs.readFileSync(database)));
    await s.cli(['backup', '--restore', good], { data: s.file('elsewhere') });
    // 3,000 times a list of 50 kB, as it could be 3,000,000 times.
    const part = Buffer.from(`[{"id":"x","text":"${'x'.repeat(50000)}","done":false,"position":1,"createdAt":1,"updatedAt":1}]`);
    const name = Buffer.from(blake2b(Buffer.alloc(0), part)), times = 3000;
    const group = Buffer.concat([Buffer.from('s\x05\0\0\0lists'), Buffer.from(Uint32Array.of(times).buffer), Buffer.alloc(32 * times, name)]);
    const list = Buffer.concat([Buffer.from('\0tvs\x01'), group]), head = Buffer.from(blake2b(Buffer.alloc(0), list));
    for (const [called, data] of [[name, part], [head, list]]) sql(`INSERT INTO blob (name, data) VALUES (x'${called.toString('hex')}', x'${data.toString('hex')}');`);
    sql(`UPDATE head SET name = x'${head.toString('hex')}';`);
    fs.writeFileSync(bad, forged(fs.readFileSync(database)));
    const before = await s.export();
    const refused = await s.cli(['backup', '--restore', '--force', bad], { expect: 65 });
    assert.match(refused.stderr, /names the same part again and again/);
    assert.deepEqual(await s.export(), before);
    assert.deepEqual(fs.readdirSync(s.data).filter((each) => each.includes('incoming')), []);
    // The same in a folder of one's own.
    fs.copyFileSync(database, path.join(s.data, 'trivet.db'));
    assert.match((await s.cli(['list'], { expect: 65 })).stderr, /again and again.*trivet fsck/);
    assert.equal((await s.cli(['fsck'], { expect: 1 })).status, 1);
    await s.cli(['fsck', '--repair'], { expect: 1 });
    await s.cli(['fsck']);
});
