/* The commands, with a server and without: what they print, what they change, how they end. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { assert, itemWith, itemsOf, scenario, texts } from './harness.mjs';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/* Each of these runs twice: against a running server, and on the store itself. */
function both(name, body) {
    scenario(`${name}, with a server`, async (s) => {
        await s.serve();
        await body(s);
    });
    scenario(`${name}, without one`, (s) => body(s));
}

both('add, edit, done, undone, rm, mv', async (s) => {
    const milk = await s.add(s.text('milk'));
    assert.match(milk.id, UUID);
    assert.equal(milk.text, s.text('milk'));
    assert.equal(milk.done, false);
    assert.ok(Math.abs(milk.updatedAt - Date.now()) < 60000 && milk.createdAt === milk.updatedAt);
    const bread = await s.add(s.text('bread'));
    const eggs = await s.add(s.text('eggs'), ['--slot', '1']);
    const passport = await s.add(s.text('passport'), ['--locked', '--slot', '2']);
    const shown = async () => texts(await s.export());
    assert.deepEqual(await shown(), {
        lists: [['milk', 'bread', 'eggs'].map((word) => s.text(word)), [], [], [], [], []],
        lockedLists: [[], [s.text('passport')], [], [], [], []],
    });

    const edited = await s.edit(milk.id.slice(0, 8), s.text('oat milk'));
    assert.equal(edited.id, milk.id, 'a unique prefix is enough');
    assert.ok(edited.updatedAt > milk.updatedAt, 'max(now, old + 1)');
    assert.equal(edited.createdAt, milk.createdAt);
    assert.equal((await s.json(['done', bread.id])).done, true);
    assert.equal((await s.json(['undone', bread.id])).done, false);
    await s.cli(['done', passport.id]);
    assert.equal(itemWith(await s.export(), s.text('passport')).done, true);

    await s.cli(['mv', eggs.id, '--top']);
    assert.deepEqual((await shown()).lists[0], ['eggs', 'oat milk', 'bread'].map((word) => s.text(word)));
    await s.cli(['mv', eggs.id, '--after', milk.id]);
    assert.deepEqual((await shown()).lists[0], ['oat milk', 'eggs', 'bread'].map((word) => s.text(word)));
    await s.cli(['mv', bread.id, '--before', eggs.id]);
    assert.deepEqual((await shown()).lists[0], ['oat milk', 'bread', 'eggs'].map((word) => s.text(word)));
    await s.cli(['mv', milk.id, '--bottom']);
    assert.deepEqual((await shown()).lists[0], ['bread', 'eggs', 'oat milk'].map((word) => s.text(word)));
    const moved = await s.json(['mv', bread.id, '--slot', '6']);
    assert.equal(moved.id, bread.id);
    assert.deepEqual((await shown()).lists, [['eggs', 'oat milk'].map((word) => s.text(word)), [], [], [], [], [s.text('bread')]]);
    assert.equal((await s.export()).lists.flat().filter((item) => item.id === bread.id).length, 1, 'in one place only');

    const gone = await s.json(['rm', milk.id]);
    assert.equal(gone.deleted, true);
    assert.ok(gone.deletedAt > 0);
    assert.ok(itemsOf(await s.export()).some((item) => item.id === milk.id && item.deleted), 'a tombstone stays');
    assert.deepEqual((await shown()).lists[0], [s.text('eggs')]);
});

both('what is said without --json', async (s) => {
    const item = await s.add(s.text('milk'));
    for (const args of [['add', s.text('bread')], ['edit', item.id, s.text('oat milk')], ['done', item.id], ['undone', item.id], ['mv', item.id, '--bottom'], ['rm', item.id]]) {
        const { stdout, stderr } = await s.cli(args);
        assert.ok(stdout.trim().length > 0, `${args[0]} says what it did`);
        assert.equal(stderr, '');
        assert.ok(!stdout.includes('\u001b'), 'colours only on a terminal');
    }
});

both('several words make one text', async (s) => {
    s.planted.add(`rye bread ${s.marker}`);
    await s.cli(['add', 'rye', 'bread', s.marker]);
    assert.ok(itemWith(await s.export(), `rye bread ${s.marker}`));
    await s.run(['add', '--data', s.data, '--', '--slot', s.marker]);
    assert.ok(itemWith(await s.export(), `--slot ${s.marker}`), 'after -- nothing is an option');
});

