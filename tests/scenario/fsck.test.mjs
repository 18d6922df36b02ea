/*
 * What is left when the disk was not kind: each kind of damage has an outcome that is written down (trivet-fsck(8)), a message
 * that names the command that helps, and overwrites nothing.
 */
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { NO_STRACE, assert, itemsOf, killedAt, scenario, wasKilled } from './harness.mjs';

const live = (state) => itemsOf(state).filter((item) => !item.deleted).map((item) => item.text).sort();
const database = (s) => path.join(s.data, 'trivet.db');
const sql = (file, text) => execFileSync('sqlite3', ['-batch', file], { input: text, encoding: 'utf8' });

/* Two phones, some history; the server is stopped and its log copied back. */
async function used(s, items = 40) {
    await s.serve();
    const [one, two] = [await s.phone({ deviceId: 'one' }), await s.phone({ deviceId: 'two' })];
    for (let i = 0; i < items; i++) one.add(i % 2 ? 'lists' : 'lockedLists', i % 6, s.text(`item ${i} ${'x'.repeat(60)}`));
    one.setPad(0, s.text('pad\n'.repeat(2000)));
    for (let round = 0; round < 6; round++) {
        await s.confirmed(one);
        await s.confirmed(two);
        one.add('lists', round, s.text(`one ${round}`));
        two.remove(itemsOf(two.state()).filter((item) => !item.deleted)[round].id);
        await s.add(s.text(`computer ${round}`), ['--slot', String(round + 1)]);
    }
    for (const phone of [one, two, one, two]) await s.confirmed(phone);
    two.purge();
    await s.confirmed(two);
    await s.confirmed(one);
    await s.server.stop();
    return { one, two };
}

/* The pages of a database by kind: their numbers, the first being 1. */
function pagesOf(file) {
    const bytes = fs.readFileSync(file), size = bytes.readUInt16BE(16);
    const names = { 2: 'inner page of an index', 5: 'inner page of a table', 10: 'leaf of an index', 13: 'leaf of a table' };
    const pages = { 'first page': [1] };
    for (let page = 2; page <= bytes.length / size; page++) (pages[names[bytes[(page - 1) * size]] ?? 'other page'] ??= []).push(page);
    return { pages, size };
}

/* After a repair: fsck is content, both phones sync, and whatever a phone held is still there. */
async function worksAgain(s, one, two) {
    const before = new Set([...live(one.state()), ...live(two.state())]);
    await s.serve();
    const known = await s.json(['devices']);
    for (const phone of [one, two, one, two]) {
        if (!known.some((device) => device.id === phone.pairing.device)) continue; // the row that knew it is gone: it pairs again
        await s.confirmed(phone);
        const computer = await s.expectSame(phone);
        for (const text of before) assert.ok(live(computer).includes(text), `lost: ${text}`);
        assert.deepEqual(live(computer).filter((text) => !before.has(text)), [], 'something came back');
    }
    await s.server.stop();
    await s.cli(['fsck']);
}

