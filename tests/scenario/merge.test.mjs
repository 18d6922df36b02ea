/* trivet merge on files: its options and messages, and how it runs and records cases. fixtures/merge says what merges. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { assert, scenario, TRIVET } from './harness.mjs';

const item = (id, text, updatedAt) => ({ id, text, position: 1, updatedAt });
const A = { lists: [[item('x', 'milk', 10)]] };
const P = { lists: [[item('x', 'oat milk', 20)]] };
const C = { lists: [[item('x', 'soy milk', 30)]] };

/* Writes files into a folder below the scenario's. */
function write(s, folder, files) {
    const whole = path.join(s.folder, folder);
    fs.mkdirSync(whole, { recursive: true });
    for (const [name, content] of Object.entries(files))
        fs.writeFileSync(path.join(whole, name), typeof content === 'string' ? content : JSON.stringify(content));
    return whole;
}

function states(s) {
    const folder = write(s, 'states', { 'a.json': A, 'p.json': P, 'c.json': C });
    return (name) => path.join(folder, name);
}

scenario('merge: a file from standard input, and the options', async (s) => {
    const file = states(s);
    const merge = (args, options) => s.run(['merge', '--ancestor', file('a.json'), ...args], options);
    const text = async (args, options) => JSON.parse((await merge(args, options)).stdout).snapshot.lists[0][0].text;
    assert.equal(await text(['--phone', '-', '--computer', file('c.json')], { input: JSON.stringify(P) }), 'soy milk');
    assert.equal(await text(['--phone', file('p.json'), '--computer', file('c.json'), '--clock-offset', '100']), 'oat milk');
    assert.equal(await text(['--phone', file('p.json'), '--computer', file('c.json'), '--text', 'whole']), 'soy milk');
    const five = Array.from({ length: 5 }, (_, i) => item(`i${i}`, 'milk', 1));
    const folder = write(s, 'large', { 'a.json': { lists: [five] }, 'p.json': { lists: [five.slice(2)] } });
    const large = ['--ancestor', path.join(folder, 'a.json'), '--phone', path.join(folder, 'p.json'), '--computer', path.join(folder, 'a.json')];
    await s.run(['merge', ...large], { expect: 0 });
    const { stdout, stderr } = await s.run(['merge', ...large, '--threshold', '0.4'], { expect: 2 });
    assert.deepEqual(JSON.parse(stdout).large_change, { known: 5, phoneMissing: 2, computerMissing: 0 });
    assert.match(stderr, /--large both/);
    assert.equal(JSON.parse((await s.run(['merge', ...large, '--threshold', '0.4', '--large', 'computer'])).stdout).snapshot.lists[0].length, 5);
});

scenario('merge: what is wrong is told, with what would be right', async (s) => {
    const file = states(s);
    const both = ['--phone', file('p.json'), '--computer', file('c.json')];
    const folder = write(s, 'wrong', {
        'shape.json': { lists: [[{ id: 'x', text: 'milk', position: 'first' }]] },
        'text.json': 'milk', 'one.json': '{}', 'pick.json': [{ section: 'lists', slot: 0, field: 'text', pick: 'neither' }],
        'none.json': [], 'section.json': [{ section: 'list', slot: 0, field: 'text', pick: 'phone' }],
    });
    const wrong = (name) => path.join(folder, name);
    const cases = [
        [['--phone', wrong('shape.json'), '--computer', file('c.json')], 65, /phone: lists\[0\]\[0\]\.position: expected a finite number.*shape\.json/],
        [['--phone', file('p.json'), '--computer', wrong('text.json')], 65, /computer: expected an object.*text\.json/],
        [['--phone', file('p.json'), '--computer', wrong('missing.json')], 66, /missing\.json: No such file/],
        [[...both, '--picks', wrong('one.json')], 65, /one\.json: expected an array/],
        [[...both, '--picks', wrong('text.json')], 65, /text\.json: line 1/],
        [[...both, '--picks', wrong('pick.json')], 65, /pick\.json: \[0\]: pick: expected "phone" or "computer"/],
        [[...both, '--picks', wrong('section.json')], 65, /section\.json: \[0\]: section: expected lists/],
        [[...both, '--ancestor', file('a.json'), '--picks', wrong('none.json')], 0, /^$/],
        [['--phone', file('p.json'), '--computer', file('p.json'), '--ancestor', wrong('text.json')], 65, /ancestor: expected an object/],
        [['--phone', '-', '--computer', '-'], 64, /only one file can be read from standard input/],
        [['--phone', file('p.json')], 64, /--computer is missing/],
        [[...both, 'more.json'], 64, /more\.json/],
        [[...both, '--large', 'all'], 64, /computer, phone or both/],
        [[...both, '--text', 'words'], 64, /lines or whole/],
        [[...both, '--threshold', '80'], 64, /from 0 to 1/],
        [[...both, '--clock-offset', 'soon'], 64, /--clock-offset/],
        [['--check'], 64, /which folders/],
        [['--check', '--record', 'r', folder], 64, /--check and --accept run cases/],
        [[...both, '--record', path.join(folder, 'one.json')], 73, /not recorded: .*one\.json: Not a directory/],
        [[...both, '--record', path.join(folder, 'no/where')], 73, /not recorded: .*where: No such file/],
        [['--check', '--report', folder], 64, /--check and --accept run cases/],
        [['--check', '-j', '0', folder], 64, /-j: expected a number from 1 to 64/],
        [['--check', '-j'], 64, /-j wants a value/],
        [[...both, '-j', '2'], 64, /-j is for --check/],
        [[...both, '--locked'], 64, /--locked is for --report/],
        [[...both, '--report', '--json'], 64, /exclude each other/],
        [['--check', path.join(folder, 'nowhere')], 66, /nowhere/],
        [['--check', folder], 66, /a case is a folder that holds/],
    ];
    for (const [args, expect, message] of cases) {
        const { stderr } = await s.run(['merge', ...args], { expect });
        assert.match(stderr.trim(), message, args.join(' '));
    }
});

