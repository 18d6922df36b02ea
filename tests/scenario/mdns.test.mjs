/* The server on the network, by mDNS: two hosts with a real avahi-daemon each (protocol §8). Needs root; skipped elsewhere. */
import fs from 'node:fs';
import net from 'node:net';
import { after, before, describe } from 'node:test';
import { assert, http, scenario } from './harness.mjs';
import { hosts, missing } from './hosts.mjs';

let network, A, B, C;
const here = { skip: missing };

before(async () => {
    if (missing) return;
    network = await hosts(3);
    [A, B, C] = network.hosts;
    await Promise.all(network.hosts.map((host) => host.avahi.start()));
});
after(async () => network?.close());

const NAME = 'Anna’s kitchen; the 2nd';

/* The processes that a server has started. */
const children = (server) => fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);

const found = (s, host, name) => s.eventually(`${name} is found`, () => host.seen[name]);
const gone = (s, host, name) => s.eventually(`${name} is gone`, () => !host.seen[name]);

/* Most of the time is avahi's, that waits for objections: all of them wait side by side. */
describe('mDNS', { concurrency: true }, () => {

scenario('found from another host, taken back at the end', async (s) => {
    const server = await s.serve({ mdns: true, ...A.at, env: { ...A.at.env, TRIVET_NAME: NAME } });
    await server.says(/event=mdns state=announced name="Anna/);
    const status = await s.json(['status']);
    assert.deepEqual(status.mdns, { state: 'announced', name: NAME });
    await found(s, B, NAME);
    let seen, v4;
    await s.eventually('all of it is found', async () => (v4 = (seen = (await B.browse())[NAME] ?? []).find((one) => one.family === 'IPv4' && one.address.includes('.')))); // an IPv6 address may come over IPv4, too
    assert.equal(v4.address, A.address);
    assert.equal(v4.host, 'host-1.local');
    for (const one of seen) {
        assert.equal(one.port, server.port, 'the port that was bound');
        assert.match(one.txt, /^"id=[0-9a-f]{16}" "path=\/" "v=2"$/);
    }
    const [child] = children(server);
    await server.stop();
    await gone(s, B, NAME);
    assert.ok(!fs.existsSync(`/proc/${child}`), 'what announced it has ended, too');
    if (!process.env.TRIVET_THOROUGH) return;
    // The id is the server's, not the run's.
    const again = await s.serve({ mdns: true, ...A.at, env: { ...A.at.env, TRIVET_NAME: NAME } });
    await again.says(/state=announced/);
    await found(s, B, NAME);
    assert.equal(B.seen[NAME][0].txt, seen[0].txt);
    assert.equal(again.stderr.match(/event=mdns/g).length, 1);
    // However the server ends, it is not announced any longer than it lives.
    await s.kill9();
    await gone(s, B, NAME);
}, here);

scenario('two servers with one name', async (s) => {
    const first = await s.serve({ mdns: true, ...A.at, env: { ...A.at.env, TRIVET_NAME: 'twin' } });
    await first.says(/state=announced name=twin/);
    const options = { mdns: true, data: s.file('other'), env: { TRIVET_NAME: 'twin' } };
    const second = await s.serve({ ...options, wrap: B.at.wrap, env: { ...options.env, ...B.at.env } });
    // And a third on the same host as the first, where avahi-daemon itself refuses the name.
    const third = await s.serve({ mdns: true, ...A.at, data: s.file('third'), env: { ...A.at.env, TRIVET_NAME: 'twin' } });
    // Which of them gets which number is decided on the network.
    const renamed = /level=warning event=mdns state=renamed name="(twin #\d+)"/;
    const names = [(await second.says(renamed))[1], (await third.says(renamed))[1]];
    await s.eventually('each has a name of its own', async () => {
        const status = await s.json(['status'], { data: options.data });
        names[0] = status.mdns.name;
        names[1] = (await s.json(['status'], { data: s.file('third') })).mdns.name;
        return names[0] && names[1] && names[0] !== names[1];
    });
    for (const [name, server] of [['twin', first], [names[0], second], [names[1], third]])
        await s.eventually(`${name} is found at its port`, () => B.seen[name]?.[0].port === server.port);
}, here);

/* A server on `host` that is announced as `name` #2, since one on A had the name, which has gone since. */
async function heir(s, host, name) {
    const first = await s.serve({ mdns: true, ...A.at, data: s.file('first'), env: { ...A.at.env, TRIVET_NAME: name } });
    await first.says(/state=announced/);
    const server = await s.serve({ mdns: true, ...host.at, env: { ...host.at.env, TRIVET_NAME: name } });
    await server.says(/state=renamed/);
    await found(s, B, `${name} #2`);
    await first.stop();
    await gone(s, B, name);
    assert.deepEqual((await s.json(['status'])).mdns, { state: 'announced', name: `${name} #2` });
    return server;
}

scenario('a name that another computer had, and gave back: SIGHUP tries it once more', async (s) => {
    const server = await heir(s, B, 'heir');
    server.child.kill('SIGHUP');
    await s.eventually('its own name', async () => (await s.json(['status'])).mdns.name === 'heir');
    await s.eventually('found under it', () => B.seen.heir?.[0].port === server.port);
    await gone(s, B, 'heir #2');
    assert.equal(server.stderr.match(/state=renamed/g).length, 1, server.stderr);
}, here);

scenario('avahi-daemon dies and comes back, and the name that another computer had is tried once more', async (s) => {
    const server = await heir(s, C, 'phoenix');
    await C.avahi.kill();
    await server.says(/state=waiting reason="avahi-daemon is not running"/);
    assert.equal((await s.json(['status'])).mdns.state, 'waiting');
    await s.cli(['status']);
    await C.avahi.start();
    await found(s, B, 'phoenix');
    await s.eventually('the server knows', async () => (await s.json(['status'])).mdns.name === 'phoenix');
    await server.stop();
    assert.equal(server.stderr.match(/state=waiting/g).length, 1, server.stderr);
    assert.match(server.stderr, /level=info event=mdns state=announced name=phoenix msg="no other computer/);
}, here);

scenario('settings that are read again give it another name', async (s) => {
    fs.writeFileSync(s.file('t.conf'), 'name = larva\n');
    const server = await s.serve({ mdns: true, ...A.at, args: ['--config', s.file('t.conf')] });
    await server.says(/state=announced name=larva/);
    await found(s, B, 'larva');
    const [child] = children(server);
    for (const name of ['larva', 'imago']) {
        fs.writeFileSync(s.file('t.conf'), `name = ${name}\nask_timeout = ${name.length + 30}s\n`);
        const before = server.stderr.length;
        server.child.kill('SIGHUP');
        await s.eventually('it is read', () => /event=reloaded/.test(server.stderr.slice(before)));
        if (name === 'larva') assert.deepEqual(children(server), [child], 'the same name is announced on');
    }
    await server.says(/state=announced name=imago/);
    await found(s, B, 'imago');
    await gone(s, B, 'larva');
    assert.equal(B.seen.imago[0].port, server.port);
    assert.doesNotMatch(server.stderr, /state=(waiting|renamed)/);
}, here);

scenario('no system bus at all', async (s) => {
    const server = await s.serve({ mdns: true, env: { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${s.file('no-bus')}` } });
    await server.says(/event=mdns state=waiting reason="there is no system bus/);
    assert.equal((await http(server.port, { path: '/ping' })).status, 200);
    assert.deepEqual((await s.json(['status'])).mdns, { state: 'waiting', reason: 'there is no system bus (D-Bus)' });
    await server.stop();
    assert.equal(server.stderr.match(/mdns|avahi|D-Bus/gi).length, 2, `one line:\n${server.stderr}`);
});

scenario('a system bus that takes connections and says nothing', async (s) => {
    const bus = net.createServer((socket) => socket.on('error', () => {}));
    const taken = new Promise((resolve) => bus.once('connection', resolve));
    await new Promise((resolve) => bus.listen(s.file('bus'), resolve));
    s.later(() => bus.close());
    const server = await s.serve({ mdns: true, env: { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${s.file('bus')}` } });
    s.later((await taken).destroy.bind(await taken));
    // The program that hangs is another one: the server answers, and does not wait for it at the end.
    assert.equal((await http(server.port, { path: '/ping' })).status, 200);
    const [child] = children(server);
    await s.cli(['status']);
    assert.equal((await server.stop()).status, 0);
    assert.ok(!fs.existsSync(`/proc/${child}`));
});

scenario('what announces ends by mistake', async (s) => {
    const server = await s.serve({ mdns: true, env: { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${s.file('no-bus')}` } });
    await server.says(/no system bus/);
    process.kill(Number(children(server)[0]), 'SIGKILL');
    await s.eventually('it is known', async () => /ended with signal 9/.test((await s.json(['status'])).mdns.reason));
    assert.equal((await http(server.port, { path: '/ping' })).status, 200);
    assert.deepEqual(children(server), []);
    if (process.env.TRIVET_THOROUGH) await s.eventually('it is started again, after a pause', () => children(server).length === 1);
});

if (process.env.TRIVET_THOROUGH)
    scenario('a system bus that comes after the server', async (s) => {
        const bus = s.file('bus');
        const server = await s.serve({ mdns: true, ...A.at, env: { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}`, TRIVET_NAME: 'early' } });
        await server.says(/state=waiting reason="there is no system bus/);
        fs.symlinkSync(A.bus.replace('unix:path=', ''), bus);
        await found(s, B, 'early'); // within ten seconds
        assert.equal((await s.json(['status'])).mdns.state, 'announced');
    }, here);

scenario('off, or with nobody to tell: nothing is started', async (s) => {
    for (const options of [{ mdns: false }, { mdns: true, env: { TRIVET_MDNS: 'off' } }, { mdns: true, args: ['--host', '127.0.0.1'], ready: false }, { mdns: true, args: ['--host', 'localhost'], ready: false }]) {
        const server = await s.serve(options);
        await server.says(/listening on .*\n/);
        assert.deepEqual(children(server), []);
        assert.deepEqual((await s.json(['status'])).mdns, { state: 'off' });
        assert.doesNotMatch(fs.readFileSync(`/proc/${server.pid}/maps`, 'utf8'), /avahi|dbus/);
        await server.stop();
    }
});

scenario('where nobody can be asked, a phone still has its own computer prove itself', async (s) => {
    const env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${s.file('no-bus')}` };
    const server = await s.serve();
    const pairing = await s.pair(['--host', 'localhost']);
    const phone = async (name, changes, expect) => {
        await s.run(['phone', '--state', s.file(name), 'init', '--pairing', '-'], { input: JSON.stringify({ ...pairing, ...changes }) });
        return s.run(['phone', '--state', s.file(name), 'sync', '--discover'], { env, expect });
    };
    // A secret or a device of somebody else's, a port with nobody behind it, a code that would write a request of its own.
    const changes = [{ secret: '11111111-2222-4333-8444-555555555555' }, { device: '00000000' }, { port: 1 }, { device: 'x/y HTTP/1.1\r\nHost: evil' }];
    for (const [i, change] of changes.entries()) {
        const { stderr } = await phone(`p${i}`, change, 69);
        assert.match(stderr, /does not show itself at localhost, and nobody can be looked for; is avahi-daemon installed/, JSON.stringify(change));
    }
    assert.match((await phone('old', { device: undefined }, 77)).stderr, /does not say which device/);
    assert.doesNotMatch(server.stderr, /event=(connection|phone|wrong)/, 'without a proof nobody connects');
    await phone('right', {}, 0);
    assert.match(server.stderr, /event=phone_connected/);
});

scenario('a phone finds its computer where it is now', async (s) => {
    const env = { ...A.at.env, TRIVET_NAME: 'mover' };
    const first = await s.serve({ mdns: true, ...A.at, env });
    await first.says(/state=announced/);
    const pairing = JSON.parse((await s.run(['pair', '--json', '--data', s.data], A.at)).stdout);
    for (const secret of [pairing.secret, pairing.k]) s.planted.add(secret);
    const phone = (args, options) => s.run(['phone', '--state', s.file('p'), ...args], { ...B.at, ...options });
    await phone(['init', '--pairing', '-'], { input: JSON.stringify(pairing) });
    await phone(['sync', '--discover']);
    await first.stop();
    const second = await s.serve({ mdns: true, ...A.at, env });
    await second.says(/state=announced/);
    assert.notEqual(second.port, first.port);
    await phone(['sync'], { expect: 69 });
    await found(s, B, 'mover');
    const { stderr } = await phone(['sync', '--discover']);
    assert.match(stderr, new RegExp(`found at (10\\.77\\.0\\.1|\\[f[de].*\\]):${second.port}`));
    await phone(['sync']); // it is remembered
    const looks = [phone(['discover', '--json']), phone(['discover']), s.run(['phone', 'discover', '--json'], B.at)];
    const [json, text, withoutPhone] = (await Promise.all(looks)).map((look) => look.stdout);
    const listed = JSON.parse(json).filter((one) => one.name === 'mover');
    assert.ok(listed.length > 0 && listed.every((one) => one.ours && one.port === second.port && one.host === 'host-1.local'), JSON.stringify(listed));
    assert.match(text, /^10\.77\.0\.1:\d+ +mover {2}\(this phone's computer\)$/m);
    const stranger = JSON.parse(withoutPhone);
    assert.ok(stranger.some((one) => one.name === 'mover') && stranger.every((one) => !one.ours), 'no phone, no proof');
    if (!process.env.TRIVET_THOROUGH) return;
    // A phone whose pairing was revoked is nobody's.
    await s.cli(['devices', 'revoke', pairing.device]);
    await phone(['sync', '--discover'], { expect: 69 });
}, here);

/* Announced under the computer's name and id, and passing each question on to the computer itself. */
const STRANGER = `
const http = require('http'), fs = require('fs'), [log, to, port] = process.argv.slice(1);
const server = http.createServer((request, response) => {
    fs.appendFileSync(log, request.method + ' ' + request.url + '\\n');
    const on = http.request({ host: to, port, path: request.url, headers: { host: to } }, (answer) => { response.writeHead(answer.statusCode, answer.headers); answer.pipe(response); });
    on.on('error', () => response.destroy());
    on.end();
});
server.on('upgrade', (request, socket) => { fs.appendFileSync(log, 'UPGRADE\\n'); socket.destroy(); });
server.listen(0, () => console.error('port ' + server.address().port));
`;

scenario('a stranger who claims to be the computer gets nothing', async (s) => {
    const real = await s.serve({ ...A.at, env: { ...A.at.env, TRIVET_NAME: 'victim' } }); // not announced, and not at the pairing's port
    const made = JSON.parse((await s.run(['pair', '--json', '--data', s.data], A.at)).stdout);
    for (const secret of [made.secret, made.k]) s.planted.add(secret);
    const pairing = { ...made, port: 1 };
    const log = s.file('stranger.log');
    const relay = B.spawn([process.execPath, '-e', STRANGER, log, A.address, String(real.port)]);
    const port = (await relay.says(/port (\d+)/))[1];
    const publisher = B.spawn(['avahi-publish', '-s', 'victim', '_trivet._tcp', port, 'id=0123456789abcdef', 'path=/', 'v=2']);
    await publisher.says(/Established/);
    const phone = (args, options) => s.run(['phone', '--state', s.file('p'), ...args], { ...A.at, ...options });
    await phone(['init', '--pairing', '-'], { input: JSON.stringify(pairing) });
    const { stderr } = await phone(['sync', '--discover'], { expect: 69 });
    assert.match(stderr, /victim does not show itself at 10\.77\.0\.1, and none of the addresses announced on this network \([1-9]\d*\) proves to be it/);
    const asked = fs.readFileSync(log, 'utf8').trim().split('\n');
    assert.ok(asked.length > 0);
    for (const line of asked) assert.match(line, /^GET \/prove\/[0-9a-f]{8}\/[0-9a-f]{64}$/, 'nothing else was asked');
    assert.ok(!asked.join().includes(pairing.secret));
    // The proof itself is sound: asked directly, the computer gives it.
    await phone(['init', '--pairing', '-'], { input: JSON.stringify(made) });
    assert.equal(made.port, real.port);
    await phone(['sync', '--discover']);
    await publisher.stop();
    await relay.stop();
}, here);

});
