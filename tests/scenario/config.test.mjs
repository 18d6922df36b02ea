/*
 * Settings: what the manual page says is what the program has, and every error is told with its place.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, assert, scenario } from './harness.mjs';

/* key -> what `--print-config` says of it, remarks in brackets aside. */
function table(printed) {
    const lines = printed.trim().split('\n');
    const keys = new Map();
    for (let i = 0; i < lines.length; i += 2) {
        assert.match(lines[i], /^# /);
        keys.set(lines[i + 1].split(' ')[0], lines[i].slice(2).replace(/ \([^)]*\)/g, ''));
    }
    return keys;
}

/* key -> its paragraph in the manual page. */
function manual() {
    const page = fs.readFileSync(path.join(ROOT, 'man/trivet.conf.5'), 'utf8').split('.Sh KEYS')[1].split('\n.El\n.Sh')[0];
    return new Map(page.split(/^\.It Cm /m).slice(1).map((entry) => [entry.split('\n')[0], entry.split('\n').slice(1).join(' ')]));
}

scenario('trivet.conf(5) has every key, its default and its range', async (s) => {
    const there = table((await s.run(['serve', '--print-config'])).stdout), told = manual();
    assert.ok(there.size > 10);
    assert.deepEqual([...told.keys()], [...there.keys()], 'the same keys in the same order');
    for (const [key, what] of there) {
        const sentence = `${what[0].toUpperCase()}${what.slice(1)}.`;
        assert.ok(told.get(key).includes(sentence), `${key}: man/trivet.conf.5 must say: ${sentence}`);
    }
});

const check = async (s, text, { args = [], env = {} } = {}) => {
    fs.writeFileSync(s.file('t.conf'), text);
    const { status, stdout, stderr } = await s.run(['serve', '-n', '--config', s.file('t.conf'), '--data', s.data, ...args], { env, expect: null });
    assert.ok(!fs.existsSync(s.data), 'no data folder is made');
    return { status, stdout, errors: stderr.trim().split('\n').filter((line) => line).map((line) => line.replace(/^trivet: /, '').replace(`${s.file('t.conf')}:`, '')) };
};

scenario('settings that are fine', async (s) => {
    for (const text of ['', 'port = 0', '\ufeffport=0\r\n', '# a\n; b\n\n  name = Küche ; a remark\n', 'ask_timeout = 1.5 s\nmax_message: 1 gib', `name = ${'n'.repeat(190)}`]) {
        const { status, stdout, errors } = await check(s, text);
        assert.deepEqual([status, stdout, errors], [0, `${s.file('t.conf')} is fine\n`, []], JSON.stringify(text));
    }
    const { stdout } = await s.run(['serve', '-n']);
    assert.match(stdout, /there is no settings file/);
    assert.equal((await s.run(['serve', '-n', '--config', '/dev/null'])).status, 0);
});

/* [variable, what is said of it; null: nothing] */
const VARIABLES = [
    ['TRIVET_PROT', /^TRIVET_PROT in the environment is no setting and does nothing; is it TRIVET_PORT\?$/m],
    ['TRIVET_ONTIE', /^TRIVET_ONTIE .* is it TRIVET_ON_TIE\?$/m],
    ['TRIVET_SOMETHING_ELSE_ENTIRELY', /^TRIVET_SOMETHING_ELSE_ENTIRELY .*trivet\.conf\(5\) lists those that there are$/m],
    ['TRIVET_', /^TRIVET_ in the environment/m],
    ['TRIVET_\x1b[31m', /^TRIVET_[^\x1b]* in the environment/m],
    ['TRIVET_DATA', null],
    ['TRIVET', null],
    ['MYTRIVET_PORT', null],
];
scenario('variables that are no settings are told, each on a line, and do nothing', async (s) => {
    for (const [name, said] of VARIABLES) {
        const { stdout, stderr } = await s.run(['serve', '-n'], { env: { [name]: s.data } });
        assert.match(stdout, /are fine|is fine/);
        if (said) assert.match(stderr.replace(/^trivet: /gm, ''), said);
        else assert.equal(stderr, '', name);
    }
    const server = await s.serve({ env: { TRIVET_PROT: '1', TRIVET_ALOW: 'any' } });
    assert.match(server.stderr, /TRIVET_PROT .*TRIVET_PORT/);
    assert.match(server.stderr, /TRIVET_ALOW .*TRIVET_ALLOW/);
    assert.equal((await s.json(['status'])).allow, 'local');
    assert.equal((await s.run(['status', '--data', s.data], { env: { TRIVET_PROT: '1' } })).stderr, '', 'of no concern to other commands');
});