for (const kind of ['first page', 'inner page of a table', 'leaf of a table', 'inner page of an index', 'leaf of an index', 'other page'])
    scenario(`damage in the database: ${kind}`, async (s, t) => {
        const { one, two } = await used(s);
        assert.match((await s.cli(['fsck'])).stdout, /is sound/);
        const { pages, size } = pagesOf(database(s));
        const whole = fs.readFileSync(database(s));
        const phones = [one, two].map((phone) => phone.backup());
        const all = pages[kind] ?? [];
        if (all.length === 0) return t.skip('there is no such page');
        const chosen = all.filter((_, i) => i % Math.ceil(all.length / (process.env.TRIVET_THOROUGH ? 100 : 3)) === 0);
        let found = 0, repaired = 0;
        for (const page of chosen)
            for (const [how, from, length] of [['start', 0, 40], ['middle', size >> 1, 64], ['end', size - 64, 64]]) {
                const bytes = Buffer.from(whole), at = (page - 1) * size + from;
                for (let i = 0; i < length; i++) bytes[at + i] ^= 0x5a;
                const harm = () => {
                    for (const name of fs.readdirSync(s.data)) fs.rmSync(path.join(s.data, name), { recursive: true });
                    fs.writeFileSync(database(s), bytes, { mode: 0o600 });
                };
                harm();
                const what = `page ${page}, ${how}`;
                const listed = await s.cli(['list', '--json'], { expect: null });
                assert.ok([0, 65, 74].includes(listed.status), `${what}: ${listed.status} ${listed.stderr}`);
                if (listed.status !== 0) {
                    assert.match(listed.stderr, /damaged.*trivet fsck/s, what);
                    assert.ok(fs.readFileSync(database(s)).equals(bytes), `${what}: it was noticed, and overwritten`);
                } else harm(); // not noticed: what is not damaged may be written
                const checked = await s.cli(['fsck'], { expect: null });
                assert.ok([0, 1, 74].includes(checked.status), `${what}: ${checked.status} ${checked.stderr}`);
                assert.ok(fs.readFileSync(database(s)).equals(bytes), `${what}: something was overwritten`);
                if (checked.status === 0) continue; // nothing stood there
                found++;
                const fixed = await s.cli(['fsck', '--repair', '--json'], { expect: null });
                if (checked.status === 74) {
                    assert.equal(fixed.status, 74, what);
                    assert.match(fixed.stderr, /cannot be read, nor repaired: .*Restore a backup: `trivet backup --restore --force FILE`/, what);
                    assert.doesNotMatch(fixed.stderr, /trivet fsck/, what); // which is what just ran
                    assert.ok(fs.readFileSync(database(s)).equals(bytes), `${what}: something was overwritten`);
                    continue;
                }
                assert.ok(fixed.status === 1 || fixed.status === 74, `${what}: ${fixed.status} ${fixed.stderr}`);
                if (fixed.status === 74) { t.diagnostic(what + fixed.stderr); continue; }
                repaired++;
                const { kept } = JSON.parse(fixed.stdout);
                assert.ok(fs.readFileSync(path.join(s.data, kept)).equals(bytes), `${what}: the damaged file is kept`);
                assert.match((await s.cli(['fsck'])).stdout, /is sound/, what);
                if (repaired % 4 === 1) {
                    one.restore(phones[0]);
                    two.restore(phones[1]);
                    await worksAgain(s, one, two);
                }
            }
        t.diagnostic(`${found} faults, ${repaired} repaired`);
        assert.ok(found > 0 || kind === 'other page', 'nothing was found at all');
        if (kind !== 'first page' && kind !== 'other page') assert.ok(repaired > 0, 'nothing was repaired');
    });

scenario('a damaged list of the present state: the newest whole one, and the phones bring the rest', async (s) => {
    const { one, two } = await used(s);
    // What only the computer knows, in a list that stays whole, and in the one that is damaged.
    await s.add(s.text('whole, computer only'), ['--slot', '2']);
    await s.add(s.text('damaged, computer only'), ['--slot', '3']);
    // An edit stores the list that it changed, and then the state that names it.
    sql(database(s), 'UPDATE blob SET data = substr(data, 1, length(data) - 1) WHERE num = (SELECT max(num) - 1 FROM blob);');
    assert.match((await s.cli(['list', '--slot', '3'], { expect: null })).stderr, /damaged.*trivet fsck/s);
    const found = await s.json(['fsck'], { expect: 1 });
    assert.deepEqual([...new Set(found.findings.filter((each) => each.fault).map((each) => each.kind))].sort(), ['head', 'history', 'part']);
    const said = await s.cli(['fsck', '--repair'], { expect: 1 });
    assert.match(said.stdout, /repaired: \d+ faults; .* is sound now\nthe damaged database is kept as .*trivet\.db\.damaged-/);
    assert.ok(live(await s.export()).includes(s.text('whole, computer only')));
    one.add('lists', 2, s.text('added since'));
    await s.serve();
    for (const phone of [one, two, one]) await s.confirmed(phone);
    assert.deepEqual(await s.pending(), []);
    const state = live(await s.expectSame(one));
    for (const text of [...live(two.state()), s.text('whole, computer only'), s.text('added since')]) assert.ok(state.includes(text), text);
});

