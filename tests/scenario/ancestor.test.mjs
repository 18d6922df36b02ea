/*
 * What makes a sync hard: a confirm that was lost or late, a phone restored, wiped, killed, or not alone on its code (merge
 * §10). All must end with no edit lost, nothing deleted that nobody deleted, nothing revived, and nothing asked twice.
 */
import fs from 'node:fs';
import { assert, essence, itemWith, itemsOf, scenario, sleep, texts } from './harness.mjs';

/* Two syncs behind them, so that the computer knows which state the phone holds; six items in three lists. */
async function settled(s, phone) {
    await s.serve();
    phone ??= await s.phone();
    const ids = {};
    for (const [i, word] of ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak'].entries()) ids[word] = phone.add(i < 4 ? 'lists' : 'lockedLists', i % 3, s.text(word)).id;
    phone.setPad(0, s.text('pad of both'));
    await s.confirmed(phone);
    await s.add(s.text('rowan'), ['--slot', '6']);
    await s.confirmed(phone);
    await s.confirmed(phone);
    return { phone, ids };
}

/* Both hold the same, namely exactly these live texts. */
async function holds(s, phone, words) {
    const computer = await s.expectSame(phone);
    const shown = itemsOf(computer).filter((item) => !item.deleted).map((item) => item.text);
    assert.deepEqual(shown.sort(), words.map((word) => s.text(word)).sort());
    return computer;
}

async function noQuestions(s) {
    assert.deepEqual(await s.pending(), []);
}

/* One sync whose confirm never reaches the phone. */
async function lose(phone, how = 'cut') {
    phone.hooks.onConfirm = () => how;
    const end = await phone.sync();
    assert.equal(end.kind, 'dropped');
    phone.hooks = {};
    if (how === 'drop') await phone.disconnect();
}

scenario('a lost confirm: edits on both sides before and after it', async (s) => {
    const { phone, ids } = await settled(s);
    // Edited before the sync that loses its confirm; on one side each, and one item on both.
    phone.edit(ids.ash, s.text('ash, phone 1'));
    phone.add('lists', 4, s.text('new, phone 1'));
    phone.remove(ids.birch);
    const typed = await s.add(s.text('new, computer 1'), ['--slot', '5']);
    await s.edit(ids.cedar, s.text('cedar, computer 1'));
    await s.cli(['rm', ids.fir]);
    await lose(phone);
    assert.ok(itemWith(await s.export(), s.text('new, phone 1')), 'the computer has committed');
    assert.ok(!itemWith(phone.state(), s.text('new, computer 1')), 'the phone has not');
    // And after it.
    phone.edit(ids.ash, s.text('ash, phone 2'));
    phone.add('lists', 0, s.text('new, phone 2'));
    phone.change(ids.oak, { done: true });
    phone.setPad(1, s.text('pad of the phone'));
    await s.edit(typed.id, s.text('new, computer 2'));
    await s.edit(ids.oak, s.text('oak, computer 2'));
    await s.cli(['rm', itemWith(await s.export(), s.text('new, phone 1')).id]);
    const end = await s.confirmed(phone);
    await noQuestions(s);
    assert.equal(end.mode, 'desktop-wins');
    const words = ['ash, phone 2', 'cedar, computer 1', 'elm', 'oak, computer 2', 'rowan', 'new, computer 2', 'new, phone 2'];
    const computer = await holds(s, phone, words);
    assert.equal(itemWith(computer, s.text('oak, computer 2')).done, true);
    assert.equal(computer.scratchpad[1].content, s.text('pad of the phone'));
    for (let i = 0; i < 2; i++) await s.confirmed(phone);
    await holds(s, phone, words);
});

scenario('a lost confirm of the very first sync', async (s) => {
    await s.serve();
    await s.add(s.text('computer 1'));
    const phone = await s.phone();
    const mine = phone.add('lists', 0, s.text('phone 1'));
    const gone = phone.add('lists', 0, s.text('phone, deleted on the computer'));
    await lose(phone);
    await s.edit(mine.id, s.text('phone 1, edited on the computer'));
    await s.cli(['rm', gone.id]);
    phone.add('lists', 1, s.text('phone 2'));
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, ['computer 1', 'phone 1, edited on the computer', 'phone 2']);
});

