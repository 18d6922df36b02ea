/* Past states: what happened, what differs, what lost, and bringing it back on every phone (merge §2, §3, §6, §10). */
import fs from 'node:fs';
import { assert, itemWith, itemsOf, scenario, seeded, sleep, texts } from './harness.mjs';

const live = (state) => itemsOf(state).filter((item) => !item.deleted);

/* What a person sees of a state, times and tombstones aside: items with all they say, labels and scratchpads. */
function seen(state) {
    const filled = (list, key) => Array.from({ length: 6 }, (_, i) => list?.[i]?.[key] ?? '');
    return {
        items: live(state)
            .map(({ updatedAt, deleted, deletedAt, ...rest }) => rest)
            .sort((a, b) => (a.section + a.id < b.section + b.id ? -1 : 1)),
        order: texts(state),
        pads: filled(state.scratchpad, 'content'),
        labels: ['listsCategories', 'lockedListsCategories', 'scratchpadCategories'].map((key) => filled(state[key], 'label')),
    };
}

/* Everything that a state can hold, agreed on by two phones. */
async function agreed(s) {
    await s.serve();
    const a = await s.phone({ deviceId: 'A' });
    const b = await s.phone({ deviceId: 'B' });
    const ids = {};
    for (const word of ['ash', 'birch', 'cedar', 'elm', 'fir']) ids[word] = a.add('lists', 0, s.text(word), { colour: `${word} green` }).id;
    ids.key = a.add('lockedLists', 2, s.text('key')).id;
    a.setPad(1, s.text('one\ntwo'));
    a.setLabel('lists', 0, s.text('trees'));
    for (const phone of [a, b, a, b]) await s.confirmed(phone);
    return { a, b, ids };
}

/* Changes all of it, on the computer and on a phone. */
async function upset(s, { a, ids }) {
    await s.edit(ids.ash, s.text('ash, felled'));
    await s.cli(['done', ids.birch]);
    await s.cli(['rm', ids.cedar]);
    await s.cli(['rm', ids.key]);
    await s.cli(['mv', ids.elm, '--slot', '4']);
    await s.cli(['mv', ids.fir, '--top']);
    await s.cli(['pad', '2', '--set', s.text('other words')]);
    await s.add(s.text('ginkgo'));
    a.setLabel('lists', 0, s.text('shrubs'));
    a.change(ids.birch, { colour: 'white' });
    a.add('lists', 5, s.text('hazel'));
    await s.confirmed(a);
}

const newest = async (s) => (await s.json(['history', '--limit', '1']))[0];

async function everywhere(s, phones, expected) {
    for (const phone of [...phones, ...phones]) await s.confirmed(phone);
    assert.deepEqual(seen(await s.export()), expected);
    for (const phone of phones) assert.deepEqual(seen(phone.state()), expected);
}