scenario('notes of what was brought back: bad ones are found and dropped, good ones stay', async (s) => {
    const item = await s.add(s.text('milk'));
    await s.cli(['rm', item.id]);
    await s.cli(['restore', (await s.json(['history'])).at(-1).state ?? String((await s.json(['history'])).at(-1).id)], { expect: null });
    sql(database(s), "INSERT OR REPLACE INTO revival VALUES (0, x'676f6f64', 1700000000000);");
    const good = sql(database(s), 'SELECT * FROM revival ORDER BY section, id;');
    await s.cli(['fsck']);
    // A section that there is not, a date before all and beyond all, an item without an id.
    sql(database(s), "INSERT INTO revival VALUES (9, x'61', 1700000000000), (-1, x'62', 1), (0, x'63', -5), (1, x'64', 9007199254740992), (1, x'', 1);");
    const found = await s.json(['fsck'], { expect: 1 });
    assert.equal(found.faults, 5);
    assert.deepEqual([...new Set(found.findings.filter((each) => each.fault).map((each) => each.kind))], ['revival']);
    assert.match((await s.cli(['fsck', '--repair'], { expect: 1 })).stdout, /repaired: 5 faults/);
    assert.equal(sql(database(s), 'SELECT * FROM revival ORDER BY section, id;'), good);
    await s.cli(['fsck']);
});

/* [offset, what stands there] */
const FIRST_PAGE = [[0, 'what the file is'], [16, 'size of a page'], [60, 'version of the format'], [68, 'whose it is'], [100, 'its tables'], [105, 'its tables']];
scenario('the first page damaged: fsck says that a backup is to be restored, and that works', async (s) => {
    await s.add(s.text('milk'));
    await s.cli(['backup', s.file('b')]);
    const whole = fs.readFileSync(database(s));
    for (const [offset, what] of FIRST_PAGE) {
        const bytes = Buffer.from(whole);
        bytes.fill(0x5a, offset, offset + 4);
        for (const tail of ['-wal', '-shm']) fs.rmSync(database(s) + tail, { force: true });
        fs.writeFileSync(database(s), bytes);
        for (const args of [['fsck'], ['fsck', '--repair'], ['fsck', '--json']]) {
            const { stderr, stdout } = await s.cli(args, { expect: 74 });
            assert.match(stderr, /trivet\.db cannot be read, nor repaired: .+\. Restore a backup: `trivet backup --restore --force FILE`, which keeps this file\. Without one: move/, what);
            if (args.includes('--json')) assert.equal(stdout, '', what);
            assert.ok(fs.readFileSync(database(s)).equals(bytes), `${what}: ${args} changed it`);
        }
        const { kept } = await s.json(['backup', '--restore', '--force', s.file('b')]);
        assert.ok(fs.readFileSync(path.join(s.data, kept)).equals(bytes), what);
        assert.deepEqual(live(await s.export()), [s.text('milk')], what);
    }
    // The other way that it names.
    fs.rmSync(s.data, { recursive: true });
    fs.mkdirSync(s.data, { mode: 0o700 });
    await s.serve();
});

/* Every call that changes something on the disk, or some of them: which, and how many lie between two kills. */
const CHANGING = process.env.TRIVET_THOROUGH ? { fsync: 1, fdatasync: 1, link: 1, rename: 1, unlink: 1, openat: 7, pwrite64: 25 } : { fsync: 2, link: 1, rename: 1, unlink: 2, pwrite64: 60 };

