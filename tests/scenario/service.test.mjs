/*
 * The systemd unit, as far as that can be seen without a systemd that runs: what systemd-analyze says of it, the server
 * started as the unit would, the system calls that it then makes beside those that the unit allows; and root's commands in the
 * service's folder.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, TRIVET, assert, scenario } from './harness.mjs';

const SERVICE = 23456; // a user of no name
const works = (command, ...args) => spawnSync(command, args).status === 0;
const noSystemd = !works('systemd-analyze', '--version') && 'no systemd-analyze here';
const noRoot = (process.getuid() !== 0 || !works('setpriv', `--reuid=${SERVICE}`, '--clear-groups', 'true')) && 'not root, or no setpriv here';
const noStrace = !works('strace', '-o', '/dev/null', 'true') && 'no strace here';

/* The unit as `make install` puts it in place, with a program that is there. */
function unit(s) {
    fs.mkdirSync(s.file('usr/bin'), { recursive: true });
    fs.copyFileSync(TRIVET, s.file('usr/bin/trivet'));
    const text = fs.readFileSync(path.join(ROOT, 'src/service/trivet.service.in'), 'utf8').replaceAll('@PREFIX@', s.file('usr'));
    fs.writeFileSync(s.file('trivet.service'), text);
    return text;
}

const settings = (text, key) => text.split('\n').filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));