scenario('history says what happened, newest first', async (s) => {
    const { a } = await agreed(s);
    await s.add(s.text('milk'));
    await s.add(s.text('hidden'), ['--locked']);
    const lines = await s.json(['history']);
    assert.ok(lines.length >= 3);
    for (const [i, line] of lines.entries()) {
        assert.ok(Number.isInteger(line.id) && Number.isInteger(line.time) && line.counts.constructor === Object);
        if (i > 0) assert.ok(line.id < lines[i - 1].id);
    }
    assert.equal(lines[0].cause, 'edit');
    assert.equal(lines[0].device, undefined);
    assert.equal(lines.at(-1).cause, 'sync');
    assert.equal(lines.at(-1).device, a.pairing.device);
    assert.equal(lines.at(-1).phone, 'A');
    assert.equal(lines.at(-1).counts.addedFromPhone, 6);
    assert.equal((await s.json(['history', '--limit', '2'])).length, 2);
    assert.deepEqual(await s.json(['history', '--since', '1h']), lines);
    assert.deepEqual(await s.json(['history', '--since', '2099-01-01']), []);

    const words = (await s.cli(['history', '--full'])).stdout;
    assert.ok(words.includes(s.text('milk')) && !words.includes(s.text('hidden')), words);
    assert.match(words, /edit +1 added\n +added +[0-9a-f]{4} +milk .*\(list 1/);
    assert.ok((await s.cli(['history', '--full', '--locked'])).stdout.includes(s.text('hidden')));
    const json = await s.json(['history', '--full', '--limit', '2']);
    assert.equal(json[1].changes[0].after.text, s.text('milk'));
    assert.equal(json[0].changes[0].after, undefined, 'a locked item says nothing unless asked');
    assert.equal(json[0].changes[0].section, 'lockedLists');
});

scenario('diff names states by line, by time, by name and by word', async (s) => {
    const milk = await s.add(s.text('milk'));
    await s.edit(milk.id, s.text('oat milk'));
    const [{ state: after }, { id: before }] = await s.json(['history']);
    for (const [from, to] of [[String(before), 'now'], ['2^', '2'], [String(before), after.slice(0, 9)], ['1', after.toUpperCase()]]) {
        const [change, ...rest] = await s.json(['diff', from, to]);
        assert.deepEqual(rest, []);
        assert.deepEqual([change.kinds, change.fields, change.before.text, change.after.text], [['edited'], ['text'], s.text('milk'), s.text('oat milk')]);
    }
    assert.equal((await s.json(['diff', 'first']))[0].kinds[0], 'added');
    assert.equal((await s.json(['diff', '1h']))[0].kinds[0], 'added');
    assert.match((await s.cli(['restore', '1h'], { expect: 66 })).stderr, /no state of that time is kept.*restore first/);
    assert.deepEqual(await s.json(['diff', 'now']), []);
    assert.match((await s.cli(['diff', '1'])).stdout, /edited +[0-9a-f]{4} +oat milk .*\n +text: milk .* -> oat milk/);
    for (const [typed, status] of [['7', 66], ['0123456', 66], ['nonsense', 64], ['lost-1', 64]])
        assert.ok((await s.cli(['diff', typed], { expect: status })).stderr.includes(typed));
});

scenario('a restored state is what every phone ends with, and can be undone', async (s) => {
    const world = await agreed(s);
    const { a, b } = world;
    const then = await newest(s);
    const was = seen(await s.export());
    await upset(s, world);
    await s.confirmed(b);
    const upsetSeen = seen(await s.export());
    assert.notDeepEqual(upsetSeen, was);

    const planned = await s.json(['restore', String(then.id), '--dry-run']);
    assert.deepEqual(seen(await s.export()), upsetSeen, 'a dry run changes nothing');
    const done = await s.json(['restore', String(then.id)]);
    assert.equal(done.changes.length, planned.changes.length);
    assert.deepEqual(seen(await s.export()), was);
    assert.deepEqual([(await newest(s)).cause, (await newest(s)).id], ['restore', done.id]);
    await everywhere(s, [a, b], was);
    await s.cli(['restore', String(then.id)], { expect: 1 });

    await s.cli(['restore', done.undo]);
    assert.deepEqual(seen(await s.export()), upsetSeen);
    await everywhere(s, [b, a], upsetSeen);
    assert.equal(JSON.parse((await s.cli(['history', '--lost', '--json'])).stdout).length, 0, 'nobody lost anything');
});

scenario('a phone that was away during a restore keeps its own newer edits', async (s) => {
    const world = await agreed(s);
    const { a, b, ids } = world;
    const then = await newest(s);
    const was = seen(await s.export());
    await upset(s, world); // b does not hear of it
    await s.cli(['restore', String(then.id)]);
    b.edit(ids.ash, s.text('ash, pruned'));
    b.change(ids.cedar, { done: true }); // which was deleted and brought back meanwhile
    const ivy = b.add('lists', 1, s.text('ivy'));
    b.setPad(1, s.text('one\ntwo\nthree'));
    for (const phone of [b, a, b, a]) await s.confirmed(phone);
    const now = seen(await s.expectSame(a));
    const expected = structuredClone(was);
    const item = (id) => expected.items.find((one) => one.id === id);
    item(ids.ash).text = s.text('ash, pruned');
    item(ids.cedar).done = true;
    expected.items.push(now.items.find((one) => one.id === ivy.id));
    expected.items.sort((x, y) => (x.section + x.id < y.section + y.id ? -1 : 1));
    expected.pads[1] = s.text('one\ntwo\nthree');
    assert.deepEqual({ items: now.items, pads: now.pads }, { items: expected.items, pads: expected.pads });
    await s.expectSame(b);
});

scenario('an item brought back stays, though a phone deleted it before, too', async (s) => {
    const { a, b, ids } = await agreed(s);
    const then = await newest(s);
    b.remove(ids.ash); // not synced yet
    b.remove(ids.key);
    b.remove(ids.elm);
    await s.cli(['rm', ids.ash]);
    await s.cli(['rm', ids.key]);
    await s.confirmed(a);
    const back = await s.json(['restore', String(then.id), '--item', ids.ash]);
    assert.equal(back.changes.length, 1);
    await s.cli(['restore', String(then.id), '--item', `lockedLists/${ids.key}`]);
    for (const phone of [b, a, b, a]) await s.confirmed(phone);
    const state = await s.expectSame(a);
    await s.expectSame(b);
    assert.deepEqual(live(state).map(({ id }) => id).sort(), [ids.ash, ids.birch, ids.cedar, ids.fir, ids.key].sort());
    assert.equal(itemWith(state, s.text('ash')).deletedAt ?? null, null);

    // Deleted once more, on the phone that had deleted it before: that stands.
    b.remove(ids.ash);
    for (const phone of [b, a]) await s.confirmed(phone);
    assert.ok(!live(await s.expectSame(a)).some(({ id }) => id === ids.ash));
    // And what a phone deletes after it was brought back, without knowing of that, stays deleted as well.
    await s.cli(['restore', String(then.id), '--item', ids.ash]);
    await s.confirmed(a);
    a.remove(ids.ash);
    for (const phone of [a, b]) await s.confirmed(phone);
    assert.ok(!live(await s.expectSame(b)).some(({ id }) => id === ids.ash));
});

scenario('what was purged everywhere comes back, past its grave', async (s) => {
    const { a, b, ids } = await agreed(s);
    const then = await newest(s);
    a.remove(ids.ash);
    for (const phone of [a, b]) await s.confirmed(phone);
    a.purge();
    for (const phone of [a, b]) await s.confirmed(phone);
    b.purge();
    for (const phone of [b, a, b]) await s.confirmed(phone);
    assert.ok(!itemsOf(await s.export()).some(({ id }) => id === ids.ash), 'it is gone, tombstone and all');
    await s.cli(['restore', String(then.id), '--item', ids.ash]);
    for (const phone of [a, b, a, b]) await s.confirmed(phone);
    for (const state of [await s.expectSame(a), await s.expectSame(b)]) assert.ok(live(state).some(({ id }) => id === ids.ash));
});

scenario('one item as it was, and nothing else', async (s) => {
    const world = await agreed(s);
    const then = await newest(s);
    await upset(s, world);
    const before = seen(await s.export());
    await s.cli(['restore', String(then.id), '--item', world.ids.elm.slice(0, 10)]);
    const after = seen(await s.export());
    const others = (state) => state.items.filter(({ id }) => id !== world.ids.elm);
    assert.deepEqual(others(after), others(before));
    assert.deepEqual([after.pads, after.labels], [before.pads, before.labels]);
    assert.equal(after.items.find(({ id }) => id === world.ids.elm).slot, 0);
    await s.cli(['restore', String(then.id), '--item', world.ids.elm], { expect: 1 });
    assert.match((await s.cli(['restore', String(then.id), '--item', 'nothing'], { expect: 66 })).stderr, /that state has no item whose id starts with "nothing"/);
    // What is gone is named by what a person was shown.
    const [, shown] = (await s.cli(['diff', String(then.id)])).stdout.match(new RegExp(`deleted +([0-9a-f]+) +${s.text('cedar')}`));
    await s.cli(['restore', String(then.id), '--item', shown]);
    await s.cli(['rm', world.ids.cedar]);
    await everywhere(s, [world.a, world.b], after);
});

/* Runs what a command printed, as a shell would. */
async function paste(s, line) {
    const words = line.match(/'[^']*'|\S+/g).map((word) => word.replaceAll("'", ''));
    assert.equal(words[0], 'trivet');
    return s.run(words.slice(1));
}

scenario('what lost to a more recent edit is listed, and comes back as printed', async (s) => {
    const { a, b, ids } = await agreed(s);
    a.edit(ids.ash, s.text('ash of the phone'), a.now() + 1000);
    const later = a.find(ids.ash).item.updatedAt + 1000;
    b.edit(ids.ash, s.text('ash of the other'), later);
    b.setPad(1, s.text('words of the other'), later);
    a.setPad(1, s.text('words of the phone'), later - 1);
    for (const phone of [b, a]) await s.confirmed(phone);
    const rows = await s.json(['history', '--lost']);
    assert.deepEqual(rows.map(({ side, reason, phone }) => [side, reason, phone]), [['phone', 'newer', 'A'], ['phone', 'newer', 'A']]);
    const row = rows.find(({ fields }) => fields[0] === 'text');
    assert.deepEqual([row.fields, row.changes[0].before.text, row.changes[0].after.text], [['text'], s.text('ash of the phone'), s.text('ash of the other')]);
    const words = (await s.cli(['history', '--lost'])).stdout;
    assert.match(words, /lost-1 .*an edit by A lost to a more recent edit/);
    for (const line of words.match(/trivet restore lost-\d+.*/g)) await paste(s, line);
    for (const phone of [a, b, a, b]) await s.confirmed(phone);
    const state = await s.expectSame(a);
    assert.ok(itemWith(state, s.text('ash of the phone')));
    assert.equal(state.scratchpad[1].content, s.text('words of the phone'));
    await s.cli(['restore', row.restore], { expect: 1 });
    await s.cli(['restore', 'lost-99'], { expect: 66 });
    await s.cli(['restore', 'lost-1', '--item', ids.ash], { expect: 64 });
});

scenario('an edit that lost to a deletion comes back', async (s) => {
    const { a, b, ids } = await agreed(s);
    b.edit(ids.key, s.text('key, turned'));
    await s.cli(['rm', ids.key]);
    for (const phone of [b, a]) await s.confirmed(phone);
    const [row, ...rest] = await s.json(['history', '--lost']);
    assert.deepEqual(rest, []);
    assert.deepEqual([row.reason, row.side, row.phone, row.changes[0].before], ['deleted', 'phone', 'B', undefined]);
    assert.equal((await s.json(['history', '--lost', '--locked']))[0].changes[0].before.text, s.text('key, turned'));
    assert.ok(!(await s.cli(['history', '--lost'])).stdout.includes(s.text('key, turned')));
    await s.cli(['restore', row.restore]);
    for (const phone of [b, a, b]) await s.confirmed(phone);
    for (const phone of [a, b]) assert.ok(itemWith(await s.expectSame(phone), s.text('key, turned')));
});

scenario('what a pick and the choice in a large change left aside is listed', async (s) => {
    const { a, b, ids } = await agreed(s);
    const there = await s.edit(ids.ash, s.text('ash, computer'));
    a.edit(ids.ash, s.text('ash, phone'), there.updatedAt);
    let sync = a.sync();
    await s.question();
    await s.cli(['resolve', '--pick', 'phone']);
    assert.equal((await sync).kind, 'confirmed');
    await a.disconnect();
    const [tie] = await s.json(['history', '--lost']);
    assert.deepEqual([tie.side, tie.reason, tie.changes[0].before.text], ['computer', 'tie', s.text('ash, computer')]);

    await s.confirmed(b);
    await s.confirmed(b);
    const mine = b.add('lists', 3, s.text('only here'));
    b.storage.lists.slots[0] = [];
    b.storage.lockedLists.slots[2] = [];
    sync = b.sync();
    await s.question();
    await s.cli(['resolve', '--use', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    await b.disconnect();
    const [large] = await s.json(['history', '--lost']);
    assert.deepEqual([large.side, large.reason, large.changes[0].id], ['phone', 'large_change', mine.id]);
    await s.cli(['restore', large.restore]);
    await s.confirmed(b);
    assert.ok(itemWith(await s.expectSame(b), s.text('only here')));
});

scenario('an import keeps what it overwrites', async (s) => {
    const milk = await s.add(s.text('milk'));
    const file = s.file('in.json');
    fs.writeFileSync(file, JSON.stringify({ lists: [[{ ...milk, text: s.text('soy milk'), updatedAt: milk.updatedAt + 1000 }]] }));
    await s.cli(['import', file]);
    const [row, ...rest] = await s.json(['history', '--lost']);
    assert.deepEqual([rest, row.side, row.reason, row.changes[0].before.text], [[], 'computer', 'newer', s.text('milk')]);
    await s.cli(['restore', row.restore]);
    assert.ok(itemWith(await s.export(), s.text('milk')));
});

scenario('the server thins out what is old, and what is left is whole', async (s) => {
    const milk = await s.add(s.text('milk'));
    for (let i = 0; i < 5; i++) await s.edit(milk.id, s.text(`milk ${i}`));
    const lines = await s.json(['history']);
    const state = await s.export();
    await sleep(1100);
    await s.serve({ env: { TRIVET_KEEP_ALL: '1s', TRIVET_LOG_LEVEL: 'debug' } });
    await s.server.says(/pruned/);
    assert.deepEqual(await s.export(), state);
    const left = await s.json(['history']);
    assert.deepEqual(left.map(({ id, counts }) => ({ id, counts })), lines.map(({ id, counts }) => ({ id, counts })));
    // All in one hour, or in two: then the last of each is kept.
    const kept = left.filter((line) => line.state);
    assert.ok(kept.length <= 2 && kept[0].id === 6, JSON.stringify(kept));
    if (kept.length === 1) {
        const { stderr } = await s.cli(['diff', '3'], { expect: 66 });
        assert.match(stderr, /no longer kept; the nearest that is: 6/);
        assert.equal((await s.json(['history', '--full']))[2].changes, null);
    }
    const phone = await s.phone();
    for (let i = 0; i < 2; i++) await s.confirmed(phone);
    await s.expectSame(phone);
});

scenario('an item comes back past its grave to a phone whose clock was ahead when it was deleted', async (s) => {
    await s.serve();
    const a = await s.phone({ deviceId: 'A', clockOffset: 3 * 3600e3 });
    const b = await s.phone({ deviceId: 'B' });
    const { id } = a.add('lists', 0, s.text('ash'));
    a.add('lists', 0, s.text('birch'));
    for (const phone of [a, b, a]) await s.confirmed(phone);
    const then = await newest(s);
    a.remove(id);
    for (const phone of [a, b]) await s.confirmed(phone);
    a.purge();
    for (const phone of [a, a]) await s.confirmed(phone);
    assert.ok(!itemsOf(await s.export()).some((item) => item.id === id), 'only its grave is left');
    await s.cli(['restore', String(then.id), '--item', id]);
    // Paired anew, and so without an ancestor: all that B has is a tombstone that is dated three hours from now.
    const again = await s.phone({ deviceId: 'B2', storage: { ...b.backup(), lastSyncTimestamp: 0, since: 0 } });
    for (const phone of [again, a, again]) await s.confirmed(phone);
    for (const phone of [again, a]) assert.ok(live(await s.expectSame(phone)).some((item) => item.id === id));
});

/* One edit of any kind, by the computer or a phone. */
async function anyEdit(s, phones, random, n) {
    const pick = (list) => list[Math.floor(random() * list.length)];
    const text = s.text(`edit ${n}`), slot = Math.floor(random() * 6), locked = random() < 0.3;
    const phone = pick(phones);
    await s.confirmed(phone);
    const item = pick(live(await s.export()));
    const kinds = {
        add: () => s.add(text, ['--slot', String(slot + 1), ...(locked ? ['--locked'] : [])]),
        pad: () => s.cli(['pad', String(slot + 1), '--set', text]),
        phoneAdd: () => phone.add(locked ? 'lockedLists' : 'lists', slot, text, random() < 0.5 ? { size: n, tags: [text] } : {}),
        phonePad: () => phone.setPad(slot, random() < 0.3 ? '' : text),
        phoneLabel: () => phone.setLabel(pick(['lists', 'lockedLists', 'scratchpad']), slot, random() < 0.3 ? '' : text),
        ...(item && {
            edit: () => s.edit(item.id, text),
            done: () => s.cli([item.done ? 'undone' : 'done', item.id]),
            rm: () => s.cli(['rm', item.id]),
            mv: () => s.cli(['mv', item.id, '--slot', String(slot + 1), pick(['--top', '--bottom'])], { expect: null }),
            phoneMove: () => phone.move(item.id, slot),
            phoneField: () => phone.change(item.id, { size: n, colour: undefined }),
            phoneOrder: () => phone.find(item.id).items.forEach((one, i, all) => Object.assign(one, { position: all.length - i, updatedAt: phone.now() })),
            phoneRemove: () => phone.remove(item.id),
        }),
    };
    await kinds[pick(Object.keys(kinds))]();
    await s.confirmed(phone);
}

for (const seed of process.env.TRIVET_SEED ? [Number(process.env.TRIVET_SEED)] : [1, 2])
    scenario(`at random (seed ${seed}): each restored state, and each undone, is the same on all sides`, async (s) => {
        const random = seeded(seed);
        await s.serve();
        const phones = [await s.phone({ deviceId: 'A' }), await s.phone({ deviceId: 'B', clockOffset: 3600e3 }), await s.phone({ deviceId: 'C', clockOffset: -3600e3 })];
        const past = [];
        for (let round = 0; round < 8; round++) {
            for (let i = 0; i < 4; i++) await anyEdit(s, phones, random, 10 * round + i);
            for (const phone of [...phones, ...phones]) await s.confirmed(phone);
            const state = seen(await s.export());
            past.push({ id: (await newest(s)).id, state });
            if (random() < 0.5) for (const phone of phones) phone.purge();
            if (round < 2) continue;
            const then = past[Math.floor(random() * (past.length - 1))];
            const { status, stdout } = await s.cli(['restore', String(then.id), '--json'], { expect: null });
            assert.ok(status === 0 || (status === 1 && JSON.stringify(then.state) === JSON.stringify(state)));
            assert.deepEqual(seen(await s.export()), then.state);
            if (random() < 0.5) await everywhere(s, phones, then.state);
            if (status === 0 && random() < 0.6) {
                await s.cli(['restore', JSON.parse(stdout).undo]);
                await everywhere(s, phones, state);
            }
        }
        assert.deepEqual(await s.json(['history', '--lost']), [], 'nobody lost anything');
    });

scenario('what came back and is deleted again stays deleted, by a clock that is behind and after a lost confirm', async (s) => {
    await s.serve();
    const a = await s.phone({ deviceId: 'A', clockOffset: -2 * 3600e3 });
    const { id } = a.add('lists', 0, s.text('ash'));
    a.add('lists', 0, s.text('birch'));
    for (let i = 0; i < 2; i++) await s.confirmed(a);
    const then = await newest(s);
    await s.cli(['rm', id]);
    await s.confirmed(a);
    await s.cli(['restore', String(then.id)]);
    await s.confirmed(a);
    assert.ok(live(a.state()).some((item) => item.id === id), 'the phone has seen it come back');
    a.edit(id, s.text('ash, pruned')); // dated two hours before the restore
    await s.add(s.text('elm')); // so that there is something to tell the phone
    a.killAfterWrites = 0;
    await a.sync();
    await a.disconnect();
    a.killAfterWrites = Infinity;
    a.remove(id);
    for (let i = 0; i < 2; i++) await s.confirmed(a);
    assert.ok(!live(await s.expectSame(a)).some((item) => item.id === id));
});
