/*
 * SIGHUP: what can change while the server runs changes at once, what cannot is said, and settings with an error in them
 * change nothing.
 */
import fs from 'node:fs';
import { assert, http, scenario } from './harness.mjs';

const conf = (s, text) => fs.writeFileSync(s.file('t.conf'), text);

/* Sends SIGHUP and waits until that is done; what the log says of it. */
async function reload(s, end = /event=reloaded|stay as they were/) {
    const before = s.server.stderr.length;
    s.server.child.kill('SIGHUP');
    await s.eventually('the settings are read again', () => end.test(s.server.stderr.slice(before)));
    return s.server.stderr.slice(before);
}

const serve = async (s) => s.serve({ args: ['--config', s.file('t.conf')] });

scenario('what can change while the server runs does', async (s) => {
    conf(s, 'ask_timeout = 20s\nname = before\n');
    await serve(s);
    const phone = await s.phone();
    await s.confirmed(phone, { stay: true });
    conf(s, 'ask_timeout = 100ms\nname = after\nlog_level = debug\nlarge_change = 0.5\nallow = local\n');
    const log = await reload(s);
    assert.deepEqual(log.match(/(?<=setting_changed key=)\w+/g).sort(), ['ask_timeout', 'large_change', 'log_level', 'name']);
    assert.match(log, /event=reloaded changed=4/);
    assert.equal(JSON.parse((await http(s.server.port, { path: '/ping' })).body).deviceId, 'after');
    assert.equal((await s.pair()).name, 'after');
    // The phone that was connected stays so.
    await s.confirmed(phone, { stay: true });
    assert.match(s.server.stderr, /level=debug event=sync_started/);
    // Nothing differs: nothing is said but that it was done.
    assert.match(await reload(s), /^\S+ level=info event=reloaded changed=0\n$/);
    // What is left out has its default again.
    conf(s, 'name = after\n');
    assert.deepEqual((await reload(s)).match(/(?<=setting_changed key=)\w+/g).sort(), ['ask_timeout', 'large_change', 'log_level']);
});

scenario('what cannot change while the server runs is said', async (s) => {
    conf(s, 'host = 0.0.0.0\n');
    await s.serve({ args: ['--config', s.file('t.conf'), '--host', '::'], ready: false }).then((server) => server.says(/listening on/));
    s.server = s.servers[0];
    const port = Number(s.server.stderr.match(/listening on \S+:(\d+)/)[1]);
    conf(s, `record = ${s.file('rec')}\nport = 1\nhost = 127.0.0.1\n`);
    // Flags go before the file on a reload, too.
    const log = await reload(s);
    assert.deepEqual(log.match(/(?<=setting_kept key=)\w+/g), ['record']);
    assert.equal((await http(port, { path: '/ping' })).status, 200);
    assert.ok(!fs.existsSync(s.file('rec')));
});

scenario('settings with an error in them change nothing', async (s) => {
    conf(s, 'name = before\n');
    await serve(s);
    for (const [text, pattern] of [['name = after\nport = x\nfoo = 1\n', /t\.conf:2: port:[^]*t\.conf:3: unknown key/], [null, /No such file/]]) {
        if (text) conf(s, text);
        else fs.unlinkSync(s.file('t.conf'));
        const log = await reload(s);
        assert.match(log, pattern);
        assert.match(log, /level=error event=reload_failed msg="the settings stay as they were"/);
        assert.equal(JSON.parse((await http(s.server.port, { path: '/ping' })).body).deviceId, 'before');
    }
});

scenario('many reloads while phones sync and commands run', async (s) => {
    conf(s, 'name = one\n');
    await serve(s);
    const phone = await s.phone();
    for (let round = 0; round < 10; round++) {
        conf(s, `name = ${round % 2 ? 'one' : `another ${'x'.repeat(round)}`}\nlog_format = ${round % 2 ? 'json' : 'logfmt'}\n`);
        phone.add('lists', 0, s.text(`item ${round}`));
        s.server.child.kill('SIGHUP');
        const all = [s.confirmed(phone, { stay: true }), s.pair(), s.json(['status'])];
        s.server.child.kill('SIGHUP');
        await Promise.all(all);
    }
    await s.expectSame(phone);
});