both('pad', async (s) => {
    const content = s.text('line one\nline two\n');
    s.planted.add(content);
    await s.cli(['pad', '2', '--set', '-'], { input: content });
    assert.equal((await s.export()).scratchpad[1].content, content);
    assert.equal((await s.cli(['pad', '2'])).stdout, content);
    await s.cli(['pad', '1', '--set', s.text('short')]);
    assert.equal((await s.export()).scratchpad[0].content, s.text('short'));
    assert.equal((await s.export()).scratchpad[1].content, content);
    const before = (await s.export()).scratchpad[1].updatedAt;
    await s.cli(['pad', '2', '--set', s.text('again')]);
    assert.ok((await s.export()).scratchpad[1].updatedAt > before);
});

scenario('slots by label', async (s) => {
    await s.serve();
    const phone = await s.phone();
    phone.setLabel('lists', 2, s.text('Shopping'));
    phone.setLabel('scratchpad', 3, s.text('Ideas'));
    await s.confirmed(phone);
    await s.add(s.text('milk'), ['--slot', s.text('Shopping')]);
    assert.deepEqual(texts(await s.export()).lists[2], [s.text('milk')]);
    await s.cli(['pad', s.text('Ideas'), '--set', s.text('an idea')]);
    assert.equal((await s.export()).scratchpad[3].content, s.text('an idea'));
    const { status, stderr } = await s.cli(['add', '--slot', 'no such list', 'milk'], { expect: null });
    assert.ok(status >= 64 && status <= 78);
    assert.match(stderr, /no such list/);
});

both('list shows what a person wants to read, and locked texts only with --locked', async (s) => {
    await s.add(s.text('milk'));
    await s.add(s.text('passport'), ['--locked']);
    const done = await s.add(s.text('bread'));
    await s.cli(['done', done.id]);
    const gone = await s.add(s.text('gone'));
    await s.cli(['rm', gone.id]);
    for (const json of [[], ['--json']]) {
        const open = (await s.cli(['list', ...json])).stdout;
        assert.ok(open.includes(s.text('milk')) && open.includes(s.text('bread')));
        assert.ok(!open.includes(s.text('passport')));
        assert.ok(!open.includes(s.text('gone')), 'what was deleted is not shown');
        const locked = (await s.cli(['list', '--locked', ...json])).stdout;
        assert.ok(locked.includes(s.text('passport')));
        if (json.length) for (const text of [open, locked]) JSON.parse(text);
    }
});

both('no command shows a locked text unasked', async (s) => {
    const item = await s.add(s.text('passport'), ['--locked']);
    const other = await s.add(s.text('licence'), ['--locked']);
    for (const args of [['list'], ['status'], ['devices'], ['pending'], ['done', item.id], ['undone', item.id], ['mv', item.id, '--bottom'], ['rm', other.id]]) {
        const { stdout, stderr } = await s.cli(args);
        assert.ok(!(stdout + stderr).includes(s.marker), args.join(' '));
    }
});

both('pair', async (s) => {
    const { stdout } = await s.cli(['pair', '--json', '--name', 'kitchen', '--host', '192.0.2.7']);
    const pairing = JSON.parse(stdout);
    for (const [key, kind] of Object.entries({ ip: 'string', port: 'number', secret: 'string', v: 'number', device: 'string', name: 'string', k: 'string' }))
        assert.equal(typeof pairing[key], kind, key);
    assert.equal(pairing.ip, '192.0.2.7');
    assert.match(pairing.secret, UUID);
    assert.equal(pairing.v, 2);
    assert.equal(Buffer.from(pairing.k, 'base64url').length, 32);
    assert.doesNotMatch(pairing.k, /[+/=]/);
    assert.match(pairing.device, /^.{1,64}$/);
    const second = await s.pair();
    assert.notEqual(second.secret, pairing.secret);
    assert.notEqual(second.k, pairing.k);
    const shown = await s.cli(['pair', '--host', 'box.local']);
    const text = shown.stdout + shown.stderr;
    assert.match(text, /[█▀▄]/, 'a QR code');
    assert.match(text, /box\.local/);
    assert.match(text, /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-/, 'the secret as text');
    const devices = (await s.cli(['devices', '--json'])).stdout;
    assert.ok(devices.includes('kitchen') && devices.includes(pairing.device));
    for (const { secret, k } of [pairing, second]) assert.ok(!devices.includes(secret) && !devices.includes(k), 'secrets are shown only at pairing');
});

