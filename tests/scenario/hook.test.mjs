/* The user's own command: what it is told, what it is given, and that nothing it does matters to the server. */
import fs from 'node:fs';
import net from 'node:net';
import { assert, scenario, sleep } from './harness.mjs';

/* Writes a script, and has the server run it. `body` finds the event in $event and writes to $out. */
function script(s, name, body) {
    const file = s.file(name);
    fs.writeFileSync(file, `#!/bin/sh\nout='${s.folder}'\nevent=$(cat)\n${body}\n`, { mode: 0o755 });
    return { TRIVET_HOOK: file };
}

/* Each event in a line of its own, whole lines only. */
const NOTE = `printf '%s\\n' "$event" >> "$out/events"`;
function read(file) {
    try {
        return fs.readFileSync(file, 'utf8');
    } catch {
        return '';
    }
}
const events = (s) => read(s.file('events')).split('\n').filter(Boolean).map((line) => JSON.parse(line));

async function told(s, kind, count = 1) {
    await s.eventually(`${count} events ${kind}`, () => events(s).filter((e) => e.event === kind).length >= count);
    return events(s).filter((e) => e.event === kind).at(-1);
}

/* A phone that knows a wrong secret comes, and does not wait to be sent away. */
async function stranger(s, secret = 'wrong') {
    const phone = await s.phone({ pairing: { secret, port: s.server.port } });
    await phone.connect();
    s.phones.splice(s.phones.indexOf(phone), 1);
    s.later(() => phone.cut());
    return phone;
}

/* Makes an event that costs nothing: a code is made, used and revoked. */
async function revokeOne(s) {
    const { device } = await s.pair(['--name', `spare ${Math.random()}`]);
    await s.cli(['devices', 'revoke', device]);
    return device;
}

scenario('a first sync, a question, a large change, a new phone, a revoked device', async (s) => {
    await s.serve({ env: script(s, 'hook', NOTE) });
    const pairing = await s.pair(['--name', 'the "kitchen" phone']);
    const phone = await s.phone({ pairing, deviceId: 'Pixel 9' });
    const id = phone.add('lists', 0, s.text('ash')).id;
    for (const word of ['birch', 'cedar', 'elm']) phone.add('lists', 0, s.text(word));
    await s.confirmed(phone);
    const first = await told(s, 'first_sync');
    assert.deepEqual(Object.keys(first).sort(), ['address', 'device', 'event', 'name', 'time']);
    assert.deepEqual([first.device, first.name, first.address], [pairing.device, 'the "kitchen" phone', '127.0.0.1']);
    assert.ok(Math.abs(first.time - Date.now()) < 60000);
    await s.confirmed(phone);

    const there = await s.edit(id, s.text('ash, computer'));
    phone.edit(id, s.text('ash, phone'), there.updatedAt);
    let sync = phone.sync();
    const open = await s.question();
    const question = await told(s, 'question');
    assert.deepEqual([question.kind, question.question, question.device], ['tie', open.id, pairing.device]);
    assert.ok(Math.abs(question.deadline - open.deadline) < 5000);
    await s.cli(['resolve', '--pick', 'phone']);
    await sync;

    phone.storage.lists.slots = phone.storage.lists.slots.map(() => []);
    sync = phone.sync();
    await s.question();
    assert.equal((await told(s, 'question', 2)).kind, 'large_change');
    await s.cli(['resolve', '--use', 'both']);
    await sync;
    await phone.disconnect();

    phone.deviceId = 'Pixel "10"';
    await s.confirmed(phone);
    const other = await told(s, 'new_phone');
    assert.deepEqual([other.device, other.name], [pairing.device, 'Pixel "10"'], 'what it calls itself, not what its code is called');
    await s.cli(['devices', 'revoke', pairing.device]);
    assert.equal((await told(s, 'revoked')).device, pairing.device);
    await sleep(50);
    assert.deepEqual(events(s).map((e) => e.event).sort(), ['first_sync', 'new_phone', 'question', 'question', 'revoked']);
    assert.ok(!read(s.file('events')).includes(s.marker), 'never content');
});

scenario('wrong secrets, told once', async (s) => {
    await s.serve({ env: script(s, 'hook', NOTE) });
    await s.pair();
    const strangers = [];
    for (let i = 0; i < 5; i++) strangers.push(await stranger(s));
    const { address, count } = await told(s, 'wrong_secrets');
    assert.equal(address, '127.0.0.1');
    assert.ok(count >= 3);
    assert.equal(events(s).length, 1);
    for (const phone of strangers) phone.cut();
});

scenario('what the command is given, and what not', async (s) => {
    const body = `env > "$out/env"; pwd > "$out/pwd"; ls -l /proc/self/fd > "$out/fds"; cut -d' ' -f1,5,6 /proc/$$/stat > "$out/ids"; ${NOTE}`;
    // A descriptor that whoever started the server left open.
    await s.serve({ env: { ...script(s, 'hook', body), SECRET_OF_THE_SHELL: 'x' }, wrap: ['sh', '-c', 'exec 9</etc/passwd; exec "$@"', 'sh'] });
    const phone = await s.phone();
    await s.confirmed(phone, { stay: true });
    await told(s, 'first_sync');
    assert.equal(read(s.file('pwd')), '/\n');
    const env = Object.fromEntries(read(s.file('env')).trim().split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)));
    for (const name of ['PWD', 'OLDPWD', 'SHLVL', '_']) delete env[name]; // the shell's own
    assert.deepEqual(env, { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: s.folder, LANG: 'C.UTF-8', TRIVET_DATA: fs.realpathSync(s.data) });
    const fds = read(s.file('fds')).split('\n').filter((line) => line.includes('->'));
    assert.equal(fds.filter((line) => /sock|trivet|passwd|anon_inode|\.db/.test(line.split('->')[1]) && !line.includes('/fds')).length, 0, fds.join('\n'));
    const [pid, pgid, sid] = read(s.file('ids')).trim().split(/\s+/);
    assert.equal(pid, pgid);
    assert.equal(pid, sid);
});

