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

/* A program for node on host B: connects to A's port from each address and says which of them still stand after a moment. */
const STANDING = `
const net = require('node:net');
const [port, host, ...sources] = process.argv.slice(1);
const sockets = sources.map((localAddress) => net.connect({ port, host, localAddress }).on('error', () => {}).resume());
setTimeout(() => process.stdout.write(sources.filter((_, i) => sockets[i].readyState === 'open').join(' '), () => process.exit()), 1000);
`;

scenario('places are counted for a whole /64', async (s) => {
    const { port } = await s.serve({ ...A.at, env: { TRIVET_PEERS_PER_ADDRESS: '3', TRIVET_ALLOW: 'any' } });
    const one = Array.from({ length: 8 }, (_, i) => `fd77::b${i}`), other = ['fd77:0:0:1::b0', 'fd77:0:0:1::b1'];
    // Deprecated, so that nobody uses them who does not ask for them.
    for (const address of [...one, ...other]) B.ip('addr', 'add', `${address}/64`, 'dev', 'v0', 'nodad', 'preferred_lft', '0');
    A.ip('-6', 'route', 'add', 'fd77:0:0:1::/64', 'dev', 'v0');
    const standing = (await B.run([process.execPath, '-e', STANDING, String(port), 'fd77::1', ...one, ...other])).trim().split(' ');
    assert.equal(standing.filter((address) => one.includes(address)).length, 3, `${standing}`);
    assert.deepEqual(standing.filter((address) => other.includes(address)), other, 'the neighbours have places of their own');
}, here);

/* From an address that nobody has, so that nothing ends what they began: the first packet of a connection, again and again. */
const HALF_OPEN = `
import socket, struct, sys
target, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
to = socket.inet_aton(target)
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
for i in range(count):
    source = socket.inet_aton('10.77.0.%d' % (100 + i % 100))
    tcp = lambda check: struct.pack('!HHLLBBHHH', 1024 + i % 60000, port, i * 1000, 0, 5 << 4, 2, 64240, check, 0)
    check = checksum(source + to + struct.pack('!BBH', 0, 6, 20) + tcp(0))
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40, i & 0xffff, 0, 64, 6, 0, source, to)
    raw.sendto(ip + tcp(check), (target, 0))
`;

scenario('connections that are half open: begun by thousands, and never gone on with', async (s, t) => {
    const { port, pid } = await s.serve(A.at);
    const phone = await paired(s, 'p', JSON.parse((await s.run(['pair', '--json', '--data', s.data], A.at)).stdout));
    const memory = () => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m)[1]);
    const ran = () => fs.readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0] / 1e6, 0);
    await phone(['sync']);
    const before = { memory: memory(), ran: ran() };
    await B.run(['/usr/bin/python3', '-c', HALF_OPEN, A.address, String(port), '20000']);
    const open = (await A.run(['cat', '/proc/net/tcp', '/proc/net/tcp6'])).match(/ 03 /g)?.length; // SYN_RECV
    const after = { memory: memory(), ran: ran() };
    t.diagnostic(`20,000 half-open connections, ${open} of them kept by the system: ${after.memory - before.memory} kB more, ${(after.ran - before.ran).toFixed(1)} ms of processor time`);
    // The system sees to them: the server is told of a connection only when it stands.
    assert.ok(open > 50, `${open}`);
    assert.ok(after.memory - before.memory < 1024);
    assert.ok(after.ran - before.ran < 100);
    await phone(['sync']);
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