both('devices and revoke', async (s) => {
    const pairing = await s.pair(['--name', 'hall']);
    assert.match((await s.cli(['devices'])).stdout, /hall/);
    const { stdout } = await s.cli(['devices', 'revoke', pairing.device]);
    assert.match(stdout, /hall/);
    const again = await s.cli(['devices', 'revoke', 'no-such-device'], { expect: null });
    assert.notEqual(again.status, 0);
    assert.match(again.stderr, /no-such-device/);
});

scenario('devices: last sync, connected or not', async (s) => {
    await s.serve();
    const phone = await s.phone({ deviceId: 'Pixel 9' });
    await s.confirmed(phone, { stay: true });
    const find = async () => {
        const list = await s.json(['devices']);
        return (Array.isArray(list) ? list : list.devices).find((device) => device.id === phone.pairing.device);
    };
    let device = await find();
    assert.equal(device.connected, true);
    assert.ok(Math.abs(device.last_sync - Date.now()) < 60000);
    assert.match((await s.cli(['devices'])).stdout, /Pixel 9/);
    await phone.disconnect();
    await s.eventually('it is shown as gone', async () => (await find()).connected === false);
    device = await find();
    assert.ok(!JSON.stringify(device).includes(phone.secret));
});

both('status', async (s) => {
    await s.add(s.text('milk'));
    const { stdout } = await s.cli(['status']);
    assert.ok(stdout.trim().length > 0);
    assert.ok(stdout.includes(s.data), 'which folder');
    const status = await s.json(['status']);
    assert.equal(typeof status, 'object');
    assert.equal(Boolean(status.running), Boolean(s.server && !s.server.end));
    if (s.server) assert.equal(status.port, s.server.port);
});

both('import merges, or replaces', async (s) => {
    await s.add(s.text('milk'));
    const state = {
        lists: [[], [{ id: 'imported-1', text: s.text('imported'), done: false, position: 0, createdAt: 1, updatedAt: 1 }]],
        scratchpad: [{ content: s.text('imported pad'), updatedAt: 5 }],
    };
    fs.writeFileSync(s.file('state.json'), JSON.stringify(state));
    await s.cli(['import', s.file('state.json')]);
    let now = await s.export();
    assert.deepEqual(texts(now).lists.slice(0, 2), [[s.text('milk')], [s.text('imported')]]);
    assert.equal(now.scratchpad[0].content, s.text('imported pad'));
    await s.cli(['import', s.file('state.json')]);
    assert.deepEqual(await s.export(), now, 'a second time changes nothing');
    await s.cli(['import', '--replace', s.file('state.json')]);
    now = await s.export();
    assert.deepEqual(texts(now).lists.slice(0, 2), [[], [s.text('imported')]]);

    state.lists[1][0].position = 'first';
    fs.writeFileSync(s.file('bad.json'), JSON.stringify(state));
    const { status, stderr } = await s.cli(['import', s.file('bad.json')], { expect: null });
    assert.equal(status, 65);
    assert.match(stderr, /lists\[1\]\[0\]\.position/);
    assert.deepEqual(await s.export(), now);
    assert.equal((await s.cli(['import', s.file('nothing.json')], { expect: null })).status, 66);
});