scenario('a lost confirm without a snapshot', async (s) => {
    const { phone, ids } = await settled(s);
    phone.edit(ids.ash, s.text('ash 1'));
    phone.remove(ids.birch);
    await lose(phone, 'drop');
    await s.edit(ids.ash, s.text('ash, by the computer'));
    phone.change(ids.ash, { done: true });
    const end = await s.confirmed(phone);
    assert.equal(end.kind, 'confirmed');
    await noQuestions(s);
    const computer = await s.expectSame(phone);
    assert.equal(itemWith(computer, s.text('ash, by the computer')).done, true);
    assert.ok(itemWith(computer, s.text('birch')).deleted);
});

scenario('three lost confirms in a row, with edits on both sides between them', async (s) => {
    const { phone, ids } = await settled(s);
    const expected = new Set(['birch', 'cedar', 'elm', 'fir', 'oak', 'rowan']);
    for (let i = 1; i <= 3; i++) {
        phone.add('lists', i, s.text(`phone ${i}`));
        await s.add(s.text(`computer ${i}`), ['--slot', String(i)]);
        expected.add(`phone ${i}`).add(`computer ${i}`);
        await lose(phone, i % 2 ? 'cut' : 'drop');
    }
    phone.remove(ids.ash);
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, [...expected]);
    await s.confirmed(phone);
    await holds(s, phone, [...expected]);
});

scenario('a confirm that arrives late, after edits on the computer', async (s) => {
    const { phone, ids } = await settled(s);
    phone.add('lists', 0, s.text('phone 1'));
    await s.add(s.text('computer 1'));
    phone.hooks.onConfirm = () => 'hold';
    assert.equal((await phone.sync()).kind, 'dropped');
    await s.add(s.text('computer 2'));
    await s.cli(['rm', ids.ash]);
    phone.applyHeld();
    phone.hooks = {};
    await phone.disconnect();
    phone.edit(ids.birch, s.text('birch, phone 2'));
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, ['birch, phone 2', 'cedar', 'elm', 'fir', 'oak', 'rowan', 'phone 1', 'computer 1', 'computer 2']);
});

scenario('a confirm that arrives late, between the rounds of the next sync', async (s) => {
    const { phone, ids } = await settled(s);
    phone.add('lists', 0, s.text('phone 1'));
    await s.add(s.text('computer 1'));
    phone.hooks.onConfirm = () => 'hold';
    assert.equal((await phone.sync()).kind, 'dropped');
    // The app is slow: it has not stored the first confirm when the second sync asks for its state.
    await s.edit(ids.ash, s.text('ash, computer 2'));
    await s.cli(['rm', ids.fir]);
    const before = phone.round;
    phone.hooks = {
        onState: (message, round) => {
            if (phone.held.length > 0 && round === before + 2) phone.applyHeld();
        },
    };
    phone.requestSync();
    let end;
    // The first `confirmed` is the late one; the sync's own comes after it.
    for (let i = 0; i < 2; i++) end = await phone.wait(['confirmed', 'cancelled']);
    assert.equal(end.kind, 'confirmed');
    phone.hooks = {};
    await phone.disconnect();
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, ['ash, computer 2', 'birch', 'cedar', 'elm', 'oak', 'rowan', 'phone 1', 'computer 1']);
});

scenario('two confirms that are stored in the wrong order', async (s) => {
    const { phone, ids } = await settled(s);
    await s.add(s.text('computer 1'));
    phone.hooks.onConfirm = () => 'hold';
    assert.equal((await phone.sync()).kind, 'dropped');
    await s.add(s.text('computer 2'));
    await s.cli(['rm', ids.oak]);
    assert.equal((await phone.sync()).kind, 'dropped');
    phone.hooks = {};
    phone.held.reverse();
    phone.applyHeld();
    await sleep(2);
    phone.applyHeld();
    await phone.disconnect();
    assert.ok(!itemWith(phone.state(), s.text('computer 2')), 'the phone is back in the first state');
    phone.add('lists', 0, s.text('phone 1'));
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, ['ash', 'birch', 'cedar', 'elm', 'fir', 'rowan', 'computer 1', 'computer 2', 'phone 1']);
});

