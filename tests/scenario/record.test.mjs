/* trivet serve --record: every merge becomes a case that runs, shows nothing, and never gets in the way of a sync. */
import fs from 'node:fs';
import path from 'node:path';
import { assert, scenario } from './harness.mjs';

const cases = (folder) => fs.readdirSync(folder).sort();
const read = (folder, name, file) => JSON.parse(fs.readFileSync(path.join(folder, name, file), 'utf8'));

/* All cases pass, nothing that was planted is in them, and all is for its owner alone. */
async function sound(s, folder) {
    const { stdout } = await s.run(['merge', '--check', folder]);
    assert.doesNotMatch(stdout, /another result/);
    assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
    for (const name of cases(folder)) {
        assert.equal(fs.statSync(path.join(folder, name)).mode & 0o777, 0o700);
        for (const file of fs.readdirSync(path.join(folder, name))) {
            const whole = path.join(folder, name, file);
            assert.equal(fs.statSync(whole).mode & 0o777, 0o600, whole);
            const text = fs.readFileSync(whole, 'utf8');
            for (const planted of [s.marker.slice(1, -1), ...s.planted]) assert.ok(!text.includes(planted), whole);
        }
    }
}

scenario('each merge of a sync is recorded', async (s) => {
    const folder = s.file('rec');
    const server = await s.serve({ args: ['--record', folder] });
    await server.says(/each merge is recorded in .*rec/);
    const phone = await s.phone();
    const { id } = phone.add('lists', 0, s.text('ash'));
    phone.add('lockedLists', 0, s.text('birch'));
    phone.setPad(0, `${s.text('one')}\n${s.text('two')}`);
    await s.add(s.text('cedar'));
    await s.confirmed(phone);
    assert.equal(cases(folder)[0], 'merge-000001');
    assert.ok(!fs.existsSync(path.join(folder, 'merge-000001/ancestor.json')), 'a first sync has no ancestor');
    assert.equal(read(folder, 'merge-000001', 'expected.json').summary.counts.addedFromComputer, 1);
    await s.confirmed(phone);
    assert.equal(read(folder, cases(folder).at(-1), 'ancestor.json').lists.flat().length, 2);
    /* a tie is recorded as it is asked, and with its answer */
    const before = cases(folder).length;
    const there = await s.edit(id, s.text('ash, computer'));
    phone.edit(id, s.text('ash, phone'), there.updatedAt);
    const sync = phone.sync();
    await s.question();
    await s.cli(['resolve', '--pick', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    await phone.disconnect();
    const [asked, answered] = cases(folder).slice(before);
    assert.equal(read(folder, asked, 'expected.json').status, 'conflict');
    assert.equal(read(folder, answered, 'expected.json').status, 'merged');
    const [pick] = read(folder, answered, 'picks.json');
    const [tie] = read(folder, asked, 'expected.json').ties;
    assert.deepEqual([pick.section, pick.itemId, pick.field, pick.pick], ['lists', tie.itemId, 'text', 'computer']);
    await sound(s, folder);
    await s.expectSame(phone);
});

for (const use of ['both', 'phone', 'computer'])
    scenario(`a large change is recorded as it is asked, and with its answer: ${use}`, async (s) => {
        const folder = s.file('rec');
        await s.serve({ env: { TRIVET_RECORD: folder } });
        const phone = await s.phone();
        for (const word of ['ash', 'birch', 'cedar', 'elm', 'fir']) phone.add('lists', 0, s.text(word));
        await s.confirmed(phone);
        await s.confirmed(phone);
        const before = cases(folder).length;
        phone.wipe();
        const sync = phone.sync();
        await s.question();
        await s.cli(['resolve', '--use', use]);
        assert.equal((await sync).kind, 'confirmed');
        await phone.disconnect();
        const [asked, answered] = cases(folder).slice(before);
        const expected = read(folder, asked, 'expected.json');
        assert.equal(expected.status, 'large_change');
        assert.deepEqual(expected.large_change, { known: 5, phoneMissing: 5, computerMissing: 0 });
        assert.equal(read(folder, answered, 'options.json').large, use);
        const merged = read(folder, answered, 'expected.json').snapshot;
        assert.equal(merged.lists.flat().filter((item) => !item.deleted).length, use === 'phone' ? 0 : 5);
        await sound(s, folder);
        await s.expectSame(phone);
    });

scenario('what cannot be recorded never disturbs a sync', async (s) => {
    const folder = s.file('rec');
    const server = await s.serve({ args: ['--record', folder] });
    const phone = await s.phone();
    phone.add('lists', 0, s.text('ash'));
    fs.rmdirSync(folder);
    fs.writeFileSync(folder, '');
    await s.confirmed(phone);
    await server.says(/a merge was not recorded: .*rec: Not a directory/);
    fs.unlinkSync(folder);
    phone.add('lists', 0, s.text('birch'));
    await s.confirmed(phone); /* the folder is made anew */
    assert.ok(cases(folder).length > 0);
    await sound(s, folder);
    await s.expectSame(phone);
});

scenario('a folder that cannot be recorded into is told at the start', async (s) => {
    fs.writeFileSync(s.file('taken'), '');
    for (const [folder, why] of [['taken', 'Not a directory'], ['no/where', 'No such file or directory']]) {
        const { stderr } = await s.cli(['serve', '--port', '0', '--no-mdns', '--record', s.file(folder)], { expect: 73 });
        assert.match(stderr, new RegExp(`merges cannot be recorded: .*${folder}: ${why}`));
    }
});
