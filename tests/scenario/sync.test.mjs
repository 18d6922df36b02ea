/* Ordinary syncs: what a person with a phone, or two, sees on an ordinary day. */
import fs from 'node:fs';
import net from 'node:net';
import { assert, essence, itemWith, scenario, sleep, texts, TRIVET } from './harness.mjs';
import { spawn } from 'node:child_process';

/* A phone and a computer that agree on a few things, with every section in use. */
async function agreed(s) {
    await s.serve();
    const phone = await s.phone();
    const ids = {};
    for (const word of ['milk', 'bread', 'eggs', 'salt']) ids[word] = phone.add('lists', 0, s.text(word)).id;
    ids.secret = phone.add('lockedLists', 1, s.text('passport')).id;
    phone.setPad(0, s.text('first pad'));
    phone.setLabel('lists', 0, s.text('Shopping'));
    await s.confirmed(phone);
    return { phone, ids };
}

scenario('first sync: an empty computer takes all that the phone has, in one round', async (s) => {
    await s.serve();
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    phone.add('lists', 5, s.text('bread'), { done: true });
    phone.add('lockedLists', 2, s.text('passport'));
    const gone = phone.add('lists', 0, s.text('gone'));
    phone.remove(gone.id);
    phone.setPad(3, s.text('a pad\nof two lines\n'));
    phone.setLabel('lockedLists', 2, s.text('Papers'));
    const before = phone.backup();
    const end = await s.confirmed(phone);
    assert.equal(end.mode, 'phone-wins');
    assert.equal(end.snapshot, undefined, 'what the user types meanwhile must survive: no snapshot');
    assert.equal(end.rounds, 1);
    const computer = await s.expectSame(phone);
    assert.deepEqual(texts(computer).lists[0], [s.text('milk')]);
    assert.equal(computer.scratchpad[3].content, s.text('a pad\nof two lines\n'));
    assert.deepEqual({ ...phone.storage, since: 0 }, { ...before, since: 0 });
});

scenario('first sync: a fresh phone takes all that the computer has', async (s) => {
    await s.serve();
    await s.add(s.text('milk'));
    await s.add(s.text('bread'), ['--slot', '3']);
    await s.add(s.text('passport'), ['--locked', '--slot', '2']);
    s.planted.add(s.text('a pad'));
    await s.cli(['pad', '4', '--set', s.text('a pad')]);
    const phone = await s.phone();
    const end = await s.confirmed(phone);
    assert.equal(end.mode, 'desktop-wins');
    assert.equal(end.rounds, 2);
    const state = phone.state();
    assert.deepEqual(texts(state), {
        lists: [[s.text('milk')], [], [s.text('bread')], [], [], []],
        lockedLists: [[], [s.text('passport')], [], [], [], []],
    });
    assert.equal(state.scratchpad[3].content, s.text('a pad'));
    await s.expectSame(phone);
});

scenario('edits of both sides are combined', async (s) => {
    const { phone, ids } = await agreed(s);
    phone.edit(ids.milk, s.text('oat milk'));
    await s.cli(['done', ids.milk]); // another field of the same item
    phone.change(ids.bread, { done: true });
    await s.edit(ids.eggs, s.text('twelve eggs'));
    phone.remove(ids.salt);
    await s.cli(['rm', ids.secret]);
    phone.add('lists', 1, s.text('from the phone'));
    await s.add(s.text('from the computer'), ['--slot', '2']);
    phone.setPad(1, s.text('pad of the phone'));
    await s.cli(['pad', '3', '--set', s.text('pad of the computer')]);
    phone.setLabel('scratchpad', 1, s.text('Ideas'));
    const end = await s.confirmed(phone);
    assert.equal(end.mode, 'desktop-wins');
    assert.equal(end.rounds, 2);
    const computer = await s.expectSame(phone);
    const milk = itemWith(computer, s.text('oat milk'));
    assert.equal(milk.id, ids.milk);
    assert.equal(milk.done, true);
    assert.equal(itemWith(computer, s.text('bread')).done, true);
    assert.equal(itemWith(computer, s.text('twelve eggs')).id, ids.eggs);
    const shown = texts(computer);
    assert.ok(!shown.lists[0].includes(s.text('salt')));
    assert.deepEqual(shown.lockedLists[1], []);
    assert.deepEqual(shown.lists[1].sort(), [s.text('from the computer'), s.text('from the phone')]);
    assert.equal(computer.scratchpad[0].content, s.text('first pad'));
    assert.equal(computer.scratchpad[1].content, s.text('pad of the phone'));
    assert.equal(computer.scratchpad[2].content, s.text('pad of the computer'));
    assert.equal(computer.scratchpadCategories[1].label, s.text('Ideas'));
});

