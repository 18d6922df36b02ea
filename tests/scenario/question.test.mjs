/* Questions: ties and large changes that wait for an answer, and what goes on meanwhile (protocol §4, merge §7, §8). */
import fs from 'node:fs';
import { assert, itemWith, itemsOf, scenario, texts } from './harness.mjs';

/* Agreed on a few items; then one of them is edited on both sides, at one and the same time: a tie. */
async function tied(s, { words = ['ash'], env = {}, section = 'lists' } = {}) {
    await s.serve({ env });
    const phone = await s.phone();
    const ids = {};
    for (const word of ['ash', 'birch', 'cedar', 'elm']) ids[word] = phone.add(section, 0, s.text(word)).id;
    await s.confirmed(phone);
    await s.confirmed(phone);
    for (const word of words) {
        const there = await s.edit(ids[word], s.text(`${word}, computer`));
        phone.edit(ids[word], s.text(`${word}, phone`), there.updatedAt);
    }
    return { phone, ids };
}

for (const side of ['phone', 'computer'])
    scenario(`a tie, resolved with --pick ${side}`, async (s) => {
        const { phone, ids } = await tied(s);
        phone.add('lists', 1, s.text('something else'));
        const sync = phone.sync();
        const question = await s.question();
        assert.equal(question.kind, 'tie');
        assert.equal(question.ties.length, 1);
        const [tie] = question.ties;
        assert.deepEqual([tie.section, tie.slot, tie.itemId, tie.field], ['lists', 0, ids.ash, 'text']);
        assert.deepEqual([tie.phoneValue, tie.computerValue], [s.text('ash, phone'), s.text('ash, computer')]);
        assert.ok(question.deadline > Date.now() && question.deadline < Date.now() + 61000, 'ms since 1970, at most a minute ahead');
        assert.ok(!itemWith(await s.export(), s.text('something else')), 'nothing is committed while a question is open');
        await s.cli(['resolve', String(question.id), '--pick', side]);
        assert.equal((await sync).kind, 'confirmed');
        await phone.disconnect();
        assert.deepEqual(await s.pending(), []);
        const computer = await s.expectSame(phone);
        assert.ok(itemWith(computer, s.text(`ash, ${side}`)));
        assert.ok(itemWith(computer, s.text('something else')));
        assert.equal((await s.confirmed(phone)).rounds, 1, 'nothing is asked twice');
    });

scenario('a tie, resolved without naming it', async (s) => {
    const { phone } = await tied(s);
    const sync = phone.sync();
    await s.question();
    await s.cli(['resolve', '--pick', 'phone']);
    assert.equal((await sync).kind, 'confirmed');
    assert.ok(itemWith(await s.expectSame(phone), s.text('ash, phone')));
});

scenario('several ties, each with its own pick', async (s) => {
    const { phone, ids } = await tied(s, { words: ['ash', 'birch', 'cedar'] });
    const sync = phone.sync();
    const question = await s.question();
    assert.equal(question.ties.length, 3);
    const place = question.ties.findIndex((tie) => tie.itemId === ids.birch) + 1;
    assert.ok(place > 0);
    const others = [1, 2, 3].filter((n) => n !== place);
    // Numbered from 1, as everything that a person types; both orders of words are natural.
    await s.cli(['resolve', String(question.id), '--pick', 'phone', '--tie', String(place)]);
    await s.cli(['resolve', String(question.id), '--pick', 'computer', ...others.flatMap((n) => ['--tie', String(n)])]);
    assert.equal((await sync).kind, 'confirmed');
    const computer = await s.expectSame(phone);
    assert.deepEqual(texts(computer).lists[0].sort(), ['ash, computer', 'birch, phone', 'cedar, computer', 'elm'].map((word) => s.text(word)));
});

