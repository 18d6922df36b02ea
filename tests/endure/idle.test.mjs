/*
 * What the server costs when nothing happens: its size, its processor time and how often it wakes, alone and with 1,000 phones
 * connected.
 *
 *     TRIVET_PHONES=1000 TRIVET_IDLE=60 node --test tests/endure/idle.test.mjs
 */
import fs from 'node:fs';
import { assert, scenario, sleep } from '../scenario/harness.mjs';

const PHONES = Number(process.env.TRIVET_PHONES ?? 1000);
const IDLE = Number(process.env.TRIVET_IDLE ?? 60); // seconds of watching

const kB = (pid, key) => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm'))[1]);

/* Processor time in ms and the number of times that any thread went to sleep, of the whole process. */
function spent(pid) {
    let [ms, sleeps] = [0, 0];
    for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
        ms += Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
        sleeps += Number(fs.readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8').match(/^voluntary_ctxt_switches:\s+(\d+)/m)[1]);
    }
    return { ms, sleeps };
}

scenario('alone and idle: below 6 MB, below 0.1% of a core, awake at most every 10 s', async (s, t) => {
    await s.serve();
    // As after a start on a day on which lists were there already.
    for (let i = 0; i < 20; i++) await s.add(s.text(`item ${i}`));
    await s.restart();
    await sleep(12000);
    const before = spent(s.server.pid);
    await sleep(IDLE * 1000);
    const after = spent(s.server.pid);
    const rss = kB(s.server.pid, 'VmRSS');
    const share = (after.ms - before.ms) / (IDLE * 10);
    t.diagnostic(`resident ${rss} kB; ${share.toFixed(4)}% of a core; awake ${after.sleeps - before.sleeps} times in ${IDLE} s`);
    assert.ok(rss < 6 * 1024, `${rss} kB resident`);
    assert.ok(share < 0.1, `${share}% of a core`);
    assert.ok(after.sleeps - before.sleeps <= Math.ceil(IDLE / 10), `awake ${after.sleeps - before.sleeps} times`);
}, { timeout: 60000 + IDLE * 1000 });

scenario(`${PHONES} phones connected and idle: 10 kB each or less`, async (s, t) => {
    await s.serve({ env: { TRIVET_LOG_LEVEL: 'warning' } });
    const phones = [];
    const one = async (i) => {
        const phone = await s.phone({ deviceId: `phone ${i}` });
        if (i % 100 === 0) phone.add('lists', 0, s.text(`item ${i}`));
        const end = await phone.sync();
        assert.equal(end.kind, 'confirmed', `phone ${i}: ${end.kind} ${end.code ?? ''} ${end.reason ?? ''}`);
        phones.push(phone);
    };
    // Whatever the first phones bring about, caches and buffers, is not theirs.
    const few = Math.min(50, PHONES / 10);
    for (let i = 0; i < few; i++) await one(i);
    const before = kB(s.server.pid, 'RssAnon');
    for (let i = few; i < PHONES; i++) await one(i);
    await sleep(1000);
    const each = ((kB(s.server.pid, 'RssAnon') - before) * 1024) / (PHONES - few);
    const start = spent(s.server.pid);
    await sleep(IDLE * 1000);
    const end = spent(s.server.pid);
    t.diagnostic(`${Math.round(each)} bytes for each; resident ${kB(s.server.pid, 'VmRSS')} kB; ${((end.ms - start.ms) / (IDLE * 10)).toFixed(2)}% of a core`);
    assert.ok(each <= 10 * 1000, `${each} bytes for each`);
    for (const phone of phones) assert.ok(phone.connected, `${phone.deviceId} is gone`);
    // And they are all served.
    phones[0].add('lists', 1, s.text('news'));
    assert.equal((await phones[0].sync()).kind, 'confirmed');
    assert.equal((await phones.at(-1).sync()).kind, 'confirmed');
    await s.expectSame(phones.at(-1));
}, { timeout: 240000 + IDLE * 1000 });
