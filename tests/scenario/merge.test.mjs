/* trivet merge on files: its options and messages, and how it runs and records cases. fixtures/merge says what merges. */
import fs from 'node:fs';
import path from 'node:path';
import { assert, scenario } from './harness.mjs';

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
    assert.match(stdout, /# rewrote .*newer\/expected\.json/);
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
    assert.match(stdout, /^# +- .*oat milk/m);
    assert.match(stdout, /^# +\+ .*soy milk/m);
    assert.match(stdout, /^not ok 2/m);
    write(s, 'cases/b/newer', { 'options.json': { clockOffset: 100 } });
    await check(['--check'], 1);
    await check(['--accept'], 0);
    assert.equal(JSON.parse(fs.readFileSync(expected, 'utf8')).snapshot.lists[0][0].updatedAt, 120);
    write(s, 'cases/b/newer', { 'options.json': { clock: 100 } });
    ({ stdout } = await check(['--check'], 1));
    assert.match(stdout, /# options\.json: the options are/);
});