for (const [what, harm] of [
    ['a part', (file) => sql(file, 'UPDATE blob SET data = substr(data, 1, length(data) - 1) WHERE num = (SELECT max(num) - 1 FROM blob);')],
    ['a page', (file) => {
        const { pages, size } = pagesOf(file), bytes = fs.readFileSync(file);
        const [page] = pages['leaf of a table'].slice(-1);
        bytes.fill(0x5a, (page - 1) * size, (page - 1) * size + 40);
        fs.writeFileSync(file, bytes);
    }],
])
    scenario(`a repair that is killed at any step, ${what} being damaged: the next one ends as the first would have`, async (s) => {
        await used(s, 12);
        harm(database(s));
        const pristine = s.file('pristine');
        fs.cpSync(s.data, pristine, { recursive: true });
        const again = () => (fs.rmSync(s.data, { recursive: true, force: true }), fs.cpSync(pristine, s.data, { recursive: true }));
        const repair = (options) => s.cli(['fsck', '--repair'], { expect: null, ...options });
        assert.equal((await repair()).status, 1);
        const whole = live(await s.export());
        assert.ok(whole.length > 10);
        let [before, after] = [0, 0];
        for (const [call, every] of Object.entries(CHANGING))
            for (let when = 1; when <= 5000; when += every) {
                again();
                const cut = await repair({ env: { ASAN_OPTIONS: 'detect_leaks=0' }, wrap: killedAt(call, when) });
                const at = `${call} ${when}`;
                let left = await s.cli(['fsck'], { expect: null });
                if (/was interrupted; `trivet status` then ends it/.test(left.stderr)) {
                    await s.cli(['status']);
                    left = await s.cli(['fsck'], { expect: null });
                }
                assert.ok(left.status <= 1, `${at}: ${left.stderr}`);
                if (left.status === 1) {
                    const fixed = await repair();
                    assert.equal(fixed.status, 1, `${at}: ${fixed.stderr}`);
                    before++;
                } else after++;
                assert.match((await s.cli(['fsck'])).stdout, /is sound/, at);
                assert.deepEqual(live(await s.export()), whole, at);
                assert.deepEqual(fs.readdirSync(s.data).filter((name) => name.includes('incoming') || name.includes('next')), [], at);
                if (!wasKilled(cut)) break;
            }
        assert.ok(before > 0 && after > 0, `kills on both sides of the moment that decides: ${before}, ${after}`);
    }, { skip: NO_STRACE || (what === 'a page' && !process.env.TRIVET_THOROUGH ? 'a minute; part of check-all' : ''), timeout: 1200000 });

scenario('what a killed repair or restore left of its journal is not rolled back into the next one', async (s) => {
    await used(s, 12);
    await s.cli(['backup', s.file('b')]);
    const whole = await s.export();
    // The journal of a transaction that was never ended, on a copy that held something else.
    const other = s.file('other.db'), incoming = path.join(s.data, 'trivet.db.incoming');
    fs.copyFileSync(database(s), other);
    sql(other, 'PRAGMA journal_mode = DELETE; UPDATE blob SET data = zeroblob(length(data));');
    const left = s.file('journal');
    sql(other, `PRAGMA journal_mode = DELETE; PRAGMA cache_spill = 1; PRAGMA cache_size = 1; BEGIN; UPDATE blob SET data = randomblob(length(data)); DELETE FROM device;
.shell cp ${other}-journal ${left}
ROLLBACK;`);
    assert.ok(fs.statSync(left).size > 1000);
    const plant = () => fs.copyFileSync(left, `${incoming}-journal`);
    plant();
    await s.cli(['backup', '--restore', '--force', s.file('b')]);
    assert.deepEqual(await s.export(), whole);
    sql(database(s), 'UPDATE history SET counts = 1 + id;  UPDATE history SET counts = char(0x7b) WHERE id = 1;');
    plant();
    await s.cli(['fsck', '--repair'], { expect: 1 });
    assert.match((await s.cli(['fsck'])).stdout, /is sound/);
    assert.deepEqual(await s.export(), whole);
});