/* [what the computer has first, the document, its output without and with --replace] */
const LABEL = (label, updatedAt) => [{ label, section: 'lists', updatedAt }];
const COUNTED = [
    ['a label where there is none', [], { listsCategories: LABEL('Home', 5) }, /imported: 0 added, 1 edited, 0 deleted/, /replaced: 0 added, 1 edited, 0 deleted/],
    ['a pad and a label', [], { listsCategories: LABEL('Home', 5), scratchpad: [{ content: 'text', updatedAt: 5 }] }, /0 added, 2 edited/, /0 added, 2 edited/],
    ['a newer pad', ['pad', '1', '--set', 'old'], { scratchpad: [{ content: 'text', updatedAt: 4e12 }] }, /0 added, 1 edited/, /0 added, 1 edited/],
    ['an older pad', ['pad', '1', '--set', 'new'], { scratchpad: [{ content: 'text', updatedAt: 4 }] }, /0 added, 0 edited/, /0 added, 1 edited/],
    ['an item and a pad', ['add', 'milk'], { lists: [[{ id: 'new', text: 'bread', done: false, position: 0, createdAt: 1, updatedAt: 1 }]], scratchpad: [{ content: 'text', updatedAt: 4 }] }, /1 added, 1 edited, 0 deleted/, /1 added, 1 edited, 1 deleted/],
    ['nothing new', [], {}, /0 added, 0 edited, 0 deleted, 0 restored/, /0 added, 0 edited, 0 deleted, 0 restored/],
];
scenario('what an import says that it did', async (s) => {
    for (const [what, first, given, merged, replaced] of COUNTED)
        for (const [how, said] of [[[], merged], [['--replace'], replaced]]) {
            fs.rmSync(s.data, { recursive: true, force: true });
            if (first.length) await s.cli(first);
            fs.writeFileSync(s.file('d.json'), JSON.stringify(given));
            assert.match((await s.cli(['import', ...how, s.file('d.json')])).stdout, said, `${what} ${how}`);
        }
});

both('an import that replaced everything is undone, and a past state exported', async (s) => {
    const milk = await s.add(s.text('milk'));
    await s.cli(['pad', '1', '--set', s.text('pad')]);
    const before = await s.export();
    const [{ id: line }] = await s.json(['history']);
    fs.writeFileSync(s.file('state.json'), JSON.stringify({ lists: [[]], scratchpad: [{ content: s.text('other'), updatedAt: 5 }] }));
    await s.cli(['import', '--replace', s.file('state.json')]);
    assert.deepEqual(texts(await s.export()).lists[0], []);
    assert.deepEqual(JSON.parse((await s.cli(['export', '--state', String(line)])).stdout), before);
    assert.deepEqual(JSON.parse((await s.cli(['export', '--state', `${line + 1}^`])).stdout), before);
    assert.match((await s.cli(['export', '--state', 'never'], { expect: null })).stderr, /never/);
    await s.cli(['restore', String(line)]);
    const after = await s.export();
    assert.deepEqual(texts(after).lists[0], [s.text('milk')]);
    assert.equal(itemsOf(after)[0].id, milk.id);
    assert.equal(after.scratchpad[0].content, s.text('pad'));
});

