/* The plain half of the port: HTTP/1.1, Host, Origin, and the way up to a WebSocket (protocol §1). */
import dns from 'node:dns/promises';
import os from 'node:os';
import { assert, http, scenario, tcp } from './harness.mjs';

const upgrade = (more = {}) => ({
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...more,
});

/* The status line and head of what an upgrade request gets; the connection stays open where it was accepted. */
async function ask(port, headers, { path = '/', host = `127.0.0.1:${port}` } = {}) {
    const lines = Object.entries({ Host: host, ...headers }).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const { text } = await tcp(port, `GET ${path} HTTP/1.1\r\n${lines}\r\n`, { until: /\r\n\r\n/ });
    return { status: Number(text.slice(9, 12)), text };
}

scenario('GET /ping and GET /health', async (s) => {
    const { port } = await s.serve();
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone, { stay: true });
    const ping = await http(port, { path: '/ping' });
    assert.equal(ping.status, 200);
    assert.match(ping.head, /content-type: application\/json/i);
    const body = JSON.parse(ping.body);
    assert.equal(body.status, 'ok');
    assert.ok(typeof body.deviceId === 'string' && body.deviceId.length > 0);
    const health = await http(port, { path: '/health' });
    assert.equal(health.status, 200);
    const told = JSON.parse(health.body);
    assert.equal(told.status, 'ok');
    assert.ok('version' in told && 'uptime' in told, health.body);
    for (const name of [phone.deviceId, phone.pairing.name, phone.pairing.device]) assert.ok(!health.body.includes(name), 'no names');
    assert.equal((await http(port, { path: '/ping?x=1' })).status, 200);
});

scenario('HEAD has no body, and connections are kept', async (s) => {
    const { port } = await s.serve();
    const head = await http(port, { method: 'HEAD', path: '/ping' });
    assert.deepEqual([head.status, head.body], [200, '']);
    assert.match(head.head, /content-length: [1-9]/i);
    const request = `GET /ping HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`;
    const { text } = await tcp(port, `${request}\r\n${request}\r\n${request}Connection: close\r\n\r\n`);
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3, 'three requests in one go');
    const old = await tcp(port, 'GET /ping HTTP/1.0\r\n\r\n');
    assert.ok(old.ended);
});

scenario('other paths, other methods, other sizes', async (s) => {
    const { port } = await s.serve();
    for (const path of ['/', '/nothing', '/ping/', '/..%2f..%2fetc/passwd', '/%00']) assert.equal((await http(port, { path })).status, 404, path);
    for (const method of ['POST', 'PUT', 'DELETE']) {
        const answer = await http(port, { method, path: '/ping', headers: { 'Content-Length': '0' } });
        assert.equal(answer.status, 405, method);
        assert.match(answer.head, /allow: .*GET/i);
    }
    const large = await http(port, { method: 'POST', path: '/ping', headers: { 'Content-Length': String(10 << 20) }, body: 'x'.repeat(1000) });
    assert.ok([405, 413].includes(large.status), `${large.status}`);
    const chunked = await http(port, { method: 'POST', path: '/ping', headers: { 'Transfer-Encoding': 'chunked' }, body: `fffff\r\n${'x'.repeat(0xfffff)}\r\n0\r\n\r\n` });
    assert.ok([405, 413].includes(chunked.status), `${chunked.status}`);
});

scenario('requests that are none', async (s) => {
    const { port } = await s.serve();
    for (const bytes of [
        'nonsense\r\n\r\n',
        'GET /ping\r\n\r\n',
        'GET /ping HTTP/1.1\r\nbroken header\r\n\r\n',
        'GET /ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n',
        'POST /ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        '\u0016\u0003\u0001\u0000\u00a5', // TLS
    ]) {
        const { text, ended } = await tcp(port, bytes);
        assert.match(text, /^(HTTP\/1\.1 (400|505) |$)/, JSON.stringify(bytes));
        assert.ok(ended);
    }
    assert.equal((await http(port, { path: '/ping' })).status, 200);
});

