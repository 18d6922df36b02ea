/*
 * Questions that a policy answers (on_tie, on_large_change), and what is edited while a large change is being answered
 * (merge §7, §8; protocol §4).
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { assert, itemWith, itemsOf, scenario, texts } from './harness.mjs';

/* Agreed on four items, then `words` edited on both sides at one and the same time. */
async function tied(s, { words = ['ash'], env = {}, phone } = {}) {
    await s.serve({ env });
    phone ??= await s.phone();
    const ids = {};
    for (const word of ['ash', 'birch', 'cedar', 'elm']) ids[word] = phone.add('lists', 0, s.text(word)).id;
    await s.confirmed(phone);
    await s.confirmed(phone);
    for (const word of words) {
        const there = await s.edit(ids[word], s.text(`${word}, computer`));
        phone.edit(ids[word], s.text(`${word}, phone`), there.updatedAt);
    }
    return { phone, ids };
}

/* What SQLite says of the data folder. */
const ask = (s, sql) => execFileSync('sqlite3', ['-readonly', path.join(s.data, 'trivet.db'), sql], { encoding: 'utf8' }).trim();

const causes = (s) => ask(s, 'SELECT cause FROM history ORDER BY id').split('\n');

for (const [policy, winner] of [['phone', 'phone'], ['computer', 'computer'], ['newest', 'phone']])
    scenario(`on_tie = ${policy}: answered in the same sync, and nobody is asked`, async (s) => {
        const { phone } = await tied(s, { env: { TRIVET_ON_TIE: policy, TRIVET_ASK_TIMEOUT: '1h' } });
        phone.add('lists', 1, s.text('something else'));
        const end = await s.confirmed(phone);
        assert.ok(end.rounds <= 2, `${end.rounds} rounds`);
        const computer = await s.expectSame(phone);
        // ", phone" is greater than ", computer", byte by byte.
        assert.ok(itemWith(computer, s.text(`ash, ${winner}`)));
        assert.ok(itemWith(computer, s.text('something else')));
        assert.match(s.server.stderr, new RegExp(`answered by policy: on_tie = ${policy}`));
        assert.equal(ask(s, 'SELECT count(*) FROM question'), '0');
        assert.equal(ask(s, "SELECT seq FROM sqlite_sequence WHERE name = 'question'"), '', 'no row ever waited');
        assert.equal(causes(s).at(-1), 'policy');
        // What lost is there to be found.
        const column = winner === 'phone' ? 'before' : 'sent', table = winner === 'phone' ? 'history' : 'record';
        assert.equal(ask(s, `SELECT count(*) FROM blob WHERE name = (SELECT ${column} FROM ${table} ORDER BY id DESC LIMIT 1)`), '1');
        const { stdout } = await s.cli(['history', '--lost']);
        assert.ok(stdout.includes(s.text(`ash, ${winner === 'phone' ? 'computer' : 'phone'}`)), stdout);
        assert.equal((await s.confirmed(phone)).rounds, 1, 'nothing is answered twice');
        assert.equal(causes(s).at(-1), 'policy', 'and no line was added');
    });

scenario('a policy that changes nothing on the computer stands in history all the same', async (s) => {
    const { phone } = await tied(s, { env: { TRIVET_ON_TIE: 'computer' } });
    const lines = causes(s).length;
    const before = (await s.cli(['export'])).stdout;
    await s.confirmed(phone);
    assert.equal((await s.cli(['export'])).stdout, before);
    assert.deepEqual(causes(s).slice(lines), ['policy']);
    assert.equal(ask(s, 'SELECT hex(before) = hex(after) FROM history ORDER BY id DESC LIMIT 1'), '1');
});

