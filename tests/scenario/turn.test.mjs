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