scenario('a move on one side and an edit on the other both apply', async (s) => {
    const { phone, ids } = await agreed(s);
    phone.move(ids.milk, 4);
    await s.edit(ids.milk, s.text('goat milk'));
    await s.cli(['mv', ids.eggs, '--slot', '6']);
    phone.change(ids.eggs, { done: true });
    await s.confirmed(phone);
    const computer = await s.expectSame(phone);
    assert.deepEqual(texts(computer).lists, [[s.text('bread'), s.text('salt')], [], [], [], [s.text('goat milk')], [s.text('eggs')]]);
    assert.equal(itemWith(computer, s.text('eggs')).done, true);
});

scenario('two texts for one item: the later one wins, on both sides', async (s) => {
    const { phone, ids } = await agreed(s);
    await s.edit(ids.milk, s.text('earlier'));
    await s.edit(ids.bread, s.text('later, on the computer'));
    phone.edit(ids.milk, s.text('later, on the phone'), Date.now() + 60000);
    phone.edit(ids.bread, s.text('earlier, on the phone'), Date.now() - 600000);
    await s.confirmed(phone);
    const computer = await s.expectSame(phone);
    assert.deepEqual(texts(computer).lists[0].slice(0, 2), [s.text('later, on the phone'), s.text('later, on the computer')]);
});

scenario('deletion wins over an edit; a restore after an agreed deletion wins over it', async (s) => {
    const { phone, ids } = await agreed(s);
    phone.remove(ids.milk);
    await s.edit(ids.milk, s.text('edited too late'));
    await s.confirmed(phone);
    assert.ok(!texts(await s.expectSame(phone)).lists[0].some((text) => /milk|late/.test(text)));
    phone.undelete(ids.milk);
    await s.confirmed(phone);
    assert.ok(itemWith(await s.expectSame(phone), s.text('edited too late')), 'restored, with the text that both had merged');
});

scenario('syncs without edits change nothing', async (s) => {
    const { phone } = await agreed(s);
    await s.add(s.text('one more'));
    await s.confirmed(phone);
    const computer = (await s.cli(['export'])).stdout;
    const before = phone.backup();
    for (let i = 0; i < 3; i++) {
        const end = await s.confirmed(phone);
        assert.equal(end.mode, 'phone-wins');
        assert.equal(end.snapshot, undefined);
        assert.equal(end.rounds, 1);
    }
    assert.equal((await s.cli(['export'])).stdout, computer);
    assert.deepEqual({ ...phone.storage, since: 0 }, { ...before, since: 0 });
});

scenario('a purged tombstone stays purged, and nothing comes back', async (s) => {
    const { phone, ids } = await agreed(s);
    phone.remove(ids.milk);
    await s.confirmed(phone);
    phone.purge();
    await s.confirmed(phone);
    await s.confirmed(phone);
    assert.ok(!texts(await s.export()).lists[0].includes(s.text('milk')));
    assert.ok(!texts(phone.state()).lists[0].includes(s.text('milk')));
});