scenario('on_tie = newest takes the same value in whatever order the phones come', async (s) => {
    const values = ['b, first', 'c, second', 'a, third'];
    const ends = [];
    for (const order of [[0, 1, 2], [2, 1, 0], [1, 0, 2]]) {
        const data = path.join(s.folder, `c${order.join('')}`);
        s.data = data;
        await s.serve({ env: { TRIVET_ON_TIE: 'newest' }, data });
        // Three phones that know nothing of each other hold one item, as of one time.
        const phones = [];
        for (const value of values) {
            const phone = await s.phone({ deviceId: value });
            const item = phone.add('lists', 0, s.text(value));
            Object.assign(item, { id: 'one', createdAt: 1000, updatedAt: 5000, done: value.startsWith('a') });
            phones.push(phone);
        }
        for (const index of [...order, ...order]) await s.confirmed(phones[index]);
        ends.push(itemsOf(await s.export()).map(({ text, done }) => ({ text, done })));
        await s.server.stop();
        for (const phone of phones) phone.storage.lists.slots = [[]];
        s.phones = [];
    }
    assert.deepEqual(ends[0], ends[1]);
    assert.deepEqual(ends[0], ends[2]);
    assert.equal(ends[0].length, 1);
    // By the first tied field, `done`, for all: text and check mark come from one side.
    assert.deepEqual(ends[0], [{ text: s.text('a, third'), done: true }]);
});

scenario('on_tie = newest: the item that was created later', async (s) => {
    await s.serve({ env: { TRIVET_ON_TIE: 'newest' } });
    const [one, two] = [await s.phone({ deviceId: 'one' }), await s.phone({ deviceId: 'two' })];
    for (const [phone, text, createdAt] of [[one, 'a, created later', 2000], [two, 'z, created earlier', 1000]])
        Object.assign(phone.add('lists', 0, s.text(text)), { id: 'one', createdAt, updatedAt: 5000 });
    await s.confirmed(one);
    await s.confirmed(two);
    assert.deepEqual(texts(await s.expectSame(two)).lists[0], [s.text('a, created later')]);
});

scenario('on_tie = cancel', async (s) => {
    const { phone } = await tied(s, { env: { TRIVET_ON_TIE: 'cancel', TRIVET_ASK_TIMEOUT: '1h' } });
    const mine = phone.backup();
    const before = (await s.cli(['export'])).stdout;
    const lines = causes(s).length;
    assert.equal((await phone.sync()).kind, 'cancelled');
    assert.deepEqual(phone.storage, mine);
    assert.equal((await s.cli(['export'])).stdout, before);
    assert.equal(causes(s).length, lines);
    assert.match(s.server.stderr, /answered by policy: on_tie = cancel/);
    const [result] = (await s.json(['sync', '--wait'], { expect: 1 }));
    assert.equal(result.outcome, 'cancelled');
});

scenario('what stands in the settings', async (s) => {
    for (const [name, bad, words] of [['ON_TIE', 'both', /ask, newest, phone, computer or cancel/], ['ON_LARGE_CHANGE', 'newest', /ask, phone, computer, both or cancel/]]) {
        const server = await s.serve({ env: { [`TRIVET_${name}`]: bad }, ready: false });
        server.expected = null;
        const { status } = await server.done;
        assert.equal(status, 78);
        assert.match(server.stderr, words);
    }
});

/* ---- large changes ---- */

/* The computer has lost all four, or the phone has. */
async function lost(s, side, env = {}) {
    const { phone, ids } = await tied(s, { words: [], env });
    await s.confirmed(phone);
    if (side === 'computer') {
        fs.writeFileSync(s.file('empty.json'), JSON.stringify({ lists: [[], [], [], [], [], []], lockedLists: [] }));
        await s.cli(['import', '--replace', s.file('empty.json')]);
    } else {
        phone.storage.lists.slots = phone.storage.lists.slots.map(() => []);
    }
    return { phone, ids };
}

const live = (state) => itemsOf(state).filter((item) => !item.deleted).map((item) => item.text).sort();
const four = (s) => ['ash', 'birch', 'cedar', 'elm'].map((word) => s.text(word));