scenario('merge: cases are run and recorded', async (s) => {
    const one = { 'ancestor.json': A, 'phone.json': P, 'computer.json': C, about: 'the newer one wins\n' };
    const root = write(s, 'cases', {});
    const folder = write(s, 'cases/b/newer', one);
    write(s, 'cases/a-refused', { 'phone.json': '[', 'computer.json': {} });
    const check = (more, expect) => s.run(['merge', ...more, root], { expect });
    let { stdout } = await check(['--check'], 1);
    assert.match(stdout, /^not ok 1 - .*a-refused$/m);
    assert.match(stdout, /^1\.\.2$/m);
    ({ stdout } = await check(['--accept'], 0));
    assert.match(stdout, /^# rewrote expected\.json\nok 2 - .*newer/m);
    ({ stdout } = await check(['--check'], 0));
    assert.match(stdout, /^ok 2 - .*newer: the newer one wins$/m);
    const expected = path.join(folder, 'expected.json');
    const accepted = fs.readFileSync(expected, 'utf8');
    assert.equal(JSON.parse(accepted).snapshot.lists[0][0].text, 'soy milk');
    assert.deepEqual(JSON.parse(fs.readFileSync(path.join(root, 'a-refused/expected.json'), 'utf8')),
        { error: { path: '', reason: 'expected an object', side: 'phone' } });
    /* white space is nothing; a byte more is a difference, which is shown */
    fs.writeFileSync(expected, JSON.stringify(JSON.parse(accepted)));
    await check(['--check'], 0);
    fs.writeFileSync(expected, accepted.replace('soy milk', 'oat milk'));
    ({ stdout } = await check(['--check'], 1));
    assert.match(stdout, /^#   snapshot\.lists\[0\]\[0\]\.text\n#     expected "oat milk"\n#     got {6}"soy milk"\nnot ok 2/m);
    assert.match(stdout, /^not ok 2/m);
    write(s, 'cases/b/newer', { 'options.json': { clockOffset: 100 } });
    await check(['--check'], 1);
    await check(['--accept'], 0);
    assert.equal(JSON.parse(fs.readFileSync(expected, 'utf8')).snapshot.lists[0][0].updatedAt, 120);
    write(s, 'cases/b/newer', { 'options.json': { clock: 100 } });
    ({ stdout } = await check(['--check'], 1));
    assert.match(stdout, /# options\.json: the options are/);
});

scenario('merge: a difference is told by its place', async (s) => {
    const root = write(s, 'cases', {});
    const lists = [[item('a', 'milk', 1), item('b', 'bread', 1), item('c', 'eggs', 1)]];
    const folder = write(s, 'cases/one', { 'phone.json': { lists }, 'computer.json': { lists: [[]] }, about: 'all new' });
    await s.run(['merge', '--accept', root]);
    const expected = path.join(folder, 'expected.json');
    const accepted = JSON.parse(fs.readFileSync(expected, 'utf8'));
    const told = async (change) => {
        const wrong = structuredClone(accepted);
        change(wrong);
        fs.writeFileSync(expected, typeof wrong.text === 'string' ? wrong.text : JSON.stringify(wrong));
        return (await s.run(['merge', '--check', root], { expect: 1 })).stdout;
    };
    /* one element less: the others are paired up all the same */
    assert.match(await told((w) => w.snapshot.lists[0].splice(1, 1)),
        /^1\.\.1\n#   snapshot\.lists\[0\]\[1\]\n#     expected nothing\n#     got {6}\{.*"bread".*\}\nnot ok 1 - /);
    assert.match(await told((w) => w.snapshot.lists[0].push(7)), /^#   snapshot\.lists\[0\]\[3\]\n#     expected 7\n#     got {6}nothing$/m);
    assert.match(await told((w) => { w.snapshot.lists[0][0]['a key'] = true; }),
        /^#   snapshot\.lists\[0\]\[0\]\["a key"\]\n#     expected true\n#     got {6}nothing$/m);
    assert.match(await told((w) => { delete w.summary; }), /^#   summary\n#     expected nothing\n#     got {6}\{"changes":/m);
    assert.match(await told((w) => { w.status = 'x'.repeat(1000); }), /^#     expected "x{239}\.\.\. \(1002 bytes\)$/m);
    assert.match(await told((w) => { w.summary.changes = w.summary.changes.map(() => 0); }), /^#   summary\.changes\[2\]$/m);
    assert.match(await told((w) => { for (let i = 0; i < 30; i++) w[`k${i}`] = i; }), /^#   \.\.\. and 10 places more$/m);
    assert.match(await told((w) => { w.status = '\u202egnp'; }), /^#     expected "\\u202egnp"$/m);
    /* what is no JSON, or only in another order, is a difference as a whole */
    for (const text of ['', '{', '"', '[[[[', '{"a"', ']]', '{"status":"merged"', '\\', '{,,}'])
        assert.match(await told((w) => { w.text = text; }), /^#     got/m);
    assert.match(await told((w) => { w.text = JSON.stringify({ ties: [], ...accepted, snapshot: accepted.snapshot }); }), /^#   the whole$/m);
});

scenario('merge: cases run side by side, and are told in order', async (s) => {
    const root = write(s, 'cases', {});
    for (let i = 0; i < 60; i++)
        write(s, `cases/${i % 7}/case-${i}`, { 'phone.json': { lists: [[item(`i${i}`, 'milk', 1)]] }, 'computer.json': {} });
    write(s, 'cases/.part', { 'phone.json': '', 'computer.json': {} });
    await s.run(['merge', '--accept', root]);
    fs.rmSync(path.join(root, '3/case-3/expected.json'));
    const runs = [];
    for (const jobs of [['-j', '1'], ['-j4'], []])
        runs.push((await s.run(['merge', '--check', ...jobs, `${root}/`], { expect: 1 })).stdout);
    assert.equal(runs[1], runs[0]);
    assert.equal(runs[2], runs[0]);
    assert.equal(runs[0].match(/^ok /mg).length, 59);
    assert.match(runs[0], /^# expected\.json: No such file or directory\nnot ok \d+ - .*3\/case-3$/m);
    const names = [...runs[0].matchAll(/^(?:not )?ok (\d+) - (.*)$/mg)];
    assert.deepEqual(names.map((m) => Number(m[1])), Array.from({ length: 60 }, (_, i) => i + 1));
    assert.deepEqual(names.map((m) => m[2]), names.map((m) => m[2]).sort());
});

scenario('merge: the report says who gains what', async (s) => {
    const esc = String.fromCharCode(27);
    const file = (name) => path.join(s.folder, 'report', name);
    write(s, 'report', {
        'a.json': {
            lists: [[item('x', 'milk', 10), { ...item('y', 'bread', 10), done: false }, item('z', 'eggs', 10)], []],
            scratchpad: [{ content: 'a\nb\nc', updatedAt: 3 }], listsCategories: [{ label: 'Food', updatedAt: 1 }],
            lockedLists: [[item('l', 'safe', 10)]],
        },
        'p.json': {
            lists: [[item('x', 'oat milk', 20), { ...item('y', 'bread', 20), done: true }, item('n', `${esc}[31mred\nline`, 20)], []],
            scratchpad: [{ content: 'a\nB\nc', updatedAt: 30 }], listsCategories: [{ label: 'Food', updatedAt: 1 }],
            lockedLists: [[item('l', 'secret', 20)]],
        },
        'c.json': {
            lists: [[item('x', 'soy milk', 20), item('z', 'eggs', 10)], [{ ...item('y', 'rye bread', 10), done: false }]],
            scratchpad: [{ content: 'a\nb\nc', updatedAt: 3 }], listsCategories: [{ label: 'Fresh', updatedAt: 2 }],
            lockedLists: [[item('l', 'hidden', 30)]],
        },
    });
    const three = ['--ancestor', file('a.json'), '--phone', file('p.json'), '--computer', file('c.json')];
    const { stdout, stderr } = await s.run(['merge', ...three, '--report'], { expect: 1 });
    assert.equal(stdout, `The phone gains: 3 changes
  edited    rye bread  (list 2)
      text: bread -> rye bread
      from list 1 to list 2
  edited    (locked)  (locked list 1)
      text: (locked) -> (locked)  (edited on both sides)
  edited    the label of list 1
      label: Food -> Fresh
The computer gains: 5 changes
  added     \\x1b[31mred\\nline  (list 1 Fresh)
  edited    oat milk  (list 1 Fresh)
      text: soy milk -> oat milk  (edited on both sides)
  removed   eggs  (list 1 Fresh)
  edited    rye bread  (list 2)
      done: no -> yes
  edited    scratchpad 1
      content
      - b
      + B
Combined: 1 edit of both sides
  rye bread  (list 2)
      from the phone: done
      from the computer: text, the place
1 edited on both sides: the more recent edit stands
Asked: 1 tie
  1. oat milk  (list 1 Fresh): text
      phone     "oat milk"
      computer  "soy milk"
`);
    assert.match(stderr, /^1 tie is left/);
    const shown = await s.run(['merge', ...three, '--report', '--locked'], { expect: 1 });
    assert.match(shown.stdout, /hidden {2}\(locked list 1\)\n {6}text: secret -> hidden/);
    const same = ['--phone', file('p.json'), '--computer', file('p.json'), '--report'];
    assert.equal((await s.run(['merge', ...same])).stdout, 'Nothing changes on either side.\n');
    write(s, 'report', { 'empty.json': { lists: [[]], lockedLists: [[]] } });
    const wiped = ['--ancestor', file('a.json'), '--phone', file('empty.json'), '--computer', file('a.json'), '--report'];
    assert.equal((await s.run(['merge', ...wiped], { expect: 2 })).stdout,
        'Asked: a large change\n  of 4 items that both had, the phone lacks 4 and the computer 0\n');
});

scenario('merge: the report has colours on a terminal that wants them', async (s) => {
    const file = states(s);
    const command = `${TRIVET} merge --phone ${file('p.json')} --computer ${file('a.json')} --report`;
    const onTerminal = (env) => spawnSync('script', ['-qec', command, '/dev/null'], { env: { ...s.env, ...env }, encoding: 'utf8' }).stdout;
    const coloured = new RegExp(`${String.fromCharCode(27)}\\[1mThe (phone|computer) gains`);
    assert.match(onTerminal({ TERM: 'xterm', NO_COLOR: '' }), coloured);
    assert.doesNotMatch(onTerminal({ TERM: 'xterm', NO_COLOR: '1' }), coloured);
});

scenario('merge: what is recorded runs as a case and shows nothing', async (s) => {
    const secret = (state) => JSON.parse(JSON.stringify(state).replaceAll('milk', s.marker));
    write(s, 'states', { 'a.json': secret(A), 'p.json': secret(P), 'c.json': secret({ ...C, [s.marker]: { [s.marker]: s.marker } }) });
    const file = (name) => path.join(s.folder, 'states', name);
    const rec = path.join(s.folder, 'rec');
    const three = ['--ancestor', file('a.json'), '--phone', file('p.json'), '--computer', file('c.json')];
    const plain = await s.run(['merge', ...three]);
    const { stdout, stderr } = await s.run(['merge', ...three, '--record', rec]);
    assert.equal(stdout, plain.stdout, 'the result is what it is without');
    assert.match(stderr, /^recorded as .*rec\/merge-000001; /);
    assert.doesNotMatch(stderr, /result is not that/);
    await s.run(['merge', ...three, '--clock-offset', '100', '--report', '--record', rec]);
    assert.deepEqual(fs.readdirSync(rec).sort(), ['merge-000001', 'merge-000002']);
    const checked = await s.run(['merge', '--check', rec]);
    assert.match(checked.stdout, /^1\.\.2\nok 1 .*recorded, with stand-ins for all texts: merged, 1 edited on both sides$/m);
    for (const folder of fs.readdirSync(rec))
        for (const name of fs.readdirSync(path.join(rec, folder)))
            assert.ok(!fs.readFileSync(path.join(rec, folder, name), 'utf8').includes(s.marker.slice(2, 8)), name);
    /* what cannot be merged is not recorded */
    await s.run(['merge', '--phone', file('p.json'), '--computer', '-', '--record', rec], { input: '[', expect: 65 });
    assert.equal(fs.readdirSync(rec).length, 2);
});