scenario('`trivet phone` and a server: the first commands of a new user', async (s) => {
    // As printed, with no pause that a person would make; only the port is one that is free.
    const port = await new Promise((resolve) => {
        const probe = net.createServer().listen(0, () => {
            const { port: free } = probe.address();
            probe.close(() => resolve(free));
        });
    });
    const script = `
        build/trivet serve --data c --port ${port} --no-mdns &
        echo $! >server.pid
        build/trivet pair --data c --json > pairing.json
        build/trivet phone --state p init --pairing pairing.json
        build/trivet phone --state p add "milk"; build/trivet add --data c "bread"
        build/trivet phone --state p sync
        echo; echo "=== phone"; build/trivet phone --state p export
        echo; echo "=== computer"; build/trivet export --data c
        echo; echo "=== end"
        kill "$(cat server.pid)"; wait`;
    fs.mkdirSync(s.file('build'));
    fs.symlinkSync(TRIVET, s.file('build/trivet'));
    const shell = spawn('bash', ['-c', script], { cwd: s.folder, env: s.env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    shell.stdout.on('data', (chunk) => (out += chunk));
    shell.stderr.on('data', (chunk) => (err += chunk));
    const status = await new Promise((resolve) => shell.on('close', resolve));
    assert.equal(status, 0, err);
    const [, phone, computer] = out.match(/=== phone\n([\s\S]*?)\n=== computer\n([\s\S]*?)\n=== end/) ?? assert.fail(out + err);
    assert.equal(phone, computer, 'both sides print the same state');
    assert.deepEqual(texts(JSON.parse(computer)).lists.flat().sort(), ['bread', 'milk']);
    assert.ok(fs.statSync(s.file('pairing.json')).size > 0);
    const { secret, k } = JSON.parse(fs.readFileSync(s.file('pairing.json'), 'utf8'));
    assert.ok(!err.includes(secret) && !err.includes(k), 'no secret on stderr');
});

scenario('two phones and a computer come to agree', async (s) => {
    await s.serve();
    const one = await s.phone({ deviceId: 'Pixel 9' });
    const two = await s.phone({ deviceId: 'Galaxy S22' });
    one.add('lists', 0, s.text('of one'));
    two.add('lists', 0, s.text('of two'));
    await s.add(s.text('of the computer'));
    await s.confirmed(one);
    await s.confirmed(two);
    await s.confirmed(one);
    const expected = [s.text('of one'), s.text('of the computer'), s.text('of two')].sort();
    for (const phone of [one, two]) assert.deepEqual(texts((await s.expectSame(phone))).lists[0].sort(), expected);

    one.edit(itemWith(one.state(), s.text('of two')).id, s.text('of two, by one'));
    two.remove(itemWith(two.state(), s.text('of one')).id);
    for (const phone of [two, one, two]) await s.confirmed(phone);
    await s.expectSame(one);
    await s.expectSame(two);
    assert.deepEqual(texts(one.state()).lists[0].sort(), [s.text('of the computer'), s.text('of two, by one')]);
});

scenario('two phones of one model, each with its own code', async (s) => {
    await s.serve();
    const one = await s.phone({ deviceId: 'Pixel 9' });
    const two = await s.phone({ deviceId: 'Pixel 9' });
    one.add('lists', 0, s.text('of one'));
    two.add('lists', 0, s.text('of two'));
    // Both at once, and both stay: the model's name is no identity.
    await s.confirmed(one, { stay: true });
    await s.confirmed(two, { stay: true });
    assert.ok(one.connected && two.connected, 'neither put the other out');
    await s.confirmed(one);
    await s.confirmed(two);
    await s.expectSame(one);
    await s.expectSame(two);
    one.remove(itemWith(one.state(), s.text('of two')).id);
    await s.confirmed(one);
    await s.confirmed(two);
    assert.deepEqual(texts(two.state()).lists[0], [s.text('of one')], 'each has an ancestor of its own');
});

scenario('two phones that sync at the same moment', async (s) => {
    await s.serve();
    const phones = [await s.phone({ deviceId: 'A' }), await s.phone({ deviceId: 'B' }), await s.phone({ deviceId: 'C' })];
    for (let round = 0; round < 5; round++) {
        for (const [i, phone] of phones.entries()) phone.add('lists', i, s.text(`${i} in round ${round}`));
        const ends = await Promise.all(phones.map((phone) => phone.sync()));
        for (const end of ends) assert.equal(end.kind, 'confirmed', s.server.stderr);
    }
    // No further edits: equal after two rounds each (merge §6, L7).
    for (let i = 0; i < 2; i++) for (const phone of phones) await s.confirmed(phone);
    for (const phone of phones) await s.expectSame(phone);
    assert.equal(texts(await s.export()).lists.flat().length, 15);
});

scenario('`trivet sync --wait` starts a sync with a phone that is there', async (s) => {
    const { phone } = await agreed(s);
    await s.confirmed(phone, { stay: true });
    await s.add(s.text('typed at the computer'));
    await s.cli(['sync', '--wait']);
    await phone.wait(['confirmed']);
    assert.ok(itemWith(phone.state(), s.text('typed at the computer')));
    await s.add(s.text('and once more'));
    const told = await s.json(['sync', phone.pairing.device, '--wait']);
    assert.ok(JSON.stringify(told).includes(phone.pairing.device), 'which phone, and how it went');
    await phone.wait(['confirmed']);
    // Without --wait it is only started.
    await s.add(s.text('and again'));
    await s.cli(['sync']);
    await phone.wait(['confirmed']);
    assert.equal((await s.cli(['sync', 'no-such-device'], { expect: null })).status, 66, 'there is no such phone');
    await s.expectSame(phone);
    await phone.disconnect();
    const { status, stderr } = await s.cli(['sync', '--wait'], { expect: null });
    assert.notEqual(status, 0, 'with no phone there is nothing to sync with');
    assert.match(stderr, /phone|device|connected/i);
    assert.equal((await s.cli(['sync', phone.pairing.device], { expect: null })).status, 1, 'this one is only away');
});

scenario('a sync_request during a sync is answered by that one', async (s) => {
    await s.serve();
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    phone.hooks.greeting = () => {
        phone.sendHandshake();
        for (let i = 0; i < 4; i++) phone.requestSync();
        phone.sendManifest();
    };
    await s.confirmed(phone, { stay: true });
    await sleep(300);
    assert.equal(phone.log.filter((entry) => entry.kind === 'confirmed').length, 1);
    await s.expectSame(phone);
});

scenario('a state that nobody asked for is dropped', async (s) => {
    const { phone } = await agreed(s);
    await s.confirmed(phone, { stay: true });
    const before = (await s.cli(['export'])).stdout;
    const state = phone.state();
    state.lists[0] = [];
    for (let i = 0; i < 3; i++) phone.sendMessage({ type: 'state_sync', ...state, since: phone.storage.since });
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('an answer to the heartbeat', () => phone.messages('heartbeat').length > 0);
    assert.equal((await s.cli(['export'])).stdout, before);
    assert.equal((await phone.sync()).kind, 'confirmed');
    assert.equal((await s.cli(['export'])).stdout, before);
});

scenario('a phone that gives the sync up', async (s) => {
    const { phone } = await agreed(s);
    await s.add(s.text('new on the computer'));
    const before = (await s.cli(['export'])).stdout;
    phone.hooks.answer = () => {
        phone.sendMessage({ type: 'sync_cancel' });
        return null;
    };
    await phone.connect();
    await phone.wait(['state']);
    phone.sendMessage({ type: 'heartbeat' });
    await s.eventually('an answer to the heartbeat', () => phone.messages('heartbeat').length > 0);
    assert.equal((await s.cli(['export'])).stdout, before);
    // On the same connection the next one works.
    phone.hooks = {};
    await s.confirmed(phone);
    await s.expectSame(phone);
});

scenario('a sync that the phone gives up while its answer waits for its turn changes nothing', async (s) => {
    await s.serve();
    const phone = await s.phone();
    for (let i = 0; i < 10; i++) phone.add('lists', 0, 'x'.repeat(300000));
    phone.texts = [];
    await s.confirmed(phone, { stay: true });
    const before = (await s.cli(['export'])).stdout;
    phone.add('lists', 1, s.text('not to come'));
    let rest;
    phone.hooks.answer = async (answer) => {
        const texts = [phone.seal(answer), phone.seal({ type: 'sync_cancel' })]; // which takes its time, too
        rest = await s.keepBusy();
        for (const text of texts) phone.sendText(text);
        return null;
    };
    phone.requestSync();
    await s.server.says(/outcome=cancelled/);
    rest();
    phone.hooks = {};
    assert.equal((await s.cli(['export'])).stdout, before);
    await s.confirmed(phone);
    await s.expectSame(phone);
});

scenario('a state that is larger than a message may be', async (s) => {
    await s.serve({ env: { TRIVET_MAX_MESSAGE: '65536' } });
    for (let i = 0; i < 2; i++) await s.add(`${s.text('long')}${'y'.repeat(40000)}`);
    const phone = await s.phone();
    assert.equal((await phone.sync()).kind, 'cancelled');
    await s.server.says(/sync given up: the state is larger/);
    assert.ok(phone.connected);
});

scenario('the computer answers a heartbeat with one, and bears a log that comes early', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const line = s.text('a line of the phone with its texts');
    phone.hooks.earlyLog = Array.from({ length: 8 }, () => [line]);
    await s.confirmed(phone, { stay: true });
    phone.sendMessage({ type: 'debug_log', lines: [line, line] });
    for (let i = 1; i <= 3; i++) {
        phone.sendMessage({ type: 'heartbeat' });
        await s.eventually('an answer', () => phone.messages('heartbeat').length === i);
    }
    await phone.disconnect();
    await s.server.stop();
    // debug_log is off: kept nowhere.
    for (const name of fs.readdirSync(s.data, { recursive: true })) {
        const file = `${s.data}/${name}`;
        if (fs.statSync(file).isFile()) assert.ok(!fs.readFileSync(file).includes('a line of the phone'), `${name} holds the phone's log`);
    }
});

scenario('an old phone that sends no scratchpads deletes none', async (s) => {
    await s.serve();
    const modern = await s.phone({ deviceId: 'new' });
    modern.setPad(0, s.text('a pad'));
    modern.add('lists', 0, s.text('milk'));
    await s.confirmed(modern);
    const old = await s.phone({ deviceId: 'old' });
    old.legacy = true;
    old.add('lists', 0, s.text('of the old phone'));
    await s.confirmed(old);
    await s.confirmed(old);
    assert.deepEqual(texts(old.state()).lists[0].sort(), [s.text('milk'), s.text('of the old phone')]);
    await s.confirmed(modern);
    assert.equal((await s.expectSame(modern)).scratchpad[0].content, s.text('a pad'));
    assert.equal(modern.storage.scratchpad.slots[0].content, s.text('a pad'));
});

scenario('a key that is null is no view, not a deletion', async (s) => {
    const { phone } = await agreed(s);
    const before = texts(await s.export());
    phone.hooks.answer = (answer) => ({ ...answer, lockedLists: answer.lockedLists, scratchpad: null, scratchpadCategories: null });
    await s.confirmed(phone);
    const after = await s.export();
    assert.deepEqual(texts(after), before);
    assert.equal(after.scratchpad[0].content, s.text('first pad'));
});

scenario('fewer slots than six, and more', async (s) => {
    await s.serve();
    const small = await s.phone({ deviceId: 'small' });
    small.add('lists', 1, s.text('of the small one'));
    small.hooks.answer = (answer) => ({ ...answer, lists: answer.lists.slice(0, 2), lockedLists: [], listsCategories: [], scratchpad: answer.scratchpad.slice(0, 1) });
    await s.add(s.text('in the sixth'), ['--slot', '6']);
    // That what comes back has six of everything, the phone itself looks at.
    await s.confirmed(small);
    assert.deepEqual(texts(small.state()).lists, [[], [s.text('of the small one')], [], [], [], [s.text('in the sixth')]]);

    const large = await s.phone({ deviceId: 'large' });
    for (const group of ['lists', 'lockedLists'])
        for (let i = 6; i < 9; i++) {
            large.storage[group].slots.push([]);
            large.storage[group].categories.push({ label: `CATEGORY ${i + 1}`, section: group, updatedAt: 0 });
        }
    large.add('lists', 8, s.text('in the ninth'));
    await s.confirmed(large);
    const computer = await s.expectSame(large);
    assert.equal(computer.lists.length, 9);
    assert.deepEqual(computer.lists[8].map((item) => item.text), [s.text('in the ninth')]);
    assert.deepEqual((await s.cli(['list'])).stdout.includes(s.text('in the ninth')), true);
    await s.add(s.text('typed into the ninth'), ['--slot', '9']);
    await s.confirmed(large);
    assert.deepEqual(large.storage.lists.slots[8].map((item) => item.text), [s.text('in the ninth'), s.text('typed into the ninth')]);
    small.hooks = {};
    await s.confirmed(small);
    await s.expectSame(small);
});

scenario('since and lastSyncTimestamp may be null', async (s) => {
    await s.serve();
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    phone.storage.since = null;
    await s.confirmed(phone);
    await s.expectSame(phone);
});

scenario('lone surrogates and NUL survive the round trip', async (s) => {
    await s.serve();
    const one = await s.phone({ deviceId: 'one' });
    const words = ['cut \ud83d', '\ude00 cut', 'nul \u0000 inside', '\u0000', 'a\u2028b\u2029c\ufeff', 'quote " back \\ tab \t', '\ud83d\ude00 whole', 'é e\u0301'];
    for (const [i, word] of words.entries()) one.add(i % 2 ? 'lists' : 'lockedLists', i % 6, word);
    one.setPad(0, `pad ${words.join('\n')}\n`);
    one.setLabel('lists', 0, words[0]);
    await s.confirmed(one);
    const two = await s.phone({ deviceId: 'two' });
    await s.add(s.text('so that there is a merge'));
    await s.confirmed(two);
    await s.confirmed(one);
    for (const phone of [one, two]) {
        const state = await s.expectSame(phone);
        for (const word of words) assert.ok(itemWith(state, word), JSON.stringify(word));
    }
    await s.restart();
    await s.expectSame(one);
    const end = await s.confirmed(one);
    assert.equal(end.rounds, 1, 'unchanged by the round trip');
});

scenario('fields that this server does not know survive and merge', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const item = phone.add('lists', 0, s.text('milk'), { color: 'red', nested: { b: [1, 2.5, 1e21, null], a: true } });
    await s.confirmed(phone);
    await s.cli(['done', item.id]);
    phone.change(item.id, { color: 'blue' });
    await s.confirmed(phone);
    const there = itemWith(await s.expectSame(phone), s.text('milk'));
    assert.equal(there.color, 'blue');
    assert.equal(there.done, true);
    assert.deepEqual(there.nested, item.nested);
});

