/* `trivet devices`: what it shows of each, renaming, networks, and two phones on one code. */
import { assert, scenario } from './harness.mjs';

const from = (localAddress) => ({ websocket: { localAddress } });

scenario('one phone, from its code to its end', async (s) => {
    await s.serve();
    const phone = await s.phone({ deviceId: 'Pixel 9' });
    const [fresh] = await s.json(['devices']);
    assert.deepEqual([fresh.protocol, fresh.connected, fresh.question, fresh.address, fresh.last_sync], [0, false, 0, '', 0]);
    const id = phone.add('lists', 0, s.text('ash')).id;
    await s.confirmed(phone);
    await s.confirmed(phone);
    const there = await s.edit(id, s.text('ash, computer'));
    phone.edit(id, s.text('ash, phone'), there.updatedAt);
    const sync = phone.sync();
    const question = await s.question();
    const [used] = await s.json(['devices']);
    assert.deepEqual([used.protocol, used.connected, used.question, used.address, used.name], [1, true, question.id, '127.0.0.1', 'Pixel 9']);
    assert.match((await s.cli(['devices'])).stdout, new RegExp(`Pixel 9  connected, last sync just now, from 127\\.0\\.0\\.1, protocol 1, question ${question.id} is open`));
    await s.cli(['devices', 'revoke', 'Pixel 9']);
    const end = await sync;
    assert.deepEqual([end.kind, end.code], ['closed', 4010], 'at once');
    assert.deepEqual(await s.pending(), []);
});

scenario('rename', async (s) => {
    await s.serve();
    const phone = await s.phone({ deviceId: 'Pixel 9' });
    await s.confirmed(phone);
    assert.match((await s.cli(['devices', 'rename', phone.pairing.device, 'kitchen'])).stdout, /^renamed \w{8}  kitchen\n$/);
    await s.confirmed(phone);
    const [device] = await s.json(['devices']);
    assert.equal(device.name, 'kitchen', 'what the phone calls itself does not undo it');
    assert.equal((await s.json(['devices', 'rename', 'kitchen', 'hall'])).name, 'hall');
    for (const args of [['nobody', 'x'], ['hall', ''], ['hall', 'x'.repeat(257)], ['hall']])
        assert.ok((await s.cli(['devices', 'rename', ...args], { expect: null })).status >= 64);
    await s.server.stop();
    assert.equal((await s.json(['devices', 'rename', 'hall', 'attic'])).name, 'attic', 'without a server, too');
});

scenario('a network where it was not seen before is told, once', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const seen = () => s.server.stderr.match(/phone_new_network/g)?.length ?? 0;
    const visit = async (address) => {
        await phone.sync(from(address));
        await phone.disconnect();
        return seen();
    };
    assert.equal(await visit('127.0.0.1'), 0, 'the first is no news');
    assert.equal(await visit('127.0.0.77'), 0, 'the same network');
    assert.equal(await visit('127.0.5.1'), 1);
    assert.equal(await visit('127.0.5.9'), 1);
    assert.equal(await visit('127.0.0.1'), 1, 'home again');
    assert.equal(await visit('127.0.5.1'), 1, 'it has been there');
    await s.restart();
    assert.equal(await visit('127.0.5.1'), 0, 'it is remembered');
    assert.equal(await visit('127.0.6.1'), 1);
});

scenario('two phones on one code show in devices and status', async (s) => {
    await s.serve();
    const pairing = await s.pair();
    const [one, two] = [await s.phone({ pairing, deviceId: 'one' }), await s.phone({ pairing, deviceId: 'two' })];
    await s.confirmed(one);
    assert.equal((await s.json(['status'])).shared, 0);
    await s.confirmed(two);
    assert.equal((await s.json(['status'])).shared, 1);
    assert.match((await s.cli(['status'])).stdout, /1 of them shared by several phones/);
    assert.match((await s.cli(['devices'])).stdout, /2 phones use this code[^]*as one[^]*as two/);
});