scenario('what an import may not be', async (s) => {
    await s.add(s.text('milk'));
    const before = await s.export();
    const refused = async (what, content, pattern, status = 65) => {
        fs.writeFileSync(s.file('bad'), content);
        const said = await s.cli(['import', s.file('bad')], { expect: status });
        assert.match(said.stderr, pattern, what);
        assert.deepEqual(await s.export(), before, what);
    };
    await refused('nothing', '', /is empty/);
    await refused('no JSON', 'milk', /bad: /);
    await refused('a NUL', '{"lists":[[\0]]}', /bad: /);
    await refused('half of one', '{"lists":[[{"id":"a"', /bad: /);
    await refused('deep', '['.repeat(200000), /bad: /);
    await refused('deep below an unknown key', `{"x":${'['.repeat(100000)}${']'.repeat(100000)}}`, /bad: /);
    await refused('65 slots', JSON.stringify({ lists: Array(65).fill([]) }), /lists/);
    await refused('a time that is none', '{"lists":[[{"id":"a","text":"","position":0,"updatedAt":1e300}]]}', /updatedAt/);
    await refused('no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /bad: /);
    fs.rmSync(s.file('bad'));
    fs.writeFileSync(s.file('bad'), '');
    fs.truncateSync(s.file('bad'), 2 ** 31);
    assert.match((await s.cli(['import', s.file('bad')], { expect: 65 })).stderr, /larger than 1 GiB/);
    fs.mkdirSync(s.file('stores'));
    execFileSync('mkfifo', [s.file('stores/jotbunker-lists.json')]);
    assert.match((await s.cli(['import', s.file('stores')], { expect: 65 })).stderr, /is no file/);
    assert.deepEqual(await s.export(), before);
});

both('import reads the app’s own folder', async (s) => {
    const folder = s.file('stores');
    fs.mkdirSync(folder);
    const item = (id, text) => ({ id, text, done: false, position: 0, createdAt: 1, updatedAt: 1 });
    const store = (state) => JSON.stringify({ state, version: 0 });
    fs.writeFileSync(path.join(folder, 'jotbunker-lists.json'), store({ lists: [[item('a1', s.text('of the app'))]], categories: [{ label: s.text('Shop'), section: 'lists', updatedAt: 1 }] }));
    fs.writeFileSync(path.join(folder, 'jotbunker-lockedLists.json'), store({ lockedLists: [[item('b1', s.text('locked of the app'))]] }));
    fs.writeFileSync(path.join(folder, 'jotbunker-scratchpad.json'), store({ scratchpad: [{ content: s.text('pad of the app'), updatedAt: 1 }] }));
    const { status, stderr } = await s.cli(['import', folder], { expect: null });
    // The files' inner shape is the app's own; what must hold is that a folder of that name is taken or refused with a reason.
    if (status !== 0) {
        assert.equal(status, 65, stderr);
        assert.match(stderr, /jotbunker-/);
    }
});

both('ids that name nothing, or more than one thing', async (s) => {
    await s.add(s.text('milk'));
    for (const args of [['edit', 'ffffffff-none', 'x'], ['done', 'ffffffff-none'], ['rm', 'ffffffff-none'], ['mv', 'ffffffff-none', '--top']]) {
        const { status, stderr } = await s.cli(args, { expect: null });
        assert.notEqual(status, 0);
        assert.match(stderr, /ffffffff-none/, args[0]);
    }
    // Sixteen hexadecimal digits, seventeen items: two share their first.
    for (let i = 0; i < 17; i++) await s.add(s.text(`item ${i}`));
    const first = itemsOf(await s.export()).map((item) => item.id[0]);
    const twice = first.find((digit, i) => first.indexOf(digit) !== i);
    const { status, stderr } = await s.cli(['rm', twice], { expect: null });
    assert.ok(status >= 64 && status <= 78, `${status}`);
    assert.ok(stderr.length > 0);
    assert.equal(itemsOf(await s.export()).filter((item) => item.deleted).length, 0);
});

both('done twice is a "no" that is no error', async (s) => {
    const { id } = await s.add(s.text('milk'));
    await s.cli(['done', id]);
    assert.equal((await s.cli(['done', id], { expect: null })).status, 1);
});

scenario('merge: the result and how it went', async (s) => {
    const item = (text, updatedAt, more = {}) => ({ id: 'i1', text, done: false, position: 0, createdAt: 1, updatedAt, ...more });
    const write = (name, state) => {
        fs.writeFileSync(s.file(name), typeof state === 'string' ? state : JSON.stringify(state));
        return s.file(name);
    };
    const ancestor = write('a.json', { lists: [[item('milk', 1)]] });
    const phone = write('p.json', { lists: [[item('oat milk', 5)]] });
    const computer = write('c.json', { lists: [[item('milk', 3, { done: true })]] });
    const merge = (args, expect) => s.run(['merge', ...args], { expect });
    let result = JSON.parse((await merge(['--ancestor', ancestor, '--phone', phone, '--computer', computer], 0)).stdout);
    assert.equal(result.status, 'merged');
    assert.deepEqual(result.snapshot.lists[0].map(({ text, done, updatedAt }) => ({ text, done, updatedAt })), [{ text: 'oat milk', done: true, updatedAt: 5 }]);

    const tie = write('tie.json', { lists: [[item('goat milk', 5)]] });
    result = JSON.parse((await merge(['--ancestor', ancestor, '--phone', phone, '--computer', tie], 1)).stdout);
    assert.equal(result.status, 'conflict');
    assert.deepEqual([result.ties.length, result.ties[0].phoneValue, result.ties[0].computerValue], [1, 'oat milk', 'goat milk']);
    const picks = write('picks.json', [{ section: 'lists', slot: 0, itemId: 'i1', field: 'text', pick: 'computer' }]);
    result = JSON.parse((await merge(['--ancestor', ancestor, '--phone', phone, '--computer', tie, '--picks', picks], 0)).stdout);
    assert.equal(result.snapshot.lists[0][0].text, 'goat milk');

    const empty = write('empty.json', { lists: [[]] });
    result = JSON.parse((await merge(['--ancestor', ancestor, '--phone', empty, '--computer', computer], 2)).stdout);
    assert.deepEqual([result.status, result.large_change], ['large_change', { known: 1, phoneMissing: 1, computerMissing: 0 }]);
    result = JSON.parse((await merge(['--ancestor', ancestor, '--phone', empty, '--computer', computer, '--large', 'both'], 0)).stdout);
    assert.equal(result.snapshot.lists[0].length, 1);

    const bad = write('bad.json', { lists: [[item('milk', 1, { position: 'x' })]] });
    assert.match((await merge(['--ancestor', ancestor, '--phone', phone, '--computer', bad], 65)).stderr, /computer: lists\[0\]\[0\]\.position: expected a finite number/);
    assert.match((await merge(['--phone', write('nojson.json', '{"lists":'), '--computer', bad], 65)).stderr, /phone/);
    await merge(['--phone', phone], 64);
    await merge(['--phone', phone, '--computer', computer, '--large', 'everything'], 64);
    assert.equal((await merge(['--phone', phone, '--computer', s.file('missing.json')], null)).status, 66);
});

scenario('usage', async (s) => {
    const commands = [...(await s.run(['--help'])).stdout.matchAll(/^    ([a-z]+)  /gm)].map((match) => match[1]);
    for (const command of ['serve', 'pair', 'history', 'backup', 'fsck', 'doctor', 'phone']) assert.ok(commands.includes(command), command);
    for (const command of commands) {
        const help = await s.run([command, '--help']);
        assert.match(help.stdout, new RegExp(`trivet ${command}`), command);
        const { status, stderr } = await s.run([command, '--no-such-option'], { expect: null });
        assert.equal(status, 64, command);
        assert.match(stderr, /no-such-option/, command);
    }
    for (const args of [[], ['frobnicate'], ['add'], ['edit'], ['edit', 'x'], ['done'], ['rm'], ['mv'], ['mv', 'x'], ['pad'], ['import'], ['add', '--slot'], ['add', '--slot', '0', 'x'], ['add', '--slot', '65', 'x'], ['devices', 'frobnicate']]) {
        const { status, stderr } = await s.cli(args, { expect: null });
        assert.ok(status >= 64 && status <= 78, `trivet ${args.join(' ')}: ${status}`);
        assert.ok(stderr.length > 0, `trivet ${args.join(' ')}`);
    }
    // The word that is wrong is named, wherever it stands, and not the one before it.
    for (const [args, word] of [[['restore', '-1h'], '-1h'], [['-vx', 'list'], '-vx'], [['list', '--locked', '-z'], '-z'], [['mv', 'x', '-top'], '-top'], [['list', '--locked=yes'], '--locked']])
        assert.match((await s.run([...args, '--data', s.data], { expect: 64 })).stderr, new RegExp(`^trivet: "?${word}\\b`), args.join(' '));
    const help = await s.run(['--help']);
    for (const command of commands) assert.ok(help.stdout.includes(command), command);
    assert.match((await s.run(['--version'])).stdout, /\d+\.\d+\.\d+/);
});

scenario('messages name what was typed and what would be right', async (s) => {
    const told = async (args, status) => (await s.cli(args, { expect: status })).stderr;
    assert.doesNotMatch(await told(['add', ' '], 65), /trivet rm/);
    assert.match(await told(['list', '--locked'], 0), /trivet add --locked/);
    for (const host of ['[fe80::1%eth0]', 'fe80::1%eth0', '[::1', '192.0.2.7:80', '']) {
        const message = await told(['pair', '--host', host], 64);
        assert.ok(message.includes(`"${host}"`), message);
    }
    assert.match(await told(['pair', '--host', 'fe80::1%eth0'], 64), /this computer only/);
    assert.match((await s.run(['--locked', 'list', '--data', s.data], { expect: 64 })).stderr, /options come after the command/);
});

scenario('standard streams that are closed', async (s) => {
    const closed = { wrap: ['/bin/sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh'] };
    await s.cli(['add', s.text('alone')], { ...closed, expect: 74 }); // done, but could not be said
    const server = await s.serve({ ...closed, ready: false });
    for (let status = null; status !== 0; ) status = (await s.cli(['sync'], { expect: null })).status === 69 ? null : 0;
    await s.cli(['add', s.text('served')], { ...closed, expect: 74 });
    await server.stop();
    assert.equal(server.end.status, 0);
    assert.deepEqual(texts(await s.export()).lists[0], [s.text('alone'), s.text('served')]);
});

scenario('the folder: mode 0700, files 0600, from $TRIVET_DATA or $XDG_DATA_HOME', async (s) => {
    await s.serve();
    await s.add(s.text('milk'));
    assert.equal(fs.statSync(s.data).mode & 0o777, 0o700);
    for (const name of fs.readdirSync(s.data)) {
        const { mode } = fs.statSync(path.join(s.data, name));
        assert.equal(mode & 0o077, 0, `${name} is ${(mode & 0o777).toString(8)}`);
    }
    assert.ok(itemWith(JSON.parse((await s.run(['export'], { env: { TRIVET_DATA: s.data } })).stdout), s.text('milk')));
    await s.run(['add', s.text('elsewhere')], { env: { XDG_DATA_HOME: s.file('xdg') } });
    assert.ok(fs.existsSync(s.file('xdg/trivet/trivet.db')));
});

scenario('secrets are kept as hashes', async (s) => {
    await s.serve();
    const phone = await s.phone();
    await s.confirmed(phone);
    await s.server.stop();
    for (const name of fs.readdirSync(s.data)) {
        const bytes = fs.readFileSync(path.join(s.data, name));
        assert.ok(!bytes.includes(phone.pairing.secret), `${name} holds the secret`);
        const k = Buffer.from(phone.pairing.k, 'base64url');
        assert.ok(!bytes.includes(k) && !bytes.includes(phone.pairing.k), `${name} holds k after the first success of version 1`);
    }
});

scenario('commands at the same time, with a server and without', async (s) => {
    for (const served of [false, true]) {
        if (served) await s.serve();
        const words = Array.from({ length: 12 }, (_, i) => s.text(`${served} ${i}`));
        await Promise.all(words.map((word) => s.add(word)));
        const shown = new Set(texts(await s.export()).lists[0]);
        for (const word of words) assert.ok(shown.has(word), word);
    }
});

scenario('a command that meets a stale control socket uses the store', async (s) => {
    await s.serve();
    await s.add(s.text('milk'));
    await s.kill9();
    assert.ok(fs.existsSync(path.join(s.data, 'control.sock')), 'left behind');
    await s.add(s.text('bread'));
    assert.deepEqual(texts(await s.export()).lists[0], [s.text('milk'), s.text('bread')]);
    const { status, stderr } = await s.cli(['sync'], { expect: null });
    assert.ok(status === 1 || (status >= 64 && status <= 78));
    assert.match(stderr, /serve/, 'says what to do');
    await s.serve();
    assert.equal(texts(await s.export()).lists[0].length, 2);
});

scenario('a data folder with a long path, spaces and umlauts', async (s) => {
    s.data = s.file(path.join('a folder with spaces', 'ü'.repeat(60), 'x'.repeat(80)));
    fs.mkdirSync(path.dirname(s.data), { recursive: true });
    await s.serve();
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone);
    await s.add(s.text('bread'));
    assert.deepEqual(texts(await s.export()).lists[0], [s.text('milk'), s.text('bread')]);
    assert.equal((await s.json(['status'])).running, true, 'it is the server that answered');
});