scenario('the unit is sound, and exposes little', async (s) => {
    const text = unit(s);
    const verify = spawnSync('systemd-analyze', ['verify', '--man=no', s.file('trivet.service')], { encoding: 'utf8' });
    assert.equal(verify.stderr + verify.stdout, '');
    assert.equal(verify.status, 0);
    const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', s.file('trivet.service')], { encoding: 'utf8' });
    assert.equal(security.status, 0, security.stdout);
    // That the gates can fail:
    fs.writeFileSync(s.file('trivet.service'), text.replace('ProtectClock', 'ProtectClok'));
    assert.notEqual(spawnSync('systemd-analyze', ['verify', '--man=no', s.file('trivet.service')], { encoding: 'utf8' }).stderr, '');
    fs.writeFileSync(s.file('trivet.service'), text.replace(/^(SystemCallFilter|CapabilityBoundingSet|PrivateUsers|User).*$/gm, ''));
    assert.notEqual(spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', s.file('trivet.service')]).status, 0);
}, { skip: noSystemd });

/* All calls that `SystemCallFilter=` lets through: groups opened, `~` taken away. */
function allowed(text) {
    const groups = new Map();
    let group;
    for (const line of execFileSync('systemd-analyze', ['syscall-filter', '--no-pager'], { encoding: 'utf8' }).split('\n')) {
        const [, indent, word] = line.match(/^( *)([@\w-]+)/) ?? [];
        if (!word) continue;
        if (indent === '') groups.set(word, (group = []));
        else group?.push(word);
    }
    const open = (word) => (word.startsWith('@') ? groups.get(word).flatMap(open) : [word]);
    const calls = new Set();
    for (const value of settings(text, 'SystemCallFilter'))
        for (const word of value.replace('~', '').split(' ').flatMap(open)) value.startsWith('~') ? calls.delete(word) : calls.add(word);
    return calls;
}

/* The server as the unit starts it: a user without rights, and nothing of this environment. */
const asService = (s) => ['setpriv', `--reuid=${SERVICE}`, `--regid=${SERVICE}`, '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--'];

function serviceFolder(s) {
    fs.chmodSync(s.folder, 0o755);
    fs.mkdirSync(s.data, { mode: 0o700 });
    fs.chownSync(s.data, SERVICE, SERVICE);
}

const strangers = (folder) => fs.readdirSync(folder, { recursive: true }).filter((name) => fs.lstatSync(path.join(folder, name)).uid !== SERVICE);

scenario('a server makes no system call that the unit forbids', async (s) => {
    const calls = allowed(unit(s));
    assert.ok(calls.has('execve') && calls.has('clone3') && calls.has('fdatasync') && !calls.has('chroot') && !calls.has('ptrace') && !calls.has('mount'));
    serviceFolder(s);
    fs.writeFileSync(s.file('hook'), '#!/bin/sh\ncat >/dev/null\n', { mode: 0o755 });
    fs.mkdirSync(s.file('trace'), { mode: 0o777 });
    fs.chmodSync(s.file('trace'), 0o777);
    const program = s.file('usr/bin/trivet');
    const server = await s.serve({ env: { TRIVET_HOOK: s.file('hook'), ASAN_OPTIONS: 'detect_leaks=0' }, wrap: [...asService(s), 'strace', '-D', '-f', '-qq', '-o', s.file('trace/calls'), '-e', 'signal=none'] });
    assert.ok(program);
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone, { stay: true });
    await s.add(s.text('bread'));
    await s.confirmed(phone);
    server.child.kill('SIGHUP');
    await server.says(/event=reloaded/);
    await s.expectSame(phone);
    await s.cli(['devices', 'revoke', phone.pairing.device]);
    await server.stop();
    const made = new Set([...fs.readFileSync(s.file('trace/calls'), 'utf8').matchAll(/^\d+ +(\w+)\(/gm)].map((match) => match[1]));
    assert.ok(made.has('fdatasync') || made.has('fsync'), 'the trace is of the server');
    assert.deepEqual([...made].filter((call) => !calls.has(call)), []);
}, { skip: noSystemd || noStrace || noRoot });

scenario("root's commands leave nothing of root's in the service's folder", async (s) => {
    serviceFolder(s);
    // Nobody runs: the commands open the store themselves.
    const pairing = await s.pair();
    await s.add(s.text('milk'));
    await s.export();
    assert.deepEqual(strangers(s.data), []);
    assert.ok(fs.existsSync(path.join(s.data, 'trivet.db')));
    // The service runs: they ask it.
    await s.serve({ wrap: asService(s) });
    const phone = await s.phone({ pairing });
    await s.confirmed(phone);
    assert.match((await s.cli(['devices'])).stdout, new RegExp(pairing.device));
    await s.server.stop();
    // Root runs the server: it becomes the service's user.
    const server = await s.serve();
    assert.match(fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'), new RegExp(`^Uid:\\s+${SERVICE}\\s+${SERVICE}\\s+${SERVICE}\\s+${SERVICE}$[^]*^Groups:\\s*$`, 'm'));
    await s.confirmed(phone);
    await server.stop();
    assert.deepEqual(strangers(s.data), []);
    // A link that the service's user has laid leads nowhere that they may not go.
    fs.writeFileSync(s.file('precious'), 'root only', { mode: 0o600 });
    fs.renameSync(path.join(s.data, 'trivet.db'), path.join(s.data, 'old.db'));
    fs.symlinkSync(s.file('precious'), path.join(s.data, 'trivet.db'));
    await s.cli(['list'], { expect: 77 });
    assert.equal(fs.readFileSync(s.file('precious'), 'utf8'), 'root only');
}, { skip: noRoot });

scenario("root finds the service's folder, others are told of it", async (s) => {
    const inside = (script) => ['unshare', '-m', 'sh', '-c', `mount -t tmpfs none /var/lib && mkdir -m 700 /var/lib/trivet && chown ${SERVICE}:${SERVICE} /var/lib/trivet && ${script}`, 'sh'];
    const made = await s.run(['add', s.text('milk')], { wrap: inside('"$@" && stat -c "%u %n" /var/lib/trivet/*') });
    assert.match(made.stdout, new RegExp(`^${SERVICE} /var/lib/trivet/trivet\\.db$`, 'm'));
    assert.doesNotMatch(made.stdout, /^0 /m);
    assert.ok(!fs.existsSync(s.file('.local')));
    fs.chmodSync(s.folder, 0o755);
    fs.mkdirSync(s.file('usr/bin'), { recursive: true });
    fs.copyFileSync(TRIVET, s.file('usr/bin/trivet'));
    const { stderr } = await s.run(['list'], { wrap: inside(`shift; setpriv --reuid=${SERVICE + 1} --clear-groups ${s.file('usr/bin/trivet')} "$@"`), expect: 66 });
    assert.match(stderr, /holds no data yet.*\/var\/lib\/trivet.*sudo trivet/);
    // A folder of root's own is nobody's service.
    const own = await s.run(['list'], { wrap: inside('chown 0 /var/lib/trivet; "$@"'), expect: 66 });
    assert.ok(own.stderr.includes(s.file('.local/share/trivet')), own.stderr);
}, { skip: noRoot || (!works('unshare', '-m', 'mount', '-t', 'tmpfs', 'none', '/mnt') && 'no mount namespaces here') });

scenario('to look makes no data folder', async (s) => {
    for (const command of ['list', 'export', 'devices', 'status', 'pending', 'history']) {
        const { stderr } = await s.cli([command], { expect: 66 });
        assert.match(stderr, /holds no data yet/, command);
    }
    assert.ok(!fs.existsSync(s.data));
    // The XDG specification: one that is no absolute path is ignored.
    const { stderr } = await s.run(['list'], { env: { XDG_DATA_HOME: 'relative' }, expect: 66 });
    assert.ok(stderr.includes(s.file('.local/share/trivet')) || process.getuid() === 0, stderr);
    await s.run(['add', s.text('milk')], { env: { XDG_DATA_HOME: s.file('xdg'), TRIVET_DATA: s.file('mine') } });
    assert.ok(fs.existsSync(s.file('mine/trivet.db')) && !fs.existsSync(s.file('xdg')));
});