scenario('a phone whose clock is hours off', async (s) => {
    await s.serve();
    for (const [name, offset] of [['behind', -3 * 3600e3], ['ahead', 5 * 3600e3]]) {
        const phone = await s.phone({ deviceId: name, clockOffset: offset });
        const kept = phone.add('lists', 0, s.text(`kept ${name}`));
        const dropped = phone.add('lists', 0, s.text(`dropped ${name}`));
        await s.confirmed(phone);
        phone.remove(dropped.id);
        await s.cli(['done', kept.id]);
        await s.add(s.text(`beside ${name}`));
        await s.confirmed(phone);
        await s.confirmed(phone);
        const shown = texts(await s.expectSame(phone)).lists[0];
        assert.ok(shown.includes(s.text(`kept ${name}`)) && shown.includes(s.text(`beside ${name}`)));
        assert.ok(!shown.includes(s.text(`dropped ${name}`)));
    }
});

scenario('IPv4 and IPv6, and the address in the code', async (s) => {
    await s.serve();
    for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
        const phone = await s.phone({ deviceId: host, host });
        phone.add('lists', 0, s.text(`by ${host}`));
        await s.confirmed(phone);
    }
    const pairing = await s.pair();
    assert.equal(pairing.port, s.server.port, 'the port actually bound');
    const phone = await s.phone({ pairing, host: pairing.ip });
    await s.confirmed(phone);
    await s.expectSame(phone);
});

