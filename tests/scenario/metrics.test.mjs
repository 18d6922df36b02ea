/* GET /metrics: what it counts, who may read it, and that it is what Prometheus reads (protocol §1). */
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import { sealEnvelope } from './app.mjs';
import { assert, http, scenario, tcp } from './harness.mjs';

/* Reads the text format 0.0.4, and nothing that is not exactly it: each family has HELP and TYPE once, before
 * its samples, which stand together; counters end in _total; a histogram's buckets rise to +Inf, and so on. */
function parse(text) {
    const samples = new Map();
    const types = new Map();
    let family = null;
    assert.ok(text.endsWith('\n'));
    for (const line of text.slice(0, -1).split('\n')) {
        const head = line.match(/^# (HELP|TYPE) ([a-z_]+) (.+)$/);
        if (head?.[1] === 'HELP') {
            assert.ok(!types.has(head[2]), `${head[2]} twice`);
            family = head[2];
            types.set(family, null);
        } else if (head) {
            assert.equal(head[2], family, 'HELP comes first');
            assert.equal(types.get(family), null);
            assert.match(head[3], /^(counter|gauge|histogram)$/);
            assert.equal(/_total$/.test(family), head[3] === 'counter', `${family} is a ${head[3]}`);
            types.set(family, head[3]);
        } else {
            const [, name, labels = '', value] = line.match(/^([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/) ?? assert.fail(line);
            const expected = types.get(family) === 'histogram' ? [`${family}_bucket`, `${family}_sum`, `${family}_count`] : [family];
            assert.ok(expected.includes(name), `${name} among ${family}`);
            assert.ok(!samples.has(name + labels), `${name}${labels} twice`);
            samples.set(name + labels, Number(value));
        }
    }
    for (const [name, type] of types) {
        if (type !== 'histogram') continue;
        const buckets = [...samples].filter(([key]) => key.startsWith(`${name}_bucket{le=`));
        for (const [i, [, count]] of buckets.entries()) assert.ok(i === 0 || count >= buckets[i - 1][1]);
        assert.equal(samples.get(`${name}_bucket{le="+Inf"}`), samples.get(`${name}_count`));
        assert.ok(samples.has(`${name}_sum`));
    }
    return { samples, types };
}

async function read(port, options = {}) {
    const answer = await http(port, { path: '/metrics', ...options });
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.head, /content-type: text\/plain; version=0\.0\.4; charset=utf-8\r?\n/i);
    return { text: answer.body, ...parse(answer.body) };
}

scenario('what happens is counted', async (s) => {
    const { port } = await s.serve({ env: { TRIVET_ASK_TIMEOUT: '60s' } });
    const phone = await s.phone();
    const before = (await read(port)).samples;
    assert.equal(before.get('trivet_syncs_total{outcome="synced"}'), 0, 'there from the start');
    phone.add('lists', 0, s.text('milk'));
    phone.add('lockedLists', 1, s.text('gold'));
    await s.confirmed(phone, { stay: true });
    await s.confirmed(phone);
    await tcp(port, 'GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n');
    await tcp(port, 'nonsense\r\n\r\n');
    const stranger = await s.phone({ pairing: { ...phone.pairing, secret: '11111111-2222-4333-8444-555555555555' } });
    assert.equal((await stranger.sync()).code, 4001);

    let now;
    await s.eventually('the store was read again', async () => {
        now = await read(port);
        return now.samples.get('trivet_items{section="lists"}') === 1 && now.samples.get('trivet_connections') === 0;
    });
    const is = (name, value) => assert.equal(now.samples.get(name), value, name);
    const { device } = phone.pairing;
    is('trivet_items{section="lockedLists"}', 1);
    is('trivet_devices', 1);
    is('trivet_syncs_total{outcome="synced"}', 1);
    is('trivet_syncs_total{outcome="unchanged"}', 1);
    is('trivet_sync_duration_seconds_count', 2);
    is('trivet_commits_total{cause="sync"}', 2);
    is('trivet_connections_refused_total{reason="host"}', 1);
    is('trivet_connections_refused_total{reason="request"}', 1);
    is('trivet_connections_opened_total', 2);
    is('trivet_connections_accepted_total', 1);
    is('trivet_connections_closed_total{code="4001"}', 1);
    is('trivet_wrong_secrets_total', 1);
    is('trivet_wrong_secret_rows_total', 0);
    const last = now.samples.get(`trivet_device_last_sync_timestamp_seconds{device="${device}"}`);
    assert.ok(Math.abs(last - Date.now() / 1000) < 60, `last sync ${last}`);
    for (const name of ['trivet_received_bytes_total', 'trivet_sent_bytes_total', 'trivet_database_size_bytes', 'trivet_disk_available_bytes', 'process_resident_memory_bytes', 'process_cpu_seconds_total', 'process_open_fds'])
        assert.ok(now.samples.get(name) > 0, name);
    assert.ok(Math.abs(now.samples.get('process_start_time_seconds') - Date.now() / 1000) < 120);
    for (const [name, type] of now.types) assert.ok(type, name);
    // Nothing private: no name, no address, no text.
    for (const word of [phone.deviceId, os.hostname(), '127.0.0.1', s.marker, phone.pairing.secret]) assert.ok(!now.text.includes(word), word);

    const promtool = spawnSync('promtool', ['check', 'metrics'], { input: now.text, encoding: 'utf8' });
    if (!promtool.error) assert.deepEqual([promtool.status, promtool.stderr], [0, '']);
});

scenario('questions, and messages that are refused or ignored, are counted', async (s) => {
    const { port } = await s.serve();
    const phone = await s.phone();
    const { id } = phone.add('lists', 0, s.text('tea'));
    await s.confirmed(phone, { stay: true });
    for (const text of ['{"type":"nothing_known"}', '{"type":"jot_manifest","jots":3}', '{"type":"jot_manifest","jots":', '{"type":"key_exchange","publicKey":""}'])
        phone.sendText(sealEnvelope(text, phone.key));
    const there = await s.edit(id, s.text('green tea'));
    phone.edit(id, s.text('black tea'), there.updatedAt);
    const sync = phone.sync();
    await s.question();
    const asked = (await read(port)).samples;
    assert.equal(asked.get('trivet_questions_open'), 1);
    assert.equal(asked.get('trivet_syncs_running'), 1);
    assert.equal(asked.get('trivet_devices_connected'), 1);
    await s.cli(['resolve', '--pick', 'phone']);
    assert.equal((await sync).kind, 'confirmed');
    const { samples } = await read(port);
    for (const [name, value] of [
        ['trivet_questions_open', 0],
        ['trivet_questions_total{kind="tie"}', 1],
        ['trivet_questions_answered_total{how="person"}', 1],
        ['trivet_commits_total{cause="edit"}', 2], // the pairing's code, and the edit
        ['trivet_messages_ignored_total{type="unknown"}', 1],
        ['trivet_messages_refused_total{reason="form"}', 1],
        ['trivet_messages_refused_total{reason="json"}', 1],
        ['trivet_messages_refused_total{reason="turn"}', 1],
    ])
        assert.equal(samples.get(name), value, name);
});

scenario('a full disk is counted, for an edit as for a sync', async (s) => {
    const { port } = await s.serve({ wrap: ['bash', '-c', 'ulimit -f 400; exec "$0" "$@"'] });
    const phone = await s.phone();
    await s.confirmed(phone);
    await s.cli(['pad', '1', '--set', '-'], { input: s.text('long').repeat(30000), expect: 74 });
    const before = (await read(port)).samples;
    assert.equal(before.get('trivet_store_errors_total{kind="full"}'), 1);
    phone.setPad(2, s.text('longer').repeat(30000));
    assert.equal((await phone.sync()).kind, 'cancelled');
    const { samples } = await read(port);
    assert.equal(samples.get('trivet_store_errors_total{kind="full"}'), 2);
    assert.equal(samples.get('trivet_syncs_total{outcome="failed"}'), 1);
});

scenario('secret after secret from one address is counted once as a row', async (s) => {
    const { port } = await s.serve();
    const { pairing } = await s.phone();
    const wrong = async (n) => {
        for (let i = 0; i < n; i++) {
            const stranger = await s.phone({ pairing: { ...pairing, secret: '11111111-2222-4333-8444-555555555555' } });
            await stranger.connect();
        }
    };
    const counted = async () => {
        const { samples } = await read(port);
        return [samples.get('trivet_wrong_secrets_total'), samples.get('trivet_wrong_secret_rows_total')].join();
    };
    await wrong(4);
    await s.eventually('four', async () => (await counted()) === '4,0');
    await wrong(2);
    await s.eventually('two more', async () => (await counted()) === '6,1');
    for (const phone of s.phones) phone.cut();
});

scenario('who may read it', async (s) => {
    const lan = Object.values(os.networkInterfaces()).flat().find((a) => a.family === 'IPv4' && !a.internal)?.address;
    for (const [setting, here, elsewhere] of [['off', 404, 404], ['local', 200, 403], ['on', 200, 200]]) {
        const { port } = await s.serve({ env: { TRIVET_METRICS: setting } });
        assert.equal((await http(port, { path: '/metrics' })).status, here, setting);
        assert.equal((await http(port, { path: '/metrics', host: '::1' })).status, here, setting);
        if (lan) assert.equal((await http(port, { path: '/metrics', host: lan })).status, elsewhere, setting);
        await s.server.stop();
    }
    const { port } = await s.serve();
    if (lan) assert.equal((await http(port, { path: '/metrics', host: lan })).status, 403, 'by default');
    assert.equal((await http(port, { path: '/metrics', headers: { Host: 'elsewhere.example' } })).status, 403, 'DNS rebinding');
    assert.equal((await http(port, { path: '/metrics', method: 'POST', headers: { 'Content-Length': '0' } })).status, 405);
    const head = await http(port, { path: '/metrics', method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [200, '']);
    const bad = await s.run(['serve', '--data', s.data], { env: { TRIVET_METRICS: 'yes' }, expect: 78 });
    assert.match(bad.stderr, /metrics: expected off, local or on/);
});