scenario('a head without end', async (s) => {
    const { port } = await s.serve();
    const cases = {
        'many headers': Array.from({ length: 5000 }, (_, i) => `X-${i}: ${'y'.repeat(20)}\r\n`).join(''),
        'one long header': `X: ${'y'.repeat(1 << 20)}\r\n`,
    };
    for (const [what, lines] of Object.entries(cases)) {
        const { text, ended } = await tcp(port, `GET /ping HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`);
        assert.match(text, /^HTTP\/1\.1 431 /, what);
        assert.ok(ended, what);
    }
    const long = await tcp(port, `GET /${'p'.repeat(1 << 20)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.match(long.text, /^HTTP\/1\.1 4(14|31) /);
    assert.equal((await http(port, { path: '/ping' })).status, 200);
});

scenario('Host: who may ask (DNS rebinding)', async (s) => {
    const { port } = await s.serve();
    const name = JSON.parse((await http(port, { path: '/ping' })).body).deviceId;
    for (const host of ['127.0.0.1', `127.0.0.1:${port}`, 'localhost', `localhost:${port}`, '[::1]', `[::1]:${port}`, '192.168.1.5:8080', name, `${name}.local`, `${name.toUpperCase()}.local:${port}`])
        assert.equal((await http(port, { path: '/health', headers: { Host: host } })).status, 200, host);
    for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', `127.0.0.1.evil.example`, `${name}.evil.example`, '127.0.0.1@evil.example']) {
        assert.equal((await http(port, { path: '/health', headers: { Host: host } })).status, 403, host);
        assert.equal((await http(port, { path: '/ping', headers: { Host: host } })).status, 200, `/ping is for everyone: ${host}`);
    }
    assert.ok([400, 403].includes((await http(port, { path: '/health', headers: { Host: undefined } })).status), 'none at all');
    assert.ok([400, 403].includes((await tcp(port, `GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n`)).text.slice(9, 12) * 1), 'two');
});

scenario('Host: the name that it was told to listen on', async (s) => {
    const name = os.hostname();
    const server = await s.serve({ args: ['--host', name], env: { TRIVET_NAME: 'another' }, ready: false });
    const port = Number((await server.says(/listening on \S+:(\d+)/))[1]);
    const { address } = await dns.lookup(name);
    for (const [host, status] of [[name, 200], [`${name}:${port}`, 200], ['another.local', 200], [`${name}.evil.example`, 403]])
        assert.equal((await http(port, { path: '/health', host: address, headers: { Host: host } })).status, status, host);
});

scenario('Origin: its host and port must be those of Host', async (s) => {
    const { port } = await s.serve();
    const host = `127.0.0.1:${port}`;
    for (const origin of [undefined, `http://${host}`, `https://${host}`])
        assert.equal((await ask(port, upgrade({ Origin: origin }))).status, 101, `${origin}`);
    for (const origin of ['http://evil.example', 'http://127.0.0.1', `http://127.0.0.1:${port + 1}`, `http://localhost:${port}`, 'null', '', 'http://', `http://${host}.evil.example`, `http://evil.example/${host}`, `http://evil.example@${host}.x`]) {
        const { status, text } = await ask(port, upgrade({ Origin: origin }));
        assert.equal(status, 403, `${origin}: ${text}`);
    }
    // No port means 80, on both.
    assert.equal((await ask(port, upgrade({ Origin: 'http://localhost' }), { host: 'localhost:80' })).status, 101);
    assert.equal((await ask(port, upgrade({ Origin: 'http://localhost:80' }), { host: 'localhost' })).status, 101);
    assert.equal((await ask(port, upgrade({ Origin: 'http://localhost:81' }), { host: 'localhost' })).status, 403);
});

/* A page of evil.example whose name leads here says so twice, and the two are equal: the name itself must be one of ours. */
scenario('DNS rebinding against the socket', async (s) => {
    const { port } = await s.serve();
    const { deviceId: name } = JSON.parse((await http(port, { path: '/ping' })).body);
    const { address } = await s.json(['pair', '--host', 'paired.example']).then((pairing) => ({ address: pairing.ip }));
    for (const host of ['192.168.1.5', '[fe80::1]', 'localhost', name, `${name}.local`, address])
        assert.equal((await ask(port, upgrade({ Origin: `http://${host}:${port}` }), { host: `${host}:${port}` })).status, 101, host);
    for (const host of ['evil.example', `${name}.evil.example`, 'localhost.evil.example', '127.0.0.1.evil.example', 'local']) {
        assert.equal((await ask(port, upgrade({ Origin: `http://${host}:${port}` }), { host: `${host}:${port}` })).status, 403, host);
        assert.equal((await ask(port, upgrade({ Origin: `http://${host}` }), { host })).status, 403, host);
        // No browser leaves Origin out of an upgrade; other programs do, and what they call this computer is their affair.
        assert.equal((await ask(port, upgrade(), { host: `${host}:${port}` })).status, 101, host);
    }
    await s.server.says(/refused: host/);
});

scenario('a foreign origin as the phone app would meet it', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const end = await phone.connect({ origin: 'http://evil.example' });
    assert.equal(end.status, 403);
    await phone.sync({ origin: false });
    await phone.disconnect();
    await s.confirmed(phone);
});