scenario('a phone restored from a backup', async (s) => {
    const { phone, ids } = await settled(s);
    const backup = phone.backup();
    const made = phone.add('lists', 0, s.text('made after the backup'));
    phone.remove(ids.ash);
    await s.cli(['rm', ids.fir]);
    await s.edit(ids.birch, s.text('birch, edited after the backup'));
    await s.confirmed(phone);
    phone.edit(made.id, s.text('made and edited after the backup'));
    await s.add(s.text('typed after the backup'));
    await s.confirmed(phone);
    await s.confirmed(phone);
    phone.restore(backup);
    phone.edit(ids.cedar, s.text('cedar, edited after the restore'));
    phone.add('lists', 3, s.text('added after the restore'));
    await s.confirmed(phone);
    await noQuestions(s);
    const words = ['birch, edited after the backup', 'cedar, edited after the restore', 'elm', 'oak', 'rowan', 'made and edited after the backup',
        'typed after the backup', 'added after the restore'];
    await holds(s, phone, words);
    await s.confirmed(phone);
    await holds(s, phone, words);
});

scenario('a phone restored from a backup, where the tombstones are long gone', async (s) => {
    const { phone, ids } = await settled(s);
    const backup = phone.backup();
    phone.remove(ids.ash);
    await s.cli(['rm', ids.fir]);
    await s.confirmed(phone);
    await s.confirmed(phone);
    phone.purge();
    await s.confirmed(phone);
    await s.confirmed(phone);
    assert.ok(!itemsOf(await s.export()).some((item) => item.deleted), 'agreed tombstones that were purged are gone');
    phone.restore(backup);
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, ['birch', 'cedar', 'elm', 'oak', 'rowan']);
});

scenario('a backup that is older than the pairing', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const ids = ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak'].map((word) => phone.add('lists', 0, s.text(word)).id);
    const backup = phone.backup();
    await s.confirmed(phone);
    await s.cli(['rm', ids[0]]);
    await s.edit(ids[1], s.text('birch, edited'));
    await s.confirmed(phone);
    await s.confirmed(phone);
    phone.restore(backup);
    phone.edit(ids[2], s.text('cedar, edited'));
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, ['birch, edited', 'cedar, edited', 'elm', 'fir', 'oak']);
});

scenario('a backup that is older than the pairing, where the tombstones are long gone', async (s) => {
    // Only the graves know that these were deleted (merge §10).
    await s.serve();
    const phone = await s.phone();
    const ids = ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak'].map((word) => phone.add('lists', 0, s.text(word)).id);
    const backup = phone.backup();
    await s.confirmed(phone);
    phone.remove(ids[0]);
    await s.cli(['rm', ids[1]]);
    for (let i = 0; i < 2; i++) await s.confirmed(phone);
    phone.purge();
    for (let i = 0; i < 2; i++) await s.confirmed(phone);
    assert.ok(!itemsOf(await s.export()).some((item) => item.deleted));
    phone.restore(backup);
    phone.edit(ids[2], s.text('cedar, edited'));
    for (let i = 0; i < 2; i++) {
        await s.confirmed(phone);
        await noQuestions(s);
        await holds(s, phone, ['cedar, edited', 'elm', 'fir', 'oak']);
    }
});

/* Syncs, answers the questions that come up, and counts them. */
async function answering(s, phone, answer) {
    let asked = 0;
    const sync = phone.sync();
    let over = false;
    sync.then(() => (over = true), () => (over = true));
    while (!over) {
        const [question] = await s.pending();
        if (question) {
            asked++;
            await s.cli(['resolve', String(question.id), ...answer], { expect: null });
        } else await sleep(20);
    }
    return { end: await sync, asked };
}

scenario('a wiped phone: one question, and `--use both` brings everything back', async (s) => {
    const { phone } = await settled(s);
    phone.wipe();
    phone.add('lists', 0, s.text('new on the wiped phone'));
    const sync = phone.sync();
    const question = await s.question();
    assert.equal(question.kind, 'large_change');
    assert.equal(question.large_change.known, 7);
    assert.equal(question.large_change.phoneMissing, 7);
    assert.equal(question.large_change.computerMissing, 0);
    assert.ok(question.deadline > 0);
    assert.ok(JSON.stringify(question.device).includes(phone.pairing.device) || JSON.stringify(question).includes(phone.pairing.device));
    await s.cli(['resolve', String(question.id), '--use', 'both']);
    assert.equal((await sync).kind, 'confirmed');
    await phone.disconnect();
    await noQuestions(s);
    const words = ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak', 'rowan', 'new on the wiped phone'];
    const computer = await holds(s, phone, words);
    assert.equal(computer.scratchpad[0].content, s.text('pad of both'), 'factory defaults blank nothing');
    // Nothing is asked twice.
    assert.equal((await s.confirmed(phone)).rounds, 1);
    await holds(s, phone, words);
});