scenario('one that fails, is missing, or is no program: logged once, and it may come back', async (s) => {
    const env = script(s, 'hook', `if ! test -e "$out/works"; then echo x >> "$out/tried"; sleep 0.1; exit 3; fi; sleep 0.3; ${NOTE}`);
    await s.serve({ env });
    await revokeOne(s);
    await s.server.says(/hook .*: ended with status 3/);
    await revokeOne(s);
    await revokeOne(s);
    await s.eventually('three have begun', () => read(s.file('tried')).length === 6);
    fs.writeFileSync(s.file('works'), '');
    await revokeOne(s);
    await told(s, 'revoked');
    await sleep(100);
    fs.rmSync(s.file('hook'));
    await revokeOne(s);
    await s.server.says(/hook .*: no such file/);
    fs.writeFileSync(s.file('hook'), 'no program', { mode: 0o644 });
    await revokeOne(s);
    const phone = await s.phone();
    await s.confirmed(phone);
    await sleep(100);
    assert.equal(s.server.stderr.match(/hook /g).length, 2, s.server.stderr);
});

scenario('one that talks without end, and one that reads nothing', async (s) => {
    await s.serve({ env: script(s, 'hook', `head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; ${NOTE}`) });
    await revokeOne(s);
    await told(s, 'revoked');
    assert.ok(s.server.stderr.length < 4000);
    fs.writeFileSync(s.file('hook'), `#!/bin/sh\nexec <&-\necho '{"event":"deaf"}' >> '${s.folder}/events'\n`, { mode: 0o755 });
    await revokeOne(s);
    await told(s, 'deaf');
});

/* Whether anything of a script's session still runs. */
function lives(session) {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).some((pid) => {
        const [state, , , sid] = (read(`/proc/${pid}/stat`).split(') ').at(-1) ?? '').split(' ');
        return sid === session.trim() && state !== 'Z';
    });
}

scenario('one that is too slow is ended, children and all, and another that ignores SIGTERM, too', async (s) => {
    const env = script(s, 'hook', `echo $$ > "$out/pid"; (trap '' TERM; sleep 300) & sleep 300; ${NOTE}`);
    await s.serve({ env: { ...env, TRIVET_HOOK_TIMEOUT: '200ms' } });
    await revokeOne(s);
    await s.server.says(/hook .*: took longer than hook_timeout/);
    await s.eventually('it is gone', () => !lives(read(s.file('pid'))));
    script(s, 'hook', `trap '' TERM; echo $$ > "$out/stubborn"; sleep 300; ${NOTE}`);
    await revokeOne(s);
    await s.eventually('it runs', () => read(s.file('stubborn')) !== '');
    await s.eventually('it is gone', () => !lives(read(s.file('stubborn'))));
    assert.equal(events(s).length, 0);
});

scenario('too many at once: a few run, some wait, the rest is dropped and counted; syncs do not notice', async (s) => {
    const gate = s.file('gate');
    const env = script(s, 'hook', `echo x >> "$out/started"; while ! test -e '${gate}'; do sleep 0.05; done; ${NOTE}`);
    await s.serve({ env: { ...env, TRIVET_HOOK_TIMEOUT: '1m' } });
    // Revoked one after the other over one socket: 45 events.
    const socket = net.connect(`${s.data}/control.sock`);
    s.later(() => socket.destroy());
    let answers = '';
    socket.on('data', (data) => (answers += data));
    const asked = (request, n) => {
        socket.write(`${JSON.stringify(request)}\n`);
        return s.eventually('an answer', () => answers.split('\n').length > n);
    };
    for (let i = 0; i < 45; i++) {
        await asked({ do: 'pair', name: `spare ${i}`, host: '127.0.0.1' }, 2 * i + 1);
        const { device, secret, k } = JSON.parse(answers.split('\n')[2 * i]);
        s.planted.add(secret).add(k);
        await asked({ do: 'revoke', device }, 2 * i + 2);
    }
    await s.eventually('four run', () => read(s.file('started')).length === 8);
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone);
    await s.expectSame(phone);
    assert.equal(read(s.file('started')).length, 8);
    fs.writeFileSync(gate, '');
    await s.eventually('36 were told', () => events(s).length === 36);
    await s.server.says(/10 events were dropped/); // 45 revoked and a first sync
});

scenario('a server that stops does not wait for it, and leaves nothing behind', async (s) => {
    await s.serve({ env: script(s, 'hook', `echo $$ > "$out/pid"; sleep 300; ${NOTE}`) });
    await revokeOne(s);
    await s.eventually('it runs', () => read(s.file('pid')).trim() !== '');
    await s.server.stop('SIGTERM', 5000);
    await s.eventually('it is gone', () => !lives(read(s.file('pid'))));
});

scenario('what may stand there', async (s) => {
    const server = await s.serve({ env: { TRIVET_HOOK: 'sh -c true' }, ready: false });
    server.expected = null;
    assert.equal((await server.done).status, 78);
    assert.match(server.stderr, /hook.*absolute path of a program/i);
});