scenario('texts of all kinds from the command line', async (s) => {
    await s.serve();
    const phone = await s.phone();
    const words = ['ünïcödé ☕ 日本', '"quoted" \\ back', '  spaces  ', 'tab\tand\nnewline', "it's", '%s%n', '$(echo no)', '\u2028'];
    for (const word of words) await s.add(`${word}${s.marker}`);
    await s.confirmed(phone);
    for (const word of words) assert.ok(itemWith(phone.state(), `${word}${s.marker}`), word);
    await s.expectSame(phone);
    const invalid = Buffer.from([0xff, 0xfe]);
    const { status } = await s.run(['pad', '1', '--set', '-', '--data', s.data], { input: invalid, expect: null });
    assert.ok(status >= 64 && status <= 78, `bytes that are no UTF-8: ${status}`);
    // Nothing that a phone wrote may steer a terminal.
    phone.add('lists', 0, `\u001b]0;title\u0007${s.marker}`);
    await s.confirmed(phone);
    assert.ok(!(await s.cli(['list'])).stdout.includes('\u001b'));
});

/* [words, options that may stand between any two of them, and before and behind all] */
const ANYWHERE = [
    ['status'], ['list'], ['list --locked'], ['pending', '--json'], ['history', '--json'], ['export'], ['devices'], ['devices', '--json'],
    ['devices rename ID name'], ['devices rename ID name', '--json'], ['jots', '--json'], ['jots get --all --to OUT'], ['jots get --to OUT --all'], ['pad 1'], ['pad 1 --set text', '--json'],
    ['add --slot 2 some text', '--json'], ['edit ITEM other text'], ['done ITEM'], ['undone ITEM', '--json'], ['mv ITEM --slot 3'], ['fsck', '--json'], ['doctor'], ['diff STATE'],
];
scenario('options stand anywhere, also before the command and before its verb', async (s) => {
    const item = await s.add(s.text('milk'));
    await s.serve();
    const phone = await s.phone();
    await s.confirmed(phone);
    phone.cut();
    await s.server.stop();
    const [{ id }] = await s.json(['devices']);
    const [{ state }] = await s.json(['history']);
    for (const [typed, more] of ANYWHERE) {
        const words = typed.split(' ').map((word) => ({ ID: id, ITEM: item.id, OUT: s.file('out'), STATE: state })[word] ?? word);
        const plain = await s.run([...words, '--data', s.data, ...(more ? [more] : [])], { expect: null });
        assert.ok([0, 1].includes(plain.status), `${typed}: ${plain.stderr}`);
        for (let at = 0; at <= words.length; at++) {
            if (at > 0 && ['--to', '--set', '--slot'].includes(words[at - 1])) continue; // its value
            for (const data of [['--data', s.data], [`--data=${s.data}`]]) {
                const line = [...words.slice(0, at), ...data, ...(more ? [more] : []), ...words.slice(at)];
                assert.ok([0, 1].includes((await s.run(line, { expect: null })).status), line.join(' '));
            }
        }
    }
    for (const line of [['devices', '--', 'rename', id, 'x'], ['--data', s.data], ['--data', s.data, 'lst'], ['--data']]) assert.equal((await s.run(line, { expect: null })).status, 64, line.join(' '));
    // A phone in a folder.
    const dir = s.file('phone');
    await s.run(['phone', 'init', '--pairing', '-', '--state', dir], { input: JSON.stringify(await s.pair()) });
    for (const words of [['add', '--slot', '2', 'text'], ['list', '--json'], ['list', '--slot', '2'], ['export'], ['jot', 'add', '--text', 'text', 'N'], ['jot', 'list'], ['pad', '1', '--set', 'text']])
        for (let at = 0; at <= words.length; at++) {
            if (at > 0 && ['--slot', '--text', '--set'].includes(words[at - 1])) continue;
            const n = String(at + 1);
            await s.run(['phone', ...[...words.slice(0, at), '--state', dir, ...words.slice(at)].map((word) => (word === 'N' ? n : word))], { expect: words[0] === 'pad' && at > 0 ? 1 : 0 }); // 1: it says that already
        }
    await s.run(['phone', '--json', 'list', '--state', dir]);
    await s.run(['phone', '--state', dir, 'jot', '--text', 'text', 'add', '9']);
});
