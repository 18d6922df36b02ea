/*
 * Large messages are opened beside the loop: they keep their order among the others of their connection, whatever becomes of that
 * meanwhile, and no other phone waits for them.
 */
import { randomBytes } from 'node:crypto';
import { assert, scenario, sleep } from './harness.mjs';

const ids = (count) => Array.from({ length: count }, (_, i) => String(i).padStart(200, 'x'));
const manifest = (jots) => ({ type: 'jot_manifest', jots });
/* Well over what the loop opens by itself. */
const large = () => manifest([{ id: 1, hasText: false, hasDrawing: false, imageIds: ids(6000), audioIds: [], fileIds: [] }]);
const small = () => manifest([{ id: 2, hasText: true, hasDrawing: false, imageIds: [], audioIds: [], fileIds: [] }]);

async function connected(s, options) {
    const phone = await s.phone(options);
    await s.confirmed(phone, { stay: true });
    return phone;
}

scenario('what follows a large message is handled after it', async (s) => {
    await s.serve({ env: { TRIVET_JOTS: 'manual' } });
    const phone = await s.phone();
    phone.setJot(1, { text: s.text('first') });
    phone.setJot(2, { text: s.text('second') });
    await s.confirmed(phone, { stay: true });
    await s.eventually('both are known', async () => (await s.json(['jots'])).length === 2);
    for (let round = 0; round < 3; round++) {
        phone.socket._socket.cork(); // one write, as far as the system takes it
        phone.sendMessage(large());
        phone.sendMessage(small());
        phone.sendMessage({ type: 'heartbeat' });
        phone.socket._socket.uncork();
        await s.eventually('the second manifest stands', async () => {
            const jots = await s.json(['jots']);
            return jots.some((jot) => jot.jot === 1 && jot.gone > 0) && jots.some((jot) => jot.jot === 2 && jot.gone === 0);
        });
    }
    await s.eventually('heartbeats are answered', () => phone.messages('heartbeat').length === 3);
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone);
});

scenario('a large state, both ways', async (s) => {
    await s.serve();
    const phone = await s.phone();
    for (let i = 0; i < 4000; i++) phone.add(i % 2 ? 'lists' : 'lockedLists', i % 6, s.text(`item number ${i} of a long list`));
    await s.confirmed(phone, { stay: true });
    phone.add('lists', 0, s.text('one more'));
    await s.cli(['add', 'lists', '1', s.text('and one from the computer')]);
    await s.confirmed(phone);
});

scenario('a large file is stored whole', async (s) => {
    await s.serve();
    const phone = await s.phone();
    phone.setJot(1, { files: [0, 1, 2].map((i) => ({ id: `f${i}`, kind: 'image', bytes: randomBytes(3 << 20) })) });
    await s.confirmed(phone, { stay: true });
    await s.eventually('all of them', async () => (await s.json(['jots']))[0]?.files.filter((file) => file.state === 'stored').length === 3);
    await phone.disconnect();
});

scenario('a connection that ends while its large message is being opened', async (s) => {
    await s.serve({ env: { TRIVET_JOTS: 'manual' } });
    const phone = await connected(s);
    const ends = {
        'is cut': (p) => p.cut(),
        'is closed': (p) => p.disconnect(),
        'sends nonsense next': (p) => p.sendText('{}'),
    };
    for (const [name, end] of Object.entries(ends))
        for (const wait of [0, 1, 5]) {
            await s.confirmed(phone, { stay: true });
            phone.sendMessage(large());
            if (wait) await sleep(wait);
            await end(phone);
            await s.eventually(name, () => !phone.connected);
        }
    // Replaced: the same phone comes again.
    for (const wait of [0, 2]) {
        await s.confirmed(phone, { stay: true });
        const old = phone.socket;
        phone.sendMessage(large());
        await sleep(wait);
        await phone.connect();
        await s.eventually('the old one is put out', () => old.readyState === old.CLOSED);
    }
    // Revoked.
    await s.confirmed(phone, { stay: true });
    phone.sendMessage(large());
    const [device] = await s.json(['devices']);
    await s.cli(['devices', 'revoke', device.id]);
    assert.equal((await phone.wait(['closed'])).code, 4010);
    const other = await connected(s);
    await other.disconnect();
});