scenario('a tie of a locked item shows its text only with --locked', async (s) => {
    const { phone } = await tied(s, { section: 'lockedLists' });
    const sync = phone.sync();
    await s.question();
    for (const args of [['pending'], ['pending', '--json'], ['status'], ['devices']]) {
        const { stdout, stderr } = await s.cli(args);
        assert.ok(!(stdout + stderr).includes(s.marker), `${args.join(' ')} shows a locked item's text`);
    }
    assert.ok((await s.cli(['pending', '--locked'])).stdout.includes(s.text('ash, phone')));
    const [question] = await s.json(['pending', '--locked']);
    assert.equal(question.ties[0].computerValue, s.text('ash, computer'));
    await s.cli(['resolve', '--pick', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    await s.expectSame(phone);
});

scenario('a question that nobody answers ends with a cancel, and is asked again', async (s) => {
    const { phone } = await tied(s, { env: { TRIVET_ASK_TIMEOUT: '1s' } });
    const mine = phone.backup();
    const before = (await s.cli(['export'])).stdout;
    const started = Date.now();
    const end = await phone.sync();
    assert.equal(end.kind, 'cancelled');
    assert.ok(Date.now() - started >= 900);
    assert.ok(phone.connected, 'the connection stays');
    assert.deepEqual(phone.storage, mine);
    assert.equal((await s.cli(['export'])).stdout, before);
    assert.deepEqual(await s.pending(), []);
    const again = phone.sync();
    const question = await s.question();
    await s.cli(['resolve', String(question.id), '--pick', 'phone']);
    assert.equal((await again).kind, 'confirmed');
    await s.expectSame(phone);
});

scenario('--cancel', async (s) => {
    const { phone } = await tied(s);
    const before = (await s.cli(['export'])).stdout;
    const sync = phone.sync();
    await s.question();
    await s.cli(['resolve', '--cancel']);
    assert.equal((await sync).kind, 'cancelled');
    assert.equal((await s.cli(['export'])).stdout, before);
    assert.deepEqual(await s.pending(), []);
});

scenario('an edit on the phone while a question is open survives, and the pick holds', async (s) => {
    const { phone, ids } = await tied(s);
    const sync = phone.sync();
    const question = await s.question();
    phone.add('lists', 2, s.text('typed meanwhile'));
    phone.edit(ids.cedar, s.text('cedar, edited meanwhile'));
    phone.remove(ids.elm);
    await s.cli(['resolve', String(question.id), '--pick', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    await phone.disconnect();
    assert.deepEqual(await s.pending(), [], 'a pick holds where its tie is unchanged');
    const computer = await s.expectSame(phone);
    assert.deepEqual(texts(computer).lists[0], ['ash, computer', 'birch', 'cedar, edited meanwhile'].map((word) => s.text(word)));
    assert.deepEqual(texts(computer).lists[2], [s.text('typed meanwhile')]);
});

scenario('an edit on the computer while a question is open', async (s) => {
    const { phone, ids } = await tied(s);
    const sync = phone.sync();
    const question = await s.question();
    await s.add(s.text('typed meanwhile'), ['--slot', '3']);
    await s.edit(ids.cedar, s.text('cedar, edited meanwhile'));
    await s.cli(['resolve', String(question.id), '--pick', 'phone']);
    assert.equal((await sync).kind, 'confirmed');
    await phone.disconnect();
    const computer = await s.expectSame(phone);
    assert.deepEqual(texts(computer).lists[0], ['ash, phone', 'birch', 'cedar, edited meanwhile', 'elm'].map((word) => s.text(word)));
    assert.deepEqual(texts(computer).lists[2], [s.text('typed meanwhile')]);
});

scenario('an edit of the tied item itself while the question is open', async (s) => {
    // The phone's new edit is later: there is no tie any more, and nothing is asked again.
    const { phone, ids } = await tied(s);
    const sync = phone.sync();
    const question = await s.question();
    phone.edit(ids.ash, s.text('ash, thought better of it'), Date.now() + 1000);
    await s.cli(['resolve', String(question.id), '--pick', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    await phone.disconnect();
    assert.ok(itemWith(await s.expectSame(phone), s.text('ash, thought better of it')));
});

scenario('an edit on the phone between the two rounds', async (s) => {
    const { phone, ids } = await tied(s, { words: [] });
    await s.add(s.text('of the computer'));
    phone.hooks.afterAnswer = (round) => {
        if (round !== 1) return;
        phone.add('lists', 3, s.text('between the rounds'));
        phone.edit(ids.birch, s.text('birch, between the rounds'));
        phone.remove(ids.elm);
    };
    const end = await s.confirmed(phone);
    assert.equal(end.rounds, 3, 'merged anew from the second answer');
    const computer = await s.expectSame(phone);
    assert.deepEqual(texts(computer).lists[0], ['ash', 'birch, between the rounds', 'cedar', 'of the computer'].map((word) => s.text(word)));
    assert.deepEqual(texts(computer).lists[3], [s.text('between the rounds')]);
});

scenario('an edit on the computer between the two rounds', async (s) => {
    const { phone, ids } = await tied(s, { words: [] });
    await s.add(s.text('of the computer'));
    phone.add('lists', 2, s.text('of the phone'));
    phone.hooks.onState = async (message, round) => {
        if (round !== 2) return;
        await s.add(s.text('between the rounds'), ['--slot', '4']);
        await s.cli(['rm', ids.elm]);
    };
    const end = await s.confirmed(phone);
    assert.ok(end.rounds >= 3, 'merged anew');
    const computer = await s.expectSame(phone);
    assert.deepEqual(texts(computer).lists, [['ash', 'birch', 'cedar', 'of the computer'], [], ['of the phone'], ['between the rounds'], [], []].map((slot) => slot.map((word) => s.text(word))));
});

scenario('the edit that makes both sides equal', async (s) => {
    // The phone ends up where the computer already is: M is what the phone holds, no snapshot.
    const { phone, ids } = await tied(s, { words: [] });
    const there = await s.edit(ids.ash, s.text('the same on both'));
    phone.hooks.afterAnswer = (round) => {
        if (round === 1) phone.edit(ids.ash, s.text('the same on both'), there.updatedAt);
    };
    const end = await s.confirmed(phone);
    assert.equal(end.snapshot, undefined);
    assert.equal(end.mode, 'phone-wins');
    await s.expectSame(phone);
});

scenario('someone who never stops typing: the sync is given up, and nothing of it is lost', async (s) => {
    const { phone } = await tied(s, { words: [] });
    await s.add(s.text('of the computer'));
    const before = (await s.cli(['export'])).stdout;
    let n = 0;
    phone.hooks.afterAnswer = () => phone.add('lists', 5, s.text(`typed ${n++}`));
    const end = await phone.sync();
    assert.equal(end.kind, 'cancelled');
    assert.ok(end.rounds >= 4 && end.rounds <= 6, `${end.rounds} rounds`);
    assert.equal((await s.cli(['export'])).stdout, before);
    phone.hooks = {};
    assert.equal((await phone.sync()).kind, 'confirmed');
    assert.equal(texts(await s.expectSame(phone)).lists[5].length, n);
});

scenario('a question ends with its connection', async (s) => {
    const { phone } = await tied(s);
    const before = (await s.cli(['export'])).stdout;
    const sync = phone.sync();
    const question = await s.question();
    phone.cut();
    assert.equal((await sync).kind, 'closed');
    await s.eventually('the question is withdrawn', async () => (await s.pending()).length === 0);
    const late = await s.cli(['resolve', String(question.id), '--pick', 'phone'], { expect: null });
    assert.notEqual(late.status, 0);
    assert.match(late.stderr, /question|pending|open/i);
    assert.equal((await s.cli(['export'])).stdout, before);
});

scenario('a restart cancels a question', async (s) => {
    const { phone } = await tied(s);
    const before = (await s.cli(['export'])).stdout;
    for (const hard of [false, true]) {
        const sync = phone.sync();
        await s.question();
        if (hard) await s.kill9();
        await s.restart();
        assert.equal((await sync).kind, 'closed');
        assert.deepEqual(await s.pending(), []);
        assert.equal((await s.cli(['export'])).stdout, before);
    }
    const sync = phone.sync();
    await s.question();
    await s.cli(['resolve', '--pick', 'phone']);
    assert.equal((await sync).kind, 'confirmed');
    await s.expectSame(phone);
});

scenario('two phones with a question each', async (s) => {
    const { phone, ids } = await tied(s, { words: ['ash'] });
    const other = await s.phone({ deviceId: 'other' });
    other.restore(phone.backup());
    // The second phone comes with no records: what differs at one time ties.
    const birch = itemWith(await s.export(), s.text('birch'));
    other.edit(ids.ash, s.text('ash, computer'), itemWith(await s.export(), s.text('ash, computer')).updatedAt);
    other.edit(ids.birch, s.text('birch, other'), birch.updatedAt);
    const first = phone.sync();
    await s.question();
    const second = other.sync();
    await s.eventually('two questions', async () => (await s.pending()).length === 2);
    const questions = await s.pending();
    const ambiguous = await s.cli(['resolve', '--pick', 'phone'], { expect: null });
    assert.notEqual(ambiguous.status, 0, 'which of the two?');
    for (const question of questions.reverse()) await s.cli(['resolve', String(question.id), '--pick', 'phone']);
    assert.equal((await second).kind, 'confirmed');
    assert.equal((await first).kind, 'confirmed');
    for (const p of [other, phone, other]) {
        await p.disconnect();
        await s.confirmed(p);
    }
    assert.deepEqual(texts(await s.expectSame(phone)).lists[0], ['ash, phone', 'birch, other', 'cedar', 'elm'].map((word) => s.text(word)));
    await s.expectSame(other);
});

scenario('answers that are none', async (s) => {
    const { phone } = await tied(s);
    assert.equal((await s.cli(['resolve', '--pick', 'phone'], { expect: null })).status, 1, 'nothing to resolve is a "no", no error');
    const sync = phone.sync();
    const question = await s.question();
    for (const args of [[], ['--pick', 'tablet'], ['--use', 'everything'], ['--pick', 'phone', '--tie', '7'], ['--pick', 'phone', '--cancel'], ['--pick', 'phone', '--tie', '0']]) {
        const { status, stderr } = await s.cli(['resolve', String(question.id), ...args], { expect: null });
        assert.ok(status >= 64 && status <= 78, `resolve ${args.join(' ')}: ${status}`);
        assert.ok(stderr.trim().length > 0);
    }
    assert.notEqual((await s.cli(['resolve', String(question.id), '--use', 'phone'], { expect: null })).status, 0, 'a tie is no large change');
    assert.notEqual((await s.cli(['resolve', '999999', '--pick', 'phone'], { expect: null })).status, 0);
    assert.equal((await s.pending()).length, 1, 'still open');
    await s.cli(['resolve', '--pick', 'phone']);
    assert.equal((await sync).kind, 'confirmed');
});

for (const [use, survives] of [['both', true], ['phone', true], ['computer', false]])
    scenario(`a large change on the computer, resolved with --use ${use}`, async (s) => {
        const { phone, ids } = await tied(s, { words: [] });
        await s.confirmed(phone);
        // Absent, not dead: nobody deleted them one by one.
        fs.writeFileSync(s.file('empty.json'), JSON.stringify({ lists: [[], [], [], [], [], []], lockedLists: [] }));
        await s.cli(['import', '--replace', s.file('empty.json')]);
        assert.deepEqual(texts(await s.export()).lists.flat(), []);
        const sync = phone.sync();
        const question = await s.question();
        assert.equal(question.kind, 'large_change');
        assert.deepEqual(question.large_change, { known: 4, phoneMissing: 0, computerMissing: 4 });
        await s.cli(['resolve', '--use', use]);
        assert.equal((await sync).kind, 'confirmed');
        const computer = await s.expectSame(phone);
        const live = itemsOf(computer).filter((item) => !item.deleted).map((item) => item.id);
        assert.deepEqual(live.sort(), survives ? Object.values(ids).sort() : []);
        await phone.disconnect();
        await s.confirmed(phone);
        assert.deepEqual(itemsOf(await s.expectSame(phone)).filter((item) => !item.deleted).length, survives ? 4 : 0, 'and so it stays');
    });
