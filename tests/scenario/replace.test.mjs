/*
 * A new phone in place of an old one (`pair --replace`, merge §10): whether it got the old one's data or is blank, both sides end
 * with the same, nothing lost, nothing revived, nothing asked twice.
 */
import { assert, itemsOf, scenario } from './harness.mjs';

const live = (state) => itemsOf(state).filter((item) => !item.deleted).map((item) => item.text).sort();

async function settled(s) {
    await s.serve();
    const old = await s.phone({ deviceId: 'old' });
    const ids = {};
    for (const [i, word] of ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak'].entries()) ids[word] = old.add(i < 4 ? 'lists' : 'lockedLists', i % 3, s.text(word)).id;
    old.setPad(0, s.text('pad'));
    for (let i = 0; i < 3; i++) await s.confirmed(old);
    return { old, ids };
}

async function holds(s, phone, words) {
    assert.deepEqual(live(await s.expectSame(phone)), words.map((word) => s.text(word)).sort());
    assert.deepEqual(await s.pending(), []);
}

/* One sync in which at most one question comes up, which is answered so. */
async function answering(s, phone, use) {
    let over = false, asked = 0;
    const sync = phone.sync().finally(() => (over = true));
    while (!over) {
        for (const { id } of await s.pending()) {
            asked++;
            await s.cli(['resolve', String(id), '--use', use], { expect: null });
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const end = await sync;
    await phone.disconnect();
    return { end, asked };
}

const replace = async (s, old) => s.pair(['--replace', old.pairing.device]);

for (const [what, late] of [['its data transferred', false], ['an older copy of its data', true]])
    scenario(`a new phone with ${what}`, async (s) => {
        const { old, ids } = await settled(s);
        let copy = old.backup();
        // Not yet synced when it is transferred: the copy holds it too.
        if (!late) old.edit(ids.birch, s.text('birch, by the old phone'));
        if (!late) copy = old.backup();
        if (late) {
            old.edit(ids.birch, s.text('birch, by the old phone'));
            old.add('lists', 4, s.text('of the old phone, later'));
            old.remove(ids.elm);
            await s.confirmed(old);
            await s.confirmed(old);
        }
        await s.edit(ids.cedar, s.text('cedar, by the computer'));
        await s.cli(['rm', ids.fir]);
        await s.add(s.text('of the computer'));
        const next = await s.phone({ deviceId: 'new', pairing: await replace(s, old) });
        next.restore(copy);
        next.add('lists', 5, s.text('of the new phone'));
        next.remove(ids.oak);
        // Until the code is used the old phone is still the one.
        assert.equal((await s.json(['devices'])).find((device) => device.id === old.pairing.device).revoked, 0);
        for (let i = 0; i < 3; i++) await s.confirmed(next);
        const words = ['ash', 'birch, by the old phone', 'cedar, by the computer', 'of the computer', 'of the new phone'];
        await holds(s, next, late ? [...words, 'of the old phone, later'] : [...words, 'elm']);
        assert.equal((await old.sync()).kind, 'closed', 'the old one is done with');
        // From here it has records of its own: a deletion is one, an edit is one.
        next.remove(ids.ash);
        await s.edit(ids.birch, s.text('birch, at last'));
        await s.confirmed(next);
        const rest = [...words, late ? 'of the old phone, later' : 'elm'].filter((word) => word !== 'ash' && !word.startsWith('birch'));
        await holds(s, next, [...rest, 'birch, at last']);
    });

for (const use of ['computer', 'both'])
    scenario(`a blank new phone; to a large change it is answered "${use}"`, async (s) => {
        const { old, ids } = await settled(s);
        await s.cli(['rm', ids.fir]);
        await s.add(s.text('of the computer'));
        const next = await s.phone({ deviceId: 'new', pairing: await replace(s, old) });
        if (use === 'both') next.add('lists', 5, s.text('of the new phone'));
        const { end, asked } = await answering(s, next, use);
        assert.equal(end.kind, 'confirmed');
        assert.ok(asked <= 1, `asked ${asked} times`);
        const words = ['ash', 'birch', 'cedar', 'elm', 'oak', 'of the computer', ...(use === 'both' ? ['of the new phone'] : [])];
        await holds(s, next, words);
        assert.equal(next.storage.scratchpad.slots[0].content, s.text('pad'));
        for (let i = 0; i < 2; i++) await s.confirmed(next);
        next.remove(ids.ash);
        await s.cli(['rm', ids.birch]);
        next.edit(ids.cedar, s.text('cedar, by the new phone'));
        await s.confirmed(next);
        await holds(s, next, [...words.filter((word) => !['ash', 'birch', 'cedar'].includes(word)), 'cedar, by the new phone']);
        assert.equal((await old.sync()).kind, 'closed');
    });

scenario('a blank new phone whose question is not answered: nothing has changed', async (s) => {
    const { old } = await settled(s);
    const before = await s.export();
    const next = await s.phone({ deviceId: 'new', pairing: await replace(s, old) });
    const sync = next.sync();
    const ended = await Promise.race([sync.then(() => true), s.question().then(() => false)]);
    if (!ended) {
        await s.cli(['resolve', '--cancel']);
        assert.equal((await sync).kind, 'cancelled');
        await next.disconnect();
        assert.deepEqual(await s.export(), before);
        assert.deepEqual(live(next.state()), []);
    }
    // Asked once more, and answered.
    await answering(s, next, 'computer');
    await holds(s, next, ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak']);
});

scenario('a code that replaces, and lapses unused: the old phone goes on', async (s) => {
    const { old } = await settled(s);
    await replace(s, old);
    old.add('lists', 0, s.text('later'));
    await s.confirmed(old);
    await holds(s, old, ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak', 'later']);
    assert.equal((await s.json(['devices'])).find((device) => device.id === old.pairing.device).revoked, 0);
});
