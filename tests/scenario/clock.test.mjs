/*
 * The computer's clock set back a year, set forward a year, and right again: what was edited meanwhile is there, what was
 * deleted stays deleted, and nothing is dropped because it seems to be old (trivet-fsck(8), "The clock was set ...").
 */
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { TRIVET, assert, itemWith, itemsOf, scenario } from './harness.mjs';

const live = (state) => itemsOf(state).filter((item) => !item.deleted).map((item) => item.text).sort();
const YEAR = 365 * 86400000;

/* libfaketime, where it is installed and goes together with how the program was built (not with sanitizers). */
const library = ['/usr/lib', '/usr/lib64']
    .filter((folder) => fs.existsSync(folder))
    .flatMap((folder) => fs.readdirSync(folder).map((name) => path.join(folder, name, 'faketime/libfaketimeMT.so.1')))
    .find((file) => fs.existsSync(file));
const clock = (offset) => ({ LD_PRELOAD: library, FAKETIME: `${offset < 0 ? '' : '+'}${offset / 1000}`, FAKETIME_DONT_FAKE_MONOTONIC: '1' });
function canFake() {
    try {
        return /^trivet/.test(execFileSync(TRIVET, ['--version'], { env: { ...process.env, ...clock(-YEAR) }, encoding: 'utf8' }));
    } catch {
        return false;
    }
}
const skip = library && canFake() ? '' : 'libfaketime cannot be used here';

for (const [what, offset] of [['back', -YEAR], ['forward', YEAR]])
    scenario(`the clock set ${what} a year, and right again`, async (s) => {
        await s.serve();
        const [phone, away] = [await s.phone({ deviceId: 'here' }), await s.phone({ deviceId: 'away' })];
        const ids = {};
        for (const word of ['ash', 'birch', 'cedar', 'elm', 'fir']) ids[word] = phone.add('lists', 0, s.text(word)).id;
        for (const each of [phone, away, phone, away]) await s.confirmed(each);
        // Deleted and forgotten here, still held by the phone that is away: the computer keeps a note of it.
        phone.remove(ids.elm);
        await s.confirmed(phone);
        await s.cli(['rm', ids.fir]);
        for (let i = 0; i < 2; i++) {
            await s.confirmed(phone);
            phone.purge();
        }
        await s.confirmed(phone);
        await s.add(s.text('today'));
        await s.confirmed(phone);
        const history = async () => (await s.json(['history'], { env: {} })).length;
        const lines = await history();
        assert.ok(lines > 3);
        const states = (await s.json(['fsck'])).states;
        const open = await s.pair();

        const env = clock(offset);
        await s.restart({ env });
        assert.equal((await s.json(['status'], { env })).devices, 2);
        const byComputer = await s.json(['edit', ids.ash, s.text('ash, by the computer')], { env });
        const added = await s.json(['add', s.text('at the wrong time')], { env });
        s.planted.add(s.text('ash, by the computer'));
        phone.edit(ids.birch, s.text('birch, by the phone'));
        await s.confirmed(phone);
        assert.deepEqual(await s.pending(), []);
        assert.deepEqual(live(await s.expectSame(phone)), ['ash, by the computer', 'at the wrong time', 'birch, by the phone', 'cedar', 'today'].map((word) => s.text(word)));
        if (offset < 0) assert.ok(byComputer.updatedAt >= phone.find(ids.ash).item.updatedAt, 'an edit is never older than what it edits');
        assert.ok(Math.abs(added.createdAt - Date.now() - offset) < 600000, 'the clock was wrong indeed');
        // Codes: one made under this clock works; one that was open before lapsed if an hour seems to be over, and only then.
        const fresh = await s.phone({ deviceId: 'fresh', pairing: JSON.parse((await s.cli(['pair', '--json'], { env })).stdout) });
        await s.confirmed(fresh);
        const late = await s.phone({ deviceId: 'late', pairing: open });
        assert.equal((await late.sync()).kind, offset > 0 ? 'closed' : 'confirmed');
        // Both sides edit one item; the phone does so later, by a clock that is right.
        await s.json(['edit', ids.cedar, s.text('cedar, by the computer')], { env });
        s.planted.add(s.text('cedar, by the computer'));
        phone.edit(ids.cedar, s.text('cedar, by the phone'), Date.now() + 5);
        const before = await s.json(['fsck']);
        assert.equal(before.faults, 0);
        assert.ok(before.states >= states, 'no state was dropped');

        await s.restart();
        await s.confirmed(phone);
        const winner = offset > 0 ? 'cedar, by the computer' : 'cedar, by the phone';
        assert.ok(live(await s.expectSame(phone)).includes(s.text(winner)), 'the greater date wins');
        // The next edit of it counts again, whatever its date.
        phone.edit(ids.cedar, s.text('cedar, once more'), Date.now() + 10);
        await s.confirmed(phone);
        assert.ok(live(await s.expectSame(phone)).includes(s.text('cedar, once more')));
        // The phone that was away brings nothing back, and all of it arrives there.
        away.edit(ids.birch, away.find(ids.birch).item.text, away.find(ids.birch).item.updatedAt);
        await s.confirmed(away);
        const texts = live(await s.expectSame(away));
        for (const word of ['elm', 'fir']) assert.ok(!texts.includes(s.text(word)), `${word} came back`);
        for (const word of ['today', 'at the wrong time', 'ash, by the computer']) assert.ok(texts.includes(s.text(word)), word);
        assert.deepEqual(await s.pending(), []);
        assert.ok((await history()) > lines);
        const found = await s.json(['fsck']);
        assert.equal(found.faults, 0);
        assert.equal(found.findings.some((each) => each.kind === 'clock'), offset > 0);
        assert.ok(itemWith(await s.export(), s.text('today')));
    }, { skip });