for (const side of ['computer', 'phone'])
    for (const policy of ['computer', 'phone', 'both'])
        scenario(`on_large_change = ${policy}, and the ${side} has lost all`, async (s) => {
            const { phone } = await lost(s, side, { TRIVET_ON_LARGE_CHANGE: policy, TRIVET_ASK_TIMEOUT: '1h' });
            assert.ok((await s.confirmed(phone)).rounds <= 2);
            assert.deepEqual(live(await s.expectSame(phone)), policy === side ? [] : four(s));
            assert.match(s.server.stderr, new RegExp(`\\(large_change\\) was answered by policy: on_large_change = ${policy}`));
            assert.equal(causes(s).at(-1), 'policy');
            assert.equal((await s.confirmed(phone)).rounds, 1);
            assert.deepEqual(live(await s.expectSame(phone)), policy === side ? [] : four(s), 'and so it stays');
        });

scenario('on_large_change = cancel', async (s) => {
    const { phone } = await lost(s, 'phone', { TRIVET_ON_LARGE_CHANGE: 'cancel' });
    for (let i = 0; i < 2; i++) assert.equal((await phone.sync()).kind, 'cancelled');
    assert.deepEqual(live(await s.export()), four(s));
});

scenario('ties that follow on_large_change = both go by on_tie', async (s) => {
    const { phone, ids } = await tied(s, { words: [], env: { TRIVET_ON_LARGE_CHANGE: 'both', TRIVET_ON_TIE: 'computer' } });
    for (const word of ['fir', 'oak', 'yew']) phone.add('lists', 1, s.text(word));
    await s.confirmed(phone);
    const there = await s.edit(ids.ash, s.text('ash, computer'));
    phone.edit(ids.ash, s.text('ash, phone'), there.updatedAt);
    phone.storage.lists.slots = phone.storage.lists.slots.map((items) => items.filter((item) => item.id === ids.ash)); // one of seven
    await s.confirmed(phone);
    assert.deepEqual(live(await s.expectSame(phone)), ['ash, computer', 'birch', 'cedar', 'elm', 'fir', 'oak', 'yew'].map((word) => s.text(word)));
    assert.match(s.server.stderr, /on_large_change = both/);
});

/* ---- edited while a large change is answered ---- */

