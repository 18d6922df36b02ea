/*
 * What is left when the disk was not kind: each kind of damage has an outcome that is written down (trivet-fsck(8)), a message
 * that names the command that helps, and overwrites nothing.
 */
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { assert, essence, itemsOf, scenario } from './harness.mjs';

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
        const chosen = all.length <= 6 ? all : all.filter((_, i) => i % Math.ceil(all.length / 6) === 0);
        let found = 0, repaired = 0;
        for (const page of chosen)
            for (const [how, from, length] of [['start', 0, 40], ['middle', size >> 1, 64], ['end', size - 64, 64]]) {
                const bytes = Buffer.from(whole), at = (page - 1) * size + from;
                for (let i = 0; i < length; i++) bytes[at + i] ^= 0x5a;
                for (const name of fs.readdirSync(s.data)) fs.rmSync(path.join(s.data, name));
                fs.writeFileSync(database(s), bytes, { mode: 0o600 });
                const what = `page ${page}, ${how}`;
                const listed = await s.cli(['list', '--json'], { expect: null });
                assert.ok([0, 65, 74].includes(listed.status), `${what}: ${listed.status} ${listed.stderr}`);
                if (listed.status !== 0) assert.match(listed.stderr, /damaged.*trivet fsck/s, what);
                const checked = await s.cli(['fsck'], { expect: null });
                assert.ok([0, 1, 74].includes(checked.status), `${what}: ${checked.status} ${checked.stderr}`);
                assert.ok(fs.readFileSync(database(s)).equals(bytes), `${what}: something was overwritten`);
                if (checked.status === 0) continue; // nothing stood there
                found++;
                const fixed = await s.cli(['fsck', '--repair', '--json'], { expect: null });
                if (checked.status === 74) {
                    assert.equal(fixed.status, 74, what);
                    assert.match(fixed.stderr, /backup --restore/, what);
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