/* [what, how to do it, what every command says, what fsck says, whether restoring a backup then works] */
const CASES = [
    ['an empty file', (file) => fs.writeFileSync(file, ''), /trivet\.db is damaged: it is empty/],
    ['the database is gone, its log is not', (file) => fs.renameSync(file, `${file}.elsewhere`), /it is missing, though its log/],
    ['another program wrote it', (file) => (fs.rmSync(file), sql(file, 'CREATE TABLE a (b); INSERT INTO a VALUES (1);')), /not this program's/],
    ['no database at all', (file) => fs.writeFileSync(file, 'milk\n'.repeat(1000)), /not a database/],
    ['cut to a third', (file) => fs.truncateSync(file, Math.floor(fs.statSync(file).size / 3)), /damaged/],
    ['cut in the header', (file) => fs.truncateSync(file, 50), /not a database|damaged/],
    ['a folder in its place', (file) => (fs.rmSync(file), fs.mkdirSync(file)), /it is no file/],
    ['a newer version wrote it', (file) => sql(file, 'PRAGMA user_version = 999;'), /newer version/],
];
for (const [what, harm, pattern] of CASES)
    scenario(`a database that is not one: ${what}`, async (s) => {
        await s.add(s.text('milk'));
        await s.cli(['backup', s.file('b')]);
        await s.add(s.text('bread'));
        const whole = await s.export();
        if (what.includes('log')) {
            await s.serve();
            await s.add(s.text('in the log'));
            await s.kill9();
        }
        harm(database(s));
        const seen = () => Object.fromEntries(fs.readdirSync(s.data).filter((name) => /^trivet\.db(-wal)?$/.test(name) && fs.statSync(path.join(s.data, name)).size > 0).map((name) => [name, fs.statSync(path.join(s.data, name)).isFile() ? fs.readFileSync(path.join(s.data, name), 'base64') : 'folder']));
        const before = seen();
        for (const args of [['list'], ['add', 'x'], ['backup', s.file('b2')], ['fsck']]) {
            const said = await s.cli(args, { expect: null });
            assert.ok(said.status >= 65 || (args[0] === 'fsck' && said.status === 1), `${args}: ${said.status}`);
            assert.match(said.stderr + said.stdout, args[0] === 'fsck' ? /./ : pattern, args.join(' '));
            assert.deepEqual(seen(), before, `${args} changed something`);
        }
        assert.ok(!fs.existsSync(s.file('b2')));
        const server = await s.serve({ ready: false });
        server.expected = null;
        const end = await server.done;
        assert.ok(end.status >= 65, `${end.status}`);
        assert.match(server.stderr, pattern);
        if (!what.includes('newer') && !what.includes('folder')) assert.match(server.stderr, /trivet backup --restore --force/);
        assert.deepEqual(seen(), before);
        if (what.includes('folder')) return;
        const restored = await s.json(['backup', '--restore', '--force', s.file('b')]);
        assert.equal(restored.old_unreadable, !what.includes('cut to a third') || restored.old_unreadable);
        assert.deepEqual(live(await s.export()), [s.text('milk')]);
        assert.ok(!restored.kept || fs.existsSync(path.join(s.data, restored.kept)) || fs.existsSync(path.join(s.data, `${restored.kept}-wal`)));
        assert.ok(whole);
        await s.serve();
    });

scenario('a log that is gone: the state up to it stands, and fsck is content', async (s) => {
    await s.serve();
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone);
    await s.restart();
    phone.add('lists', 0, s.text('bread'));
    await s.add(s.text('by the computer, in the log only'));
    await s.confirmed(phone);
    await s.kill9();
    for (const tail of ['-wal', '-shm']) fs.rmSync(`${database(s)}${tail}`, { force: true });
    assert.match((await s.cli(['fsck'])).stdout, /is sound/);
    assert.deepEqual(live(await s.export()), [s.text('milk')]);
    await s.serve();
    await s.confirmed(phone);
    assert.deepEqual(live(await s.expectSame(phone)), [s.text('bread'), s.text('by the computer, in the log only'), s.text('milk')], 'the phone held all of it');
    assert.deepEqual(await s.pending(), []);
});