scenario('--use computer keeps what the phone edits between the question and the confirm', async (s) => {
    const { phone } = await lost(s, 'phone');
    const sync = phone.sync();
    const question = await s.question();
    assert.equal(question.kind, 'large_change');
    phone.add('lists', 2, s.text('typed while it was asked'));
    let rounds = 0;
    phone.hooks.afterAnswer = () => {
        if (rounds++ === 0) phone.add('lists', 3, s.text('typed after it was answered'));
    };
    await s.cli(['resolve', '--use', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    const computer = await s.expectSame(phone);
    assert.deepEqual(live(computer), [...four(s), s.text('typed after it was answered'), s.text('typed while it was asked')].sort());
    phone.hooks = {};
    await phone.disconnect();
    assert.equal((await s.confirmed(phone)).rounds, 1, 'nothing is asked twice');
});

scenario('--use computer: what the computer deleted stays deleted, and what the phone adds meanwhile stays', async (s) => {
    const { phone, ids } = await lost(s, 'computer');
    const sync = phone.sync();
    await s.question();
    phone.edit(ids.ash, s.text('ash, edited meanwhile'));
    phone.add('lists', 2, s.text('added meanwhile'));
    await s.cli(['resolve', '--use', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    assert.deepEqual(live(await s.expectSame(phone)), [s.text('added meanwhile')]);
});

for (const [use, rest] of [['phone', []], ['computer', ['ash', 'birch', 'cedar', 'elm']]])
    scenario(`--use ${use} keeps what the computer edits while it is asked`, async (s) => {
        const { phone } = await lost(s, 'phone');
        const sync = phone.sync();
        await s.question();
        await s.add(s.text('typed meanwhile'), ['--slot', '3']);
        await s.cli(['resolve', '--use', use]);
        assert.equal((await sync).kind, 'confirmed');
        assert.deepEqual(live(await s.expectSame(phone)), [...rest.map((word) => s.text(word)), s.text('typed meanwhile')].sort());
    });

scenario('--use phone, and both sides edit meanwhile: a tie between the two is a question of its own', async (s) => {
    const { phone, ids } = await tied(s, { words: [] });
    for (const word of ['birch', 'cedar', 'elm', 'fir', 'oak', 'yew']) ids[word] ??= phone.add('lists', 0, s.text(word)).id;
    await s.confirmed(phone);
    const all = phone.storage.lists.slots[0];
    phone.storage.lists.slots[0] = all.filter((item) => item.id === ids.ash); // one of seven is left
    const sync = phone.sync();
    await s.question();
    const there = await s.edit(ids.ash, s.text('ash, computer'));
    phone.edit(ids.ash, s.text('ash, phone'), there.updatedAt);
    phone.add('lists', 1, s.text('of the phone'));
    await s.add(s.text('of the computer'), ['--slot', '2']);
    await s.cli(['resolve', '--use', 'phone']);
    const tie = await s.question();
    assert.equal(tie.kind, 'tie');
    assert.deepEqual([tie.ties.length, tie.ties[0].phoneValue, tie.ties[0].computerValue], [1, s.text('ash, phone'), s.text('ash, computer')]);
    await s.cli(['resolve', '--pick', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    assert.deepEqual(live(await s.expectSame(phone)), ['ash, computer', 'of the computer', 'of the phone'].map((word) => s.text(word)));
});

scenario('an answer to a large change does not cover a second one that comes while it is carried out', async (s) => {
    const { phone } = await lost(s, 'computer');
    const sync = phone.sync();
    await s.question();
    phone.storage.lists.slots = phone.storage.lists.slots.map(() => []); // now the phone has lost them, too
    phone.add('lists', 0, s.text('typed meanwhile'));
    await s.add(s.text('of the computer'));
    await s.cli(['resolve', '--use', 'computer']);
    assert.equal((await sync).kind, 'confirmed');
    assert.deepEqual(live(await s.expectSame(phone)), [s.text('of the computer'), s.text('typed meanwhile')]);
});

scenario('the same, and the computer still has them: it is asked anew', async (s) => {
    const { phone, ids } = await tied(s, { words: [] });
    await s.confirmed(phone);
    phone.storage.lists.slots[0] = phone.storage.lists.slots[0].filter((item) => item.id === ids.ash); // 3 of 4 is below 80%
    for (const word of ['fir', 'oak']) phone.add('lists', 1, s.text(word));
    await s.confirmed(phone);
    // Agreed on three by now: the computer loses them, and then the phone does.
    fs.writeFileSync(s.file('empty.json'), JSON.stringify({ lists: [[], [], [], [], [], []], lockedLists: [] }));
    const whole = (await s.cli(['export'])).stdout;
    fs.writeFileSync(s.file('whole.json'), whole);
    await s.cli(['import', '--replace', s.file('empty.json')]);
    const sync = phone.sync();
    const first = await s.question();
    await s.cli(['import', '--replace', s.file('whole.json')]);
    await s.add(s.text('so that there is something to tell the phone'), ['--slot', '5']);
    phone.storage.lists.slots = phone.storage.lists.slots.map(() => []);
    await s.cli(['resolve', '--use', 'computer']);
    const second = await s.question();
    assert.notEqual(second.id, first.id);
    assert.deepEqual(second.large_change, { known: 3, phoneMissing: 3, computerMissing: 0 });
    await s.cli(['resolve', '--use', 'both']);
    assert.equal((await sync).kind, 'confirmed');
    assert.equal(live(await s.expectSame(phone)).length, 4);
});