scenario('a wiped phone: `--use computer`, `--use phone`, `--cancel`', async (s) => {
    const { phone } = await settled(s);
    const full = phone.backup();
    const before = (await s.cli(['export'])).stdout;
    phone.wipe();
    let { end, asked } = await answering(s, phone, ['--cancel']);
    assert.deepEqual([end.kind, asked], ['cancelled', 1]);
    await phone.disconnect();
    assert.equal((await s.cli(['export'])).stdout, before);
    assert.equal(itemsOf(phone.state()).length, 0, 'nothing changed on the phone either');

    ({ end, asked } = await answering(s, phone, ['--use', 'computer']));
    assert.deepEqual([end.kind, asked], ['confirmed', 1]);
    await phone.disconnect();
    await holds(s, phone, ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak', 'rowan']);
    assert.deepEqual(texts(phone.state()), texts({ ...full.lists, lists: full.lists.slots, lockedLists: full.lockedLists.slots }));

    // The computer must have heard that this was applied, or a phone with nothing is what it was before.
    await s.confirmed(phone);
    phone.wipe();
    phone.add('lists', 0, s.text('all there is'));
    ({ end, asked } = await answering(s, phone, ['--use', 'phone']));
    assert.deepEqual([end.kind, asked], ['confirmed', 1]);
    await phone.disconnect();
    await holds(s, phone, ['all there is']);
});

scenario('a wiped phone that pairs anew, in place of the old device', async (s) => {
    const { phone } = await settled(s);
    const fresh = await s.phone({ pairing: await s.pair(['--replace', phone.pairing.device]) });
    fresh.add('lists', 0, s.text('new on the wiped phone'));
    const { end, asked } = await answering(s, fresh, ['--use', 'both']);
    assert.equal(end.kind, 'confirmed');
    assert.ok(asked <= 1, 'asked at most once');
    await fresh.disconnect();
    await holds(s, fresh, ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak', 'rowan', 'new on the wiped phone']);
    const old = await phone.sync();
    assert.equal(old.kind, 'closed', 'the device that was replaced is no longer paired');
});

scenario('a restored phone that pairs anew inherits the records of the device that it replaces', async (s) => {
    const { phone, ids } = await settled(s);
    const backup = phone.backup();
    await s.cli(['rm', ids.ash]);
    await s.edit(ids.birch, s.text('birch, edited'));
    const next = await s.phone({ pairing: await s.pair(['--replace', phone.pairing.device]), deviceId: 'Pixel 10' });
    next.restore(backup);
    next.remove(ids.cedar);
    await s.confirmed(next);
    await noQuestions(s);
    await holds(s, next, ['birch, edited', 'elm', 'fir', 'oak', 'rowan']);
});

/* What the computer did meanwhile touches every group, and so does the phone, so that each gap shows. */
for (const writes of [0, 1, 2, 3])
    scenario(`a phone killed after ${writes} of its 4 writes`, async (s) => {
        const { phone, ids } = await settled(s);
        phone.add('lists', 0, s.text('phone 1'));
        phone.add('lockedLists', 0, s.text('locked phone 1'));
        phone.setPad(1, s.text('pad phone 1'));
        await s.add(s.text('computer 1'));
        await s.add(s.text('computer 1b'), ['--slot', '4']);
        await s.add(s.text('locked computer 1'), ['--locked']);
        await s.cli(['rm', ids.elm]);
        await s.cli(['rm', ids.oak]);
        await s.cli(['pad', '3', '--set', s.text('pad computer 1')]);
        phone.killAfterWrites = writes;
        const killed = await phone.sync();
        assert.equal(killed.kind, 'killed');
        phone.killAfterWrites = Infinity;
        phone.edit(ids.ash, s.text('ash, phone 2'));
        phone.change(ids.fir, { done: true });
        phone.setPad(4, s.text('pad phone 2'));
        await s.edit(ids.birch, s.text('birch, computer 2'));
        await s.edit(ids.fir, s.text('fir, computer 2'));
        await s.cli(['pad', '6', '--set', s.text('pad computer 2')]);
        await s.confirmed(phone);
        await noQuestions(s);
        const words = ['ash, phone 2', 'birch, computer 2', 'cedar', 'fir, computer 2', 'rowan', 'phone 1', 'locked phone 1', 'computer 1', 'computer 1b',
            'locked computer 1'];
        const computer = await holds(s, phone, words);
        assert.equal(itemWith(computer, s.text('fir, computer 2')).done, true);
        assert.deepEqual(computer.scratchpad.map((pad) => pad.content),
            ['pad of both', 'pad phone 1', 'pad computer 1', '', 'pad phone 2', 'pad computer 2'].map((text) => text && s.text(text)));
        await s.confirmed(phone);
        await holds(s, phone, words);
    });

scenario('a phone killed before it stored `since`, where it had nothing else to store', async (s) => {
    const { phone, ids } = await settled(s);
    phone.edit(ids.ash, s.text('ash 1'));
    phone.killAfterWrites = 0;
    assert.equal((await phone.sync()).kind, 'killed');
    phone.killAfterWrites = Infinity;
    await s.edit(ids.ash, s.text('ash, by the computer'));
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, ['ash, by the computer', 'birch', 'cedar', 'elm', 'fir', 'oak', 'rowan']);
});

scenario('two phones that share one code', async (s) => {
    await s.serve();
    const one = await s.phone({ deviceId: 'Pixel 9' });
    const ids = ['ash', 'birch', 'cedar', 'elm'].map((word) => one.add('lists', 0, s.text(word)).id);
    for (let i = 0; i < 3; i++) await s.confirmed(one);
    const two = await s.phone({ pairing: one.pairing, deviceId: 'Galaxy S22' });
    two.add('lists', 1, s.text('of two'));
    const { end, asked } = await answering(s, two, ['--use', 'both']);
    assert.equal(end.kind, 'confirmed');
    assert.ok(asked <= 1);
    await two.disconnect();
    await holds(s, two, ['ash', 'birch', 'cedar', 'elm', 'of two']);
    // From here on each has records of its own: deletions and edits of either reach the other, nothing is asked.
    one.remove(ids[0]);
    two.edit(ids[1], s.text('birch, by two'));
    await s.confirmed(two);
    await s.confirmed(one);
    two.add('lists', 0, s.text('more of two'));
    one.remove(ids[2]);
    await s.cli(['rm', ids[3]]);
    for (const phone of [one, two, one, two]) await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, one, ['birch, by two', 'of two', 'more of two']);
    await holds(s, two, ['birch, by two', 'of two', 'more of two']);
    assert.match(s.server.stderr, /Galaxy S22/, 'a second phone on one code is logged');
    const shown = (await s.cli(['devices'])).stdout;
    assert.ok(shown.includes('Pixel 9') && shown.includes('Galaxy S22'), 'and shown');
});

