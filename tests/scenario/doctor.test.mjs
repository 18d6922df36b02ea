/* trivet doctor: what it finds, with a server and without one, and that it changes nothing. */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { assert, scenario } from './harness.mjs';

async function doctor(s, { expect, args = [], env } = {}) {
    const { stdout, status } = await s.cli(['doctor', '--json', ...args], { expect, env });
    const report = JSON.parse(stdout);
    assert.equal(report.problems, report.findings.filter(({ level }) => level === 'problem').length);
    assert.equal(report.notes, report.findings.filter(({ level }) => level === 'note').length);
    assert.equal(report.healthy, report.problems === 0);
    assert.equal(status, report.healthy ? 0 : 1);
    for (const { level, finding, advice } of report.findings) {
        assert.ok(finding.length > 0 && !finding.includes('\n'));
        assert.equal(Boolean(advice), level !== 'ok', 'whatever is not all right says what to do');
    }
    return (subject, level = 'problem') => report.findings.find((f) => f.subject === subject && f.level === level) ?? assert.fail(`${subject}, ${level}: ${stdout}`);
}

const listing = (folder) => fs.readdirSync(folder).sort().map((name) => [name, fs.statSync(path.join(folder, name)).mode & 0o777]);

scenario('all is well', async (s) => {
    const { port } = await s.serve();
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone);
    const found = await doctor(s, { expect: 0 });
    for (const subject of ['settings', 'folder', 'disk', 'database', 'server', 'port', 'addresses', 'arrivals', 'dates']) found(subject, 'ok');
    assert.match(found('port', 'ok').finding, new RegExp(`\\b${port}\\b`));
    const { stdout } = await s.cli(['doctor']);
    assert.match(stdout, /^ok +database +sound$/m);
    assert.match(stdout, /\nno problems found\n$/);
    assert.ok(!stdout.includes('\x1b') && !stdout.includes(s.marker), 'no colours in a pipe, and no content');
    assert.equal((await s.json(['status'])).arrived, false, 'what comes from this computer proves nothing about the network');
});

scenario('no server, no folder; nothing is made', async (s) => {
    const found = await doctor(s, { expect: 1 });
    assert.match(found('server').advice, /trivet serve/);
    found('folder', 'note');
    assert.ok(!fs.existsSync(s.data));
    await s.add(s.text('milk'));
    const before = listing(s.data);
    const later = await doctor(s, { expect: 1 });
    later('database', 'ok');
    later('server');
    assert.deepEqual(listing(s.data), before);
});

scenario('the port belongs to another program, or answers on this computer alone', async (s) => {
    const other = net.createServer((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\n{"status":"ok","deviceId":"x"}')).listen(0);
    s.later(() => other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const found = await doctor(s, { expect: 1, env: { TRIVET_PORT: String(other.address().port) } });
    assert.match(found('port').finding, /another program/);
    const server = await s.serve({ args: ['--host', '127.0.0.1'], ready: false });
    await server.says(/listening on 127/);
    assert.match((await doctor(s, { expect: 1 }))('port').finding, /this computer alone/);
});

scenario('settings, and who may read the data', async (s) => {
    await s.serve();
    const file = s.file('trivet.conf');
    fs.writeFileSync(file, 'port = 8081\nprot = 8082\n');
    assert.match((await doctor(s, { expect: 1, args: ['--config', file] }))('settings').finding, /trivet\.conf:2: .*prot/);
    fs.chmodSync(s.data, 0o755);
    assert.match((await doctor(s, { expect: 1 }))('folder').advice, /^chmod 700 /);
    fs.chmodSync(s.data, 0o700);
    fs.chmodSync(path.join(s.data, 'trivet.db'), 0o644);
    assert.match((await doctor(s, { expect: 1 }))('folder').advice, /^chmod 600 .*trivet\.db$/);
    fs.chmodSync(path.join(s.data, 'trivet.db'), 0o600);
    await doctor(s, { expect: 0 });
});

scenario('a phone whose code leads elsewhere', async (s) => {
    await s.serve();
    const phone = await s.phone();
    await s.confirmed(phone);
    (await doctor(s, { expect: 0 }))('codes', 'ok');
    const moved = await s.phone({ pairing: await s.pair(['--host', '198.51.100.9']) });
    await s.confirmed(moved);
    // It came to another address than its code says, as through a router that forwards a port, or by discovery: all is well.
    (await doctor(s, { expect: 0 }))('codes', 'ok');
    assert.deepEqual((await s.json(['status'])).moved, []);
    await s.server.stop();
    // One that went by its code, to an address that was ours then.
    execFileSync('sqlite3', [path.join(s.data, 'trivet.db')], { input: "UPDATE device SET host = '198.51.100.9', port = 8080 WHERE num = 1;" });
    (await doctor(s, { expect: 1 }))('codes');
    await s.serve();
    assert.match((await doctor(s, { expect: 1 }))('codes').finding, / was paired with 198\.51\.100\.9/);
    // Until it comes another way.
    await s.confirmed(phone);
    (await doctor(s, { expect: 0 }))('codes', 'ok');
});

scenario('a clock that was wrong', async (s) => {
    await s.serve();
    const phone = await s.phone({ clockOffset: 3 * 86400e3 });
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone);
    assert.match((await doctor(s, { expect: 1 }))('dates').finding, /dated (2|3) days ahead/);
});

scenario('a damaged database, beside the running server and without it', async (s) => {
    await s.serve();
    for (let i = 0; i < 3; i++) await s.add(s.text(`milk ${i} `.repeat(2000)));
    await s.server.stop();
    const file = path.join(s.data, 'trivet.db');
    const whole = fs.readFileSync(file);
    const damaged = Buffer.from(whole);
    damaged.fill(0x5a, 4096 * 3, 4096 * 4);
    fs.writeFileSync(file, damaged);
    const found = await doctor(s, { expect: 1 });
    assert.match(found('database').advice, /trivet fsck/);
    fs.writeFileSync(file, whole);
    (await doctor(s, { expect: 1 }))('database', 'ok');
    await s.serve();
    await doctor(s, { expect: 0 });
    fs.writeFileSync(file, damaged);
    (await doctor(s, { expect: 1 }))('database');
    fs.writeFileSync(file, whole);
});
