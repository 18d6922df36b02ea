/* The computer's addresses: who may connect, IPv6, and what is said when they change. Real hosts; needs root. */
import dns from 'node:dns/promises';
import fs from 'node:fs';
import { after, before, describe } from 'node:test';
import { assert, http, scenario } from './harness.mjs';
import { hosts, missing } from './hosts.mjs';

let network, A, B, mover, linkLocal;
const here = { skip: missing };

before(async () => {
    if (missing) return;
    network = await hosts(3);
    [A, B, mover] = network.hosts;
    linkLocal = await network.linkLocal(A);
});
after(async () => network?.close());

/* A phone in a folder, on host B, that was paired with `host`. */
async function paired(s, name, pairing) {
    const run = (args, options) => s.run(['phone', '--state', s.file(name), ...args], { wrap: B.at.wrap, ...options });
    await run(['init', '--pairing', '-'], { input: JSON.stringify(pairing) });
    return run;
}

/* What curl says from host B; the status 000 is no answer. */
const ask = async (url) => (await B.run(['curl', '-s', '-m', '5', '-g', '-o', '/dev/null', '-w', '%{http_code}', url]).catch((error) => `${error}`)).trim();

describe('addresses', { concurrency: true }, () => {

scenario('an address that phones were paired with goes, and comes back', async (s) => {
    const A = mover;
    const server = await s.serve(A.at);
    const pairing = JSON.parse((await s.run(['pair', '--json', '--data', s.data], A.at)).stdout);
    for (const secret of [pairing.secret, pairing.k]) s.planted.add(secret);
    assert.equal(pairing.ip, A.address, 'the address on the default route');
    const phone = await paired(s, 'p', pairing);
    await phone(['sync']);
    const [device] = await s.json(['devices']);
    assert.deepEqual([device.host, device.port], [A.address, server.port]);
    assert.deepEqual((await s.json(['status'])).moved, []);
    // More changes than the kernel keeps for who does not look (ENOBUFS) do not end the watch.
    server.child.kill('SIGSTOP');
    fs.writeFileSync(s.file('batch'), 'addr add 10.78.0.1/32 dev v0\naddr del 10.78.0.1/32 dev v0\n'.repeat(1000));
    A.ip('-batch', s.file('batch'));
    server.child.kill('SIGCONT');
    A.ip('addr', 'add', '10.77.0.99/25', 'dev', 'v0');
    A.ip('addr', 'del', `${A.address}/24`, 'dev', 'v0');
    try {
        assert.deepEqual((await s.json(['status'])).moved, [{ id: device.id, name: device.name, host: A.address, port: server.port }], 'at once');
        assert.match((await s.cli(['status'])).stdout, /was paired with 10\.77\.0\.3 port \d+, which is not this computer's now\n[^]*--replace DEVICE/);
        await server.says(/level=warning event=moved phones=1 phone=\S+ paired_with=10\.77\.0\.3 /);
    } finally {
        A.ip('addr', 'add', `${A.address}/24`, 'dev', 'v0');
        A.ip('addr', 'del', '10.77.0.99/25', 'dev', 'v0');
        A.ip('route', 'replace', 'default', 'dev', 'v0');
    }
    assert.deepEqual((await s.json(['status'])).moved, []);
    if (!process.env.TRIVET_THOROUGH) return; // it waits until all has been quiet for a while
    await server.says(/level=info event=moved phones=0/);
    assert.equal(server.stderr.match(/event=moved/g).length, 2, 'each once');
}, here);

scenario('IPv6: unique local and link-local, from end to end', async (s) => {
    const server = await s.serve(A.at);
    const codes = {};
    for (const [what, host, ip] of [['ula', 'fd77::1', '[fd77::1]'], ['bracketed', '[fd77::1]', '[fd77::1]'], ['link-local', linkLocal, `[${linkLocal}]`]]) {
        codes[what] = await s.pair(['--host', host]);
        assert.equal(codes[what].ip, ip);
    }
    for (const [what, pairing] of Object.entries(codes)) {
        // Through which interface is for the phone to know, where it has several.
        if (what === 'link-local') pairing.ip = `[${linkLocal}%v0]`;
        const phone = await paired(s, what, pairing);
        const text = s.text(what);
        s.planted.add(text);
        await phone(['add', text]);
        await phone(['sync']);
    }
    const peers = (await s.json(['devices'])).map((device) => device.address);
    assert.ok(peers.includes('fd77::2') && peers.some((address) => /^fe80:.*%v0$/.test(address)), `${peers}`);
    assert.equal(await ask(`http://[${linkLocal}%25v0]:${server.port}/ping`), '200');
    assert.deepEqual((await s.json(['status'])).moved.map((one) => one.host), [], 'link-local addresses are ours, too');
    await server.stop();
    // Only on the link-local one.
    const narrow = await s.serve({ wrap: A.at.wrap, args: ['--host', `${linkLocal}%v0`], ready: false });
    const port = Number((await narrow.says(/listening on \[fe80:\S+%v0\]:(\d+)/))[1]);
    assert.equal(await ask(`http://[${linkLocal}%25v0]:${port}/health`), '200');
    assert.equal(await ask(`http://[fd77::1]:${port}/ping`).then((said) => said.includes('7')), true, 'not there');
}, here);

scenario('allow = local refuses who is not near; allow = any says that it does not', async (s) => {
    // B is a stranger, too: with an address of a network that A only knows a route to.
    for (const [address, route] of [['203.0.113.2/24', '203.0.113.0/24'], ['2001:db8:1::2/64', '2001:db8:1::/64']]) {
        B.ip('addr', 'add', address, 'dev', 'v0', ...(address.includes(':') ? ['nodad'] : []));
        A.ip('route', 'add', route, 'dev', 'v0');
    }
    const from = async (source, port, host) => (await B.run(['curl', '-s', '-m', '5', '-g', '-o', '/dev/null', '-w', '%{http_code}', '--interface', source, `http://${host}:${port}/ping`])).trim();
    const local = await s.serve(A.at);
    for (const [source, host, status] of [[B.address, A.address, '200'], ['203.0.113.2', A.address, '403'], ['fd77::2', '[fd77::1]', '200'], ['2001:db8:1::2', '[fd77::1]', '403']])
        assert.equal(await from(source, local.port, host), status, source);
    await local.says(/event=connection_refused .*address=203\.0\.113\.2 /);
    assert.doesNotMatch((await s.cli(['status'])).stdout, /any address/);
    await local.stop();
    const any = await s.serve({ ...A.at, env: { TRIVET_ALLOW: 'any' } });
    await any.says(/level=warning .*allow = any/);
    assert.equal(await from('203.0.113.2', any.port, A.address), '200');
    assert.match((await s.cli(['status'])).stdout, /^allow +any address may connect: use this behind a firewall only$/m);
    assert.equal((await s.json(['status'])).allow, 'any');
}, here);

scenario('--host NAME: every address that the name has', async (s) => {
    const found = [...new Set((await dns.lookup('localhost', { all: true })).map(({ address }) => address))];
    const server = await s.serve({ args: ['--host', 'localhost'], ready: false });
    const port = Number((await server.says(/listening on localhost:(\d+)/))[1]);
    for (const address of found) assert.equal((await http(port, { path: '/health', host: address, headers: { Host: `localhost:${port}` } })).status, 200, address);
    if (found.length > 1) assert.match(server.stderr, new RegExp(`listening on localhost:${port} \\(${found.join(', ')}\\)|\\(${found.reverse().join(', ')}\\)`));
});

scenario('pair --host NAME.local', async (s) => {
    const server = await s.serve();
    const pairing = await s.pair(['--host', 'kitchen.local']);
    assert.equal(pairing.ip, 'kitchen.local');
    assert.deepEqual((await s.json(['status'])).moved, [], 'a name is taken to be right');
    assert.match((await s.cli(['pair', '--host', 'kitchen.local'])).stderr, /avahi-daemon does not run/);
    assert.equal((await s.cli(['pair', '--host', '10.1.2.3'])).stderr, '');
    // As a browser that was told this name would ask.
    assert.equal((await http(server.port, { path: '/health', headers: { Host: `kitchen.local:${server.port}` } })).status, 200);
    assert.equal((await http(server.port, { path: '/health', headers: { Host: 'other.local' } })).status, 403);
});

});