scenario('a phone that was away while others went on', async (s) => {
    const { phone, ids } = await settled(s);
    const busy = await s.phone({ deviceId: 'busy' });
    await s.confirmed(busy);
    busy.remove(ids.ash);
    for (let i = 0; i < 25; i++) {
        busy.add('lists', i % 6, s.text(`busy ${i}`));
        if (i === 10) await s.cli(['rm', ids.fir]);
        if (i === 15) busy.purge();
        await s.confirmed(busy);
    }
    phone.edit(ids.birch, s.text('birch, after a long time'));
    await s.confirmed(phone);
    await noQuestions(s);
    await holds(s, phone, ['birch, after a long time', 'cedar', 'elm', 'oak', 'rowan', ...Array.from({ length: 25 }, (_, i) => `busy ${i}`)]);
});

scenario('a computer restored from a backup', async (s) => {
    const { phone, ids } = await settled(s);
    await s.server.stop();
    fs.cpSync(s.data, s.file('backup'), { recursive: true });
    await s.serve();
    phone.add('lists', 0, s.text('phone, after the backup'));
    await s.add(s.text('computer, after the backup'));
    phone.remove(ids.ash);
    await s.confirmed(phone);
    await s.confirmed(phone);
    await s.server.stop();
    fs.rmSync(s.data, { recursive: true });
    fs.cpSync(s.file('backup'), s.data, { recursive: true });
    await s.serve();
    await s.edit(ids.birch, s.text('birch, after the restore'));
    phone.edit(ids.cedar, s.text('cedar, after the restore'));
    await s.confirmed(phone);
    await noQuestions(s);
    const words = ['birch, after the restore', 'cedar, after the restore', 'elm', 'fir', 'oak', 'rowan', 'phone, after the backup', 'computer, after the backup'];
    await holds(s, phone, words);
    await s.confirmed(phone);
    await holds(s, phone, words);
});

/* The data folder as it is now, put back later by the returned function. */
async function copied(s) {
    await s.server.stop();
    fs.rmSync(s.file('backup'), { recursive: true, force: true });
    fs.cpSync(s.data, s.file('backup'), { recursive: true });
    await s.serve();
    return async () => {
        await s.server.stop();
        fs.rmSync(s.data, { recursive: true });
        fs.cpSync(s.file('backup'), s.data, { recursive: true });
        await s.serve();
    };
}

