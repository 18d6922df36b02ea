/*
 * Many phones at once: each commit makes the others' merges stale, and yet each sync ends (protocol §4.6).
 */
import { assert, itemsOf, scenario, sleep } from './harness.mjs';

const live = (state) => itemsOf(state).filter((item) => !item.deleted).map((item) => item.text).sort();

scenario('phones that edit and sync without pause: none is told that it was too slow', async (s) => {
    await s.serve({ env: { TRIVET_PEERS_PER_ADDRESS: '64' } });
    const phones = [];
    for (let i = 0; i < 12; i++) phones.push(await s.phone({ deviceId: `phone ${i}` }));
    const texts = [];
    await Promise.all(phones.map(async (phone, i) => {
        for (let round = 0; round < 6; round++) {
            const text = s.text(`${i} ${round}`);
            texts.push(text);
            phone.add('lists', i % 6, text);
            await s.confirmed(phone);
        }
    }));
    for (const phone of [...phones, ...phones]) await s.confirmed(phone);
    for (const phone of phones) assert.deepEqual(live(await s.expectSame(phone)), [...texts].sort());
    assert.doesNotMatch(s.server.stderr, /outcome=restless/);
});

scenario('a phone that falls silent when it is its turn holds the others up for seconds, not for ever', async (s) => {
    await s.serve();
    const [slow, quick] = [await s.phone({ deviceId: 'slow' }), await s.phone({ deviceId: 'quick' })];
    for (const phone of [slow, quick]) await s.confirmed(phone);
    // It answers late twice, so that the other is quicker; then never.
    let silent;
    const fell = new Promise((resolve) => (silent = resolve));
    slow.hooks.answer = async (answer, round) => {
        if (round === 1) return answer;
        if (round === 2) {
            quick.add('lists', 0, s.text('quick'));
            await s.confirmed(quick);
            return answer;
        }
        silent();
        return null;
    };
    slow.add('lists', 1, s.text('slow'));
    await s.add(s.text('computer'));
    const sync = slow.sync().catch((error) => error);
    await fell;
    quick.add('lists', 2, s.text('quick again'));
    const began = Date.now();
    await s.confirmed(quick);
    assert.ok(Date.now() - began >= 2000, 'it waited its turn');
    assert.ok(live(await s.expectSame(quick)).includes(s.text('quick again')));
    await s.add(s.text('typed here')); // which never waits
    slow.cut();
    await sync;
    slow.hooks.answer = null;
    await s.confirmed(slow);
    assert.deepEqual(live(await s.expectSame(slow)), ['computer', 'quick', 'quick again', 'slow', 'typed here'].map((text) => s.text(text)).sort());
    await sleep(0);
});

/*
 * Whoever has the turn or waits for it may go at any moment, and however it goes the others get on: two more phones have sent
 * their answers, and the first of them may go as well.
 */
const ends = {
    'is cut': (s, phone) => phone.cut(),
    'leaves': (s, phone) => phone.disconnect(),
    'cancels': (s, phone) => phone.sendMessage({ type: 'sync_cancel' }),
    'breaks the protocol': (s, phone) => phone.sendText('{}'),
    'comes again': (s, phone) => phone.connect(),
    'is revoked': (s, phone) => s.cli(['devices', 'revoke', phone.pairing.device]),
};

async function waitingFor(s) {
    await s.serve();
    const phones = [];
    for (const name of ['first', 'second', 'third']) phones.push(await s.phone({ deviceId: name }));
    for (const phone of phones) await s.confirmed(phone, { stay: true });
    const [first, ...others] = phones;
    let fell;
    const silent = new Promise((resolve) => (fell = resolve));
    first.hooks.answer = async (answer, round) => {
        const n = round - before;
        if (n === 2) await s.add(s.text('later'));
        if (n < 3) return answer;
        fell();
        return null;
    };
    const before = first.round;
    first.add('lists', 0, s.text('first'));
    await s.add(s.text('computer'));
    first.requestSync();
    await silent;
    first.hooks.answer = null;
    for (const phone of others) {
        phone.add('lists', 1, s.text(phone.deviceId));
        phone.requestSync();
        await phone.wait(['answered']);
    }
    return phones;
}

for (const [how, end] of Object.entries(ends)) {
    scenario(`a phone that has the turn ${how}`, async (s) => {
        const [first, second, third] = await waitingFor(s);
        await end(s, first);
        for (const phone of [second, third]) assert.equal((await phone.wait(['confirmed', 'cancelled', 'closed'])).kind, 'confirmed');
        const texts = live(third.state());
        for (const phone of [second, third]) assert.ok(texts.includes(s.text(phone.deviceId)));
    });
    scenario(`a phone that waits for its turn ${how}`, async (s) => {
        const [first, second, third] = await waitingFor(s);
        await end(s, second);
        await end(s, first);
        assert.equal((await third.wait(['confirmed', 'cancelled', 'closed'])).kind, 'confirmed');
        assert.ok(live(third.state()).includes(s.text('third')));
    });
}

scenario('a server that stops while phones wait for their turn', async (s) => {
    const phones = await waitingFor(s);
    await s.server.stop();
    for (const phone of phones) assert.equal((await phone.wait(['closed'])).code, 1001);
    await s.serve();
    for (const phone of [...phones, ...phones]) await s.confirmed(phone);
    assert.deepEqual(live(await s.expectSame(phones[0])), ['computer', 'first', 'later', 'second', 'third'].map((text) => s.text(text)).sort());
});