scenario('an upgrade on every path, with no extension and no subprotocol', async (s) => {
    const { port } = await s.serve();
    for (const path of ['/', '/ping', '/health', '/ws', '/a/b/c?x=1', '/phone']) {
        const phone = await s.phone({ deviceId: path });
        const end = await phone.sync({ path });
        assert.equal(end.kind, 'confirmed', path);
        await phone.disconnect();
    }
    const { status, text } = await ask(port, upgrade({ 'Sec-WebSocket-Extensions': 'permessage-deflate', 'Sec-WebSocket-Protocol': 'chat, superchat' }));
    assert.equal(status, 101);
    assert.match(text, /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
    assert.doesNotMatch(text, /sec-websocket-(extensions|protocol)/i);
});

scenario('upgrades that are none', async (s) => {
    const { port } = await s.serve();
    for (const [what, headers, codes] of [
        ['no key', upgrade({ 'Sec-WebSocket-Key': undefined }), [400]],
        ['a short key', upgrade({ 'Sec-WebSocket-Key': 'c2hvcnQ=' }), [400]],
        ['version 8', upgrade({ 'Sec-WebSocket-Version': '8' }), [400, 426]],
        ['no version', upgrade({ 'Sec-WebSocket-Version': undefined }), [400, 426]],
    ])
        assert.ok(codes.includes((await ask(port, headers)).status), what);
    // To something else: as if it had not been asked (RFC 9110 §7.8).
    assert.notEqual((await ask(port, { Connection: 'Upgrade', Upgrade: 'h2c' }, { path: '/ping' })).status, 101);
});

scenario('HTTP over IPv6', async (s) => {
    const { port } = await s.serve();
    assert.equal((await http(port, { path: '/health', host: '::1' })).status, 200);
    assert.equal((await ask(port, upgrade({ Origin: `http://[::1]:${port}` }), { host: `[::1]:${port}` })).status, 101);
});

/* What a phone asks of whoever may be its computer (protocol §1). That proofs are right, test_serve_roster and discovery show. */
scenario('GET /prove: for phones, not for web pages, and it tells nobody which devices there are', async (s) => {
    const { port } = await s.serve();
    const { pairing } = await s.phone();
    const nonce = 'a5'.repeat(32);
    const prove = (device, options = {}) => http(port, { path: `/prove/${device}/${nonce}`, ...options });
    const shape = ({ status, head, body }) => [status, head.replace(/^date: .*$/im, ''), body.replace(/[0-9a-f]{128}/, '')];
    const own = await prove(pairing.device);
    assert.match(own.body, /^\{"status":"ok","proof":"[0-9a-f]{128}"\}$/);
    const bodies = new Set([own.body]);
    for (const device of [pairing.device, '00000000', 'ffffffff', '0', 'x'.repeat(1000)]) {
        const answer = await prove(device);
        assert.deepEqual(shape(answer), shape(own), device);
        bodies.add(answer.body);
    }
    assert.equal(bodies.size, 6, 'no two are alike');
    // A page that has its name lead here may not read it, nor may any other: nothing allows it to (CORS).
    assert.equal((await prove(pairing.device, { headers: { Host: 'evil.example' } })).status, 403);
    const page = await prove(pairing.device, { headers: { Origin: 'http://evil.example' } });
    assert.doesNotMatch(page.head, /access-control-allow/i);
    assert.match(page.head, /^x-content-type-options: nosniff\r?$/im);
    assert.equal((await prove(pairing.device, { method: 'POST', headers: { 'Content-Length': '0' } })).status, 405);
    const head = await prove(pairing.device, { method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [200, '']);
    for (const path of ['/prove', `/prove/${pairing.device}`, `/prove/${pairing.device}/00`, `/prove/${pairing.device}/${nonce}00`, `/prove/${nonce}`])
        assert.equal((await http(port, { path })).status, 404, path);
});