scenario('what is printed can be read again', async (s) => {
    const env = { TRIVET_NAME: 'Küche', TRIVET_ASK_TIMEOUT: '90s', TRIVET_MAX_MESSAGE: '70000', TRIVET_ALLOW: 'any', TRIVET_LARGE_CHANGE: '0.25' };
    const { stdout } = await s.run(['serve', '--print-config', '--port', '81'], { env });
    for (const line of ['port = 81', 'name = Küche', 'ask_timeout = 90s', 'max_message = 70000', 'allow = any', 'large_change = 0.25'])
        assert.ok(stdout.includes(`\n${line}\n`), `${line}\n${stdout}`);
    fs.writeFileSync(s.file('printed.conf'), stdout);
    assert.equal((await s.run(['serve', '--print-config', '--config', s.file('printed.conf')])).stdout, stdout);
});

/* A comment begins with a semicolon behind a space, or where a value would; such a value could not be printed. */
scenario('a value that a file cannot say is no value', async (s) => {
    for (const name of [';x', 'a ;b', ' a', 'a ', '; ']) {
        const { status, errors } = await check(s, '', { env: { TRIVET_NAME: name } });
        assert.equal(status, 78, name);
        assert.match(errors[0], /^in the environment: TRIVET_NAME: name: expected a text .* no semicolon that begins a word\)/);
    }
    assert.equal((await check(s, 'name =;x')).status, 78, 'not taken for a comment, and not for a name either');
    assert.equal((await check(s, '', { env: { TRIVET_NAME: 'a;b' } })).status, 0);
});

scenario('every error is told, with its place and what is allowed', async (s) => {
    const { status, errors } = await check(
        s,
        Buffer.concat([Buffer.from('prot = 80\nport = 99999\n port = 8081\n[x]\njust text\nask_timeout = 1e3\nlog_level=loud\nname = a\0b\n'), Buffer.from(`record = ${'x'.repeat(300)}\nnonsense = \x1b[31m\nname = \xff`, 'latin1')]),
        { args: ['--host', 'h'.repeat(300)], env: { TRIVET_MAX_QUEUED: '1', TRIVET_MDNS: 'yes' } },
    );
    assert.equal(status, 78);
    const expected = [
        /^1: unknown key "prot"; is it port\?$/,
        /^2: port: expected a port from 0 to 65535 \(0 picks one\), not "99999"$/,
        /^3: port: set twice, first in line 2$/,
        /^4: there are no \[sections\]/,
        /^5: expected key = value$/,
        /^6: ask_timeout: expected a duration from 100ms to 1d .*, not "1e3"$/,
        /^7: log_level: expected error, warning, info or debug, not "loud"$/,
        /^8: holds a NUL byte/,
        /^9: longer than 197 bytes/,
        /^10: unknown key "nonsense"; there are port, host,/,
        /^11: name: expected a text of at most 256 bytes .*, not "\\+xff"$/,
        /^in the environment: TRIVET_MDNS: mdns: expected off or on, not "yes"$/,
        /^in the environment: TRIVET_MAX_QUEUED: max_queued: expected a size from 64KiB to 1GiB .*, not "1"$/,
        /^host: expected a text of at most 255 bytes/,
    ];
    assert.equal(errors.length, expected.length, errors.join('\n'));
    expected.forEach((pattern, i) => assert.match(errors[i], pattern));
});

scenario('what is no settings file', async (s) => {
    for (const [file, pattern] of [[s.folder, /is a folder/], ['/dev/zero', /larger than 64 KiB/], [s.file('none'), /No such file/]]) {
        const { status, stderr } = await s.run(['serve', '-n', '--config', file], { expect: null });
        assert.equal(status, 78, file);
        assert.match(stderr, pattern);
        assert.ok(stderr.includes(file));
    }
    assert.match((await check(s, Buffer.from('\xff\xfep\0', 'latin1'))).errors[0], /UTF-16/);
    assert.match((await check(s, '#'.repeat(70000))).errors[0], /larger than 64 KiB/);
});