scenario('a computer restored from a backup, with two phones that went on', async (s) => {
    const { phone, ids } = await settled(s);
    const other = await s.phone({ deviceId: 'other' });
    for (let i = 0; i < 2; i++) await s.confirmed(other);
    const restore = await copied(s);
    phone.remove(ids.ash); // deleted and purged everywhere: only that the phones lack it can tell
    other.edit(ids.birch, s.text('birch, edited by the other'));
    await s.cli(['rm', ids.fir]);
    for (const each of [phone, other, phone, other]) await s.confirmed(each);
    for (const each of [phone, other]) each.purge();
    phone.add('lists', 0, s.text('added after the backup'));
    for (const each of [phone, other, phone, other]) await s.confirmed(each);
    await restore();
    await s.edit(ids.elm, s.text('elm, after the restore'));
    phone.edit(ids.cedar, s.text('cedar, not synced before'));
    const words = ['birch, edited by the other', 'cedar, not synced before', 'elm, after the restore', 'oak', 'rowan', 'added after the backup'];
    for (const each of [phone, other, phone, other]) {
        await s.confirmed(each);
        await noQuestions(s);
    }
    for (const each of [phone, other]) await holds(s, each, words);
});

scenario('a computer restored from a backup more than once', async (s) => {
    const { phone, ids } = await settled(s);
    const restore = await copied(s);
    const words = ['birch', 'cedar', 'elm', 'fir', 'oak', 'rowan'];
    phone.remove(ids.ash);
    for (let i = 0; i < 3; i++) {
        phone.add('lists', i, s.text(`round ${i}`));
        words.push(`round ${i}`);
        for (let k = 0; k < 2; k++) await s.confirmed(phone);
        await noQuestions(s);
        await restore();
        await s.confirmed(phone);
        await noQuestions(s);
        await holds(s, phone, words);
    }
});

scenario('a computer and a phone restored from backups of about the same time', async (s) => {
    const { phone, ids } = await settled(s);
    const restore = await copied(s);
    const backup = phone.backup();
    phone.add('lists', 0, s.text('lost with both'));
    await s.cli(['rm', ids.ash]);
    for (let i = 0; i < 3; i++) await s.confirmed(phone);
    await restore();
    phone.restore(backup);
    phone.edit(ids.birch, s.text('birch, after the restores'));
    await s.edit(ids.cedar, s.text('cedar, after the restores'));
    for (let i = 0; i < 2; i++) {
        await s.confirmed(phone);
        await noQuestions(s);
        await holds(s, phone, ['ash', 'birch, after the restores', 'cedar, after the restores', 'elm', 'fir', 'oak', 'rowan']);
    }
});

scenario('a computer restored from a backup that is older than a phone: it pairs anew, and loses nothing', async (s) => {
    const { phone, ids } = await settled(s);
    const restore = await copied(s);
    const other = await s.phone({ deviceId: 'other' });
    other.add('lists', 2, s.text('from the other'));
    for (let i = 0; i < 2; i++) await s.confirmed(other);
    await s.confirmed(phone);
    phone.remove(ids.ash);
    await s.confirmed(phone);
    await restore();
    other.edit(ids.birch, s.text('birch, edited by the other'));
    const again = await s.phone({ deviceId: 'other', storage: other.storage });
    for (const each of [phone, again, phone]) {
        await s.confirmed(each);
        await noQuestions(s);
    }
    for (const each of [phone, again]) await holds(s, each, ['birch, edited by the other', 'cedar', 'elm', 'fir', 'oak', 'rowan', 'from the other']);
});

scenario('a fresh install under an old pairing blanks nothing, and takes no deletion for its own', async (s) => {
    // The app's factory labels and scratchpads have updatedAt 0 (merge §3).
    await s.serve();
    const phone = await s.phone();
    phone.setPad(0, s.text('a pad'));
    phone.setLabel('lists', 0, s.text('Shopping'));
    await s.confirmed(phone);
    await s.confirmed(phone);
    phone.wipe();
    await s.confirmed(phone);
    assert.equal(phone.storage.scratchpad.slots[0].content, s.text('a pad'));
    assert.equal(phone.storage.lists.categories[0].label, s.text('Shopping'));
    assert.equal(essence(await s.expectSame(phone)).scratchpad[0].content, s.text('a pad'));
});