scenario('a thousand items, then two hundred edits on either side', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const ids = [];
    for (let i = 0; i < 1000; i++) ids.push(phone.add(i % 2 ? 'lists' : 'lockedLists', i % 6, s.text(`item ${i} with some more words to it`)).id);
    await s.confirmed(phone);
    for (let i = 0; i < 200; i++) phone.edit(ids[i * 5], s.text(`edited ${i}`));
    for (let i = 0; i < 5; i++) await s.edit(ids[i * 5 + 1], s.text(`typed ${i}`));
    await s.confirmed(phone);
    const computer = await s.expectSame(phone);
    assert.equal(Object.keys(essence(computer).live).length, 1000);
    assert.equal(texts(computer).lists.flat().concat(texts(computer).lockedLists.flat()).filter((text) => /^(edited|typed)/.test(text)).length, 205);
});

scenario('everything survives a restart, pairing and ancestor included', async (s) => {
    const { phone, ids } = await agreed(s);
    await s.confirmed(phone);
    await s.restart();
    phone.remove(ids.milk);
    await s.edit(ids.bread, s.text('rye bread'));
    await s.confirmed(phone);
    const shown = texts(await s.expectSame(phone)).lists[0];
    assert.deepEqual(shown, [s.text('rye bread'), s.text('eggs'), s.text('salt')]);
});

scenario('a phone that shows jots is served like any other', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const file = (id) => ({ id, format: 'jpg', createdAt: 1 });
    phone.storage.jots = [{ id: 1, text: s.text('a jot'), drawing: null, images: [file('i1')], recordings: [], files: [], textUpdatedAt: 1, drawingUpdatedAt: 0 }];
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone, { stay: true });
    await sleep(200);
    assert.ok(phone.connected);
    assert.equal((await phone.sync()).kind, 'confirmed');
    await s.expectSame(phone);
});

