/*
 * Soak: 20 phones sync again and again, each after an edit of its own, and connect anew now and then. The server's memory must not grow,
 * and in the end all hold the same.
 *
 *     TRIVET_SYNCS=100000 node --test tests/endure/soak.test.mjs
 */
import fs from 'node:fs';
import { assert, essence, scenario, seeded, sleep } from '../scenario/harness.mjs';

const SYNCS = Number(process.env.TRIVET_SYNCS ?? 100000);
const PHONES = 20;
const ITEMS = 3; // that each phone has of its own
const AT_A_TIME = 3;
// Syncs on one connection. While it lasts the server remembers the nonce of each of its messages (protocol §2), 12 bytes or so.
const STAYS = 100;
const GROWTH = 1.05;

/* At rest: what syncs have freed is given back a second after the last (src/serve/upkeep.c). */
async function resident(pid) {
    await sleep(2500);
    return Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB/m)[1]);
}

scenario(`${SYNCS} syncs by ${PHONES} phones in flat memory`, async (s, t) => {
    const random = seeded(1);
    await s.serve({ env: { TRIVET_LOG_LEVEL: 'warning' } });
    const phones = [];
    for (let i = 0; i < PHONES; i++) {
        const phone = await s.phone({ deviceId: `phone ${i}` });
        phone.mine = [];
        phone.syncs = i * (STAYS / PHONES); // not all at once
        for (let k = 0; k < ITEMS; k++) phone.mine.push(phone.add('lists', i % 6, s.text(`${i} ${k}`)).id);
        await s.confirmed(phone, { stay: true });
        phones.push(phone);
    }
    let again = 0;
    const sync = async (phone) => {
        let end = await phone.sync();
        // Three others were quicker (protocol §4): the user tries again.
        for (; end.kind === 'cancelled'; again++) end = await phone.sync();
        assert.equal(end.kind, 'confirmed', `${end.kind} ${end.code ?? ''}`);
        // What the test keeps of the past would be all of it.
        for (const list of [phone.log, phone.sent, phone.received, phone.texts]) list.length = 0;
        phone.cursor = 0;
        phone.nonces.clear();
        if (++phone.syncs % STAYS === 0) await phone.disconnect();
    };
    const run = async (count) => {
        let done = 0;
        const free = [...phones];
        const one = async () => {
            while (done < count) {
                const number = ++done;
                const [phone] = free.splice(Math.floor(random() * free.length), 1);
                phone.edit(phone.mine[Math.floor(random() * ITEMS)], s.text(`sync ${number}`));
                await sync(phone);
                free.push(phone);
            }
        };
        await Promise.all(Array.from({ length: AT_A_TIME }, one));
    };

    // By then each phone has as many records as are kept of it (1,000), and every buffer and cache has had its largest size.
    const warm = Math.floor(SYNCS / 4);
    await run(warm);
    const before = await resident(s.server.pid);
    const after = [];
    for (let part = 0; part < 9; part++) {
        await run(Math.ceil((SYNCS - warm) / 9));
        after.push(await resident(s.server.pid));
    }
    t.diagnostic(`resident after ${warm} syncs: ${before} kB; then ${after.join(', ')} kB; ${again} cancelled and repeated; database: ${fs.statSync(`${s.data}/trivet.db`).size >> 10} kB`);
    const most = Math.max(...after);
    assert.ok(most <= before * GROWTH, `${before} kB became ${most} kB`);
    for (let i = 0; i < 2; i++) for (const phone of phones) await sync(phone);
    const computer = essence(await s.export());
    assert.equal(Object.keys(computer.live).length, PHONES * ITEMS);
    for (const phone of phones) assert.deepEqual(essence(phone.state()), computer);
}, { timeout: 60000 + SYNCS * 60 });