scenario('fsck beside a running server, and a repair that wants it stopped', async (s) => {
    await s.serve();
    await s.add(s.text('milk'));
    assert.match((await s.cli(['fsck'])).stdout, /is sound/);
    assert.match((await s.cli(['fsck', '--repair'], { expect: 75 })).stderr, /in use by process \d+.*stopped/);
    await s.cli(['fsck'], { data: s.file('nowhere'), expect: 74 });
    assert.ok(!fs.existsSync(s.file('nowhere')));
});

/* ---- who may look ---- */

const ROOT_USER = process.getuid() === 0;

scenario('a folder that is too open is made narrow when the server starts', async (s) => {
    await s.add(s.text('milk'));
    fs.chmodSync(s.data, 0o755);
    fs.chmodSync(database(s), 0o644);
    fs.writeFileSync(path.join(s.data, 'server.key'), 'k', { mode: 0o640 });
    const found = await s.json(['fsck'], { expect: 1 });
    assert.equal(found.findings.filter((each) => each.kind === 'folder' && each.fault).length, 3);
    await s.serve();
    assert.match(s.server.stderr, /can be looked into by other users \(mode 0755\); now they may not/);
    const mode = (file) => fs.statSync(file).mode & 0o777;
    assert.deepEqual([mode(s.data), mode(database(s)), mode(path.join(s.data, 'server.key')), mode(path.join(s.data, 'control.sock'))], [0o700, 0o600, 0o600, 0o600]);
    for (const name of fs.readdirSync(s.data)) assert.equal(mode(path.join(s.data, name)) & 0o077, 0, name);
    await s.cli(['fsck']);
});

const as = (uid) => ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];

scenario("another user's folder, or file, is refused", async (s) => {
    fs.chmodSync(s.folder, 0o755);
    fs.mkdirSync(s.data, { mode: 0o777 });
    fs.chmodSync(s.data, 0o777);
    const refused = async (options, pattern) => {
        const server = await s.serve({ ready: false, ...options });
        server.expected = null;
        assert.equal((await server.done).status, 77, server.stderr);
        assert.match(server.stderr, pattern);
    };
    await refused({ wrap: as(65534), env: { HOME: '/tmp' } }, /belongs to user 0, not to user 65534.*chown/);
    // Somebody else put a file there while they could.
    fs.chownSync(s.data, 1234, 1234);
    fs.writeFileSync(database(s), 'x');
    fs.chownSync(database(s), 65534, 65534);
    await refused({ wrap: as(1234) }, /trivet\.db belongs to user 65534/);
    await refused({}, /trivet\.db belongs to user 65534, not to user 1234/);
    fs.rmSync(database(s));
    // A link that another made.
    fs.symlinkSync(s.data, s.file('link'));
    fs.lchownSync(s.file('link'), 65534, 65534);
    await refused({ wrap: as(1234), data: s.file('link') }, /is a link that user 65534 made/);
    // Its own link is its own affair.
    fs.lchownSync(s.file('link'), 1234, 1234);
    const server = await s.serve({ wrap: as(1234), data: s.file('link') });
    await server.stop();
    // What root does there stays usable for the owner.
    await s.add(s.text('by root'));
    for (const name of fs.readdirSync(s.data)) assert.equal(fs.statSync(path.join(s.data, name)).uid, 1234, name);
    await s.cli(['backup', s.file('b')]);
    await s.cli(['backup', '--restore', '--force', s.file('b')]);
    for (const name of fs.readdirSync(s.data)) assert.equal(fs.statSync(path.join(s.data, name)).uid, 1234, name);
}, { skip: ROOT_USER ? '' : 'needs root' });
