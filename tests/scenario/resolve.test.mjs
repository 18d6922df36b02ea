/* `trivet resolve` on a terminal: a real pseudo-terminal, by util-linux's script(1). */
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { TRIVET, assert, itemsOf, itemWith, scenario, texts } from './harness.mjs';

/* `count` items that tie: one edit on each side at one and the same time. */
async function tied(s, { words = ['ash'], section = 'lists', env = {} } = {}) {
    await s.serve({ env, args: ['--config', '/dev/null'] });
    const phone = await s.phone({ deviceId: 'Pixel 9' });
    const ids = {};
    for (const word of ['ash', 'birch', 'cedar']) ids[word] = phone.add(section, 0, s.text(word)).id;
    await s.confirmed(phone);
    await s.confirmed(phone);
    for (const word of words) {
        const there = await s.edit(ids[word], s.text(`${word}, computer`));
        phone.edit(ids[word], s.text(`${word}, phone`), there.updatedAt);
    }
    return { phone, ids };
}

/* The program on a terminal of this size. What it draws is kept as it came; screen() is what stands there. */
class Terminal {
    constructor(s, args, { columns = 80, rows = 24, first = '', env = {} } = {}) {
        this.raw = '';
        const command = `trap : INT; stty cols ${columns} rows ${rows}; stty -a > '${s.file('before')}'; tty > '${s.file('tty')}'; ${first} '${TRIVET}' ${args.join(' ')} --data '${s.data}'; echo "status $?"; stty -a > '${s.file('after')}'`;
        this.child = spawn('script', ['-qefc', command, '/dev/null'], { env: { ...s.env, TERM: 'xterm', SHELL: '/bin/sh', ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
        this.child.stdout.setEncoding('utf8').on('data', (text) => (this.raw += text));
        this.done = new Promise((resolve) => this.child.on('close', resolve));
        s.later(() => this.child.kill('SIGKILL'));
        this.s = s;
    }

    /* The last frame, sequences taken out. */
    screen() {
        return this.raw.split('\x1b[H').at(-1).replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '');
    }

    async shows(pattern) {
        await this.s.eventually(`the screen shows ${pattern}\n${this.screen()}`, () => pattern.test(this.screen()));
    }

    type(keys) {
        this.child.stdin.write(keys);
    }

    async ends(status) {
        await this.s.eventually(`it ends\n${this.screen()}`, () => /status \d+/.test(this.raw));
        this.child.stdin.end();
        await this.done;
        assert.match(this.raw, new RegExp(`status ${status}\\b`), this.raw);
        assert.ok(this.raw.includes('\x1b[?1049l') && this.raw.includes('\x1b[?25h'), 'the screen and the cursor are back');
        assert.equal(fs.readFileSync(this.s.file('after'), 'utf8'), fs.readFileSync(this.s.file('before'), 'utf8'), 'the terminal is as it was');
        return this.raw.slice(this.raw.lastIndexOf('\x1b[?1049l'));
    }
}

scenario('ties: both values, when they were written, a pick for each, undone, confirmed', async (s) => {
    const { phone } = await tied(s, { words: ['ash', 'birch', 'cedar'] });
    const sync = phone.sync();
    const question = await s.question();
    const t = new Terminal(s, ['resolve']);
    await t.shows(/3 ties[^]*Phone \(Pixel 9\) and computer \(/);
    await t.shows(/both written today \d\d:\d\d/);
    await t.shows(/ash, phone[^]*ash, computer/);
    const left = Number(t.screen().match(/(\d+) s left/)[1]);
    await s.eventually('it counts down', () => Number(t.screen().match(/(\d+) s left/)?.[1]) < left);
    t.type('C');
    await t.shows(/\[x\] computer:[^]*\[x\] computer:[^]*\[x\] computer:/);
    t.type('u');
    await s.eventually('all is undone', () => !t.screen().includes('[x]'));
    t.type('p');
    await t.shows(/> 2\./);
    t.type('\r');
    await t.shows(/Some are not picked yet/);
    t.type('c');
    await t.shows(/> 3\./);
    t.type('\x1b[A\x1b[B');
    t.type('p');
    await s.eventually('three are picked', () => t.screen().split('[x]').length === 4);
    t.type('\r');
    assert.match(await t.ends(0), /answered, the sync goes on/);
    assert.equal((await sync).kind, 'confirmed');
    const computer = await s.expectSame(phone);
    const winners = question.ties.map((tie, i) => (i === 1 ? tie.computerValue : tie.phoneValue));
    for (const text of winners) assert.ok(itemWith(computer, text));
});

for (const [name, keys, status] of [['Enter with nothing picked', '\r', 1], ['q', 'q', 1]])
    scenario(`${name} gives the sync up`, async (s) => {
        const { phone } = await tied(s);
        const before = (await s.cli(['export'])).stdout;
        const sync = phone.sync();
        await s.question();
        const t = new Terminal(s, ['resolve'], { env: { NO_COLOR: '1' } });
        await t.shows(/1 tie/);
        assert.doesNotMatch(t.raw.replaceAll('\x1b[0m\x1b[K', ''), /\x1b\[[0-9;]*m/, 'no colours');
        t.type(keys);
        assert.match(await t.ends(status), /cancelled, nothing changed/);
        assert.equal((await sync).kind, 'cancelled');
        assert.equal((await s.cli(['export'])).stdout, before);
    });

scenario('^C leaves the question open; SIGTERM too; the terminal is given back', async (s) => {
    const { phone } = await tied(s);
    const sync = phone.sync();
    await s.question();
    const t = new Terminal(s, ['resolve']);
    await t.shows(/1 tie/);
    t.type('\x03');
    await t.ends(130);
    const two = new Terminal(s, ['resolve']);
    await two.shows(/1 tie/);
    const pid = fs.readdirSync('/proc').find((p) => /^\d+$/.test(p) && readText(`/proc/${p}/cmdline`).startsWith(`${TRIVET}\0resolve`) && readText(`/proc/${p}/cmdline`).includes(s.data));
    process.kill(Number(pid), 'SIGTERM');
    await two.ends(143);
    assert.equal((await s.pending()).length, 1);
    await s.cli(['resolve', '--pick', 'phone']);
    assert.equal((await sync).kind, 'confirmed');
});

function readText(file) {
    try {
        return fs.readFileSync(file, 'utf8');
    } catch {
        return '';
    }
}

scenario('answered elsewhere meanwhile: said at once', async (s) => {
    const { phone } = await tied(s);
    const sync = phone.sync();
    await s.question();
    const t = new Terminal(s, ['resolve']);
    await t.shows(/1 tie/);
    await s.cli(['resolve', '--pick', 'phone']);
    assert.match(await t.ends(1), /not open any more/);
    assert.equal((await sync).kind, 'confirmed');
});

scenario('a narrow window, long, wide, many-lined and hostile values', async (s) => {
    const { phone, ids } = await tied(s, { words: [] });
    const there = await s.edit(ids.ash, '漢字'.repeat(200));
    phone.edit(ids.ash, `one\ntwo \x1b[2J\x07 ${'long '.repeat(100)}`, there.updatedAt);
    const sync = phone.sync();
    await s.question();
    const t = new Terminal(s, ['resolve'], { columns: 30, rows: 12 });
    await t.shows(/漢字/);
    assert.ok(t.screen().includes('one\\ntwo \\x'), t.screen());
    assert.ok(!t.raw.includes('\x1b[2J') && !t.raw.includes('\x07'));
    for (const line of t.screen().split('\r\n')) {
        const width = [...line.replace(/[\r\n]/g, '')].reduce((sum, c) => sum + (c >= '\u1100' ? (c === '…' ? 1 : 2) : 1), 0);
        assert.ok(width <= 30, `${width}: ${line}`);
    }
    await t.shows(/q give the sync up/);
    t.type('q');
    await t.ends(1);
    await sync;
});

scenario('a window that changes its size is drawn anew; keys that mean nothing answer nothing', async (s) => {
    const { phone } = await tied(s, { words: ['ash', 'birch', 'cedar'] });
    const sync = phone.sync();
    await s.question();
    const t = new Terminal(s, ['resolve']);
    await t.shows(/3\. [^]*q give the sync up/);
    const resize = (columns, rows) => execFileSync('stty', ['-F', fs.readFileSync(s.file('tty'), 'utf8').trim(), 'cols', String(columns), 'rows', String(rows)]);
    resize(40, 13);
    await t.shows(/2 more below[^]*q give the sync up/);
    for (const line of t.screen().split('\r\n')) assert.ok(line.trimEnd().length <= 40, line);
    t.type('\x1b[B');
    await t.shows(/> 2\./);
    resize(80, 24);
    await t.shows(/1\. [^]*> 2\. [^]*3\. /);
    t.type('\x1b[5~\x1bOP\x1bx\x1b[1;5Cz0 \t\x1b[A');
    await t.shows(/> 1\./);
    assert.ok(!t.screen().includes('[x]'), t.screen());
    t.type('q');
    await t.ends(1);
    assert.equal((await sync).kind, 'cancelled');
});

scenario('what was typed before the question stood there is no answer', async (s) => {
    const { phone } = await tied(s);
    const sync = phone.sync();
    await s.question();
    const t = new Terminal(s, ['resolve'], { first: 'sleep 0.3;' });
    await s.eventually('the terminal is there', () => readText(s.file('before')) !== '');
    t.type('p\r\r');
    await t.shows(/1 tie/);
    await t.shows(/\[ \] phone/);
    t.type('c\r');
    await t.ends(0);
    assert.equal((await sync).kind, 'confirmed');
    assert.ok(itemWith(await s.expectSame(phone), s.text('ash, computer')));
});

scenario('locked values are shown with --locked alone', async (s) => {
    const { phone } = await tied(s, { section: 'lockedLists' });
    const sync = phone.sync();
    await s.question();
    const t = new Terminal(s, ['resolve']);
    await t.shows(/locked: --locked shows it/);
    assert.ok(!t.raw.includes(s.marker));
    t.type('\x03');
    await t.ends(130);
    const open = new Terminal(s, ['resolve', '--locked']);
    await open.shows(/ash, phone/);
    open.type('p\r');
    await open.ends(0);
    assert.equal((await sync).kind, 'confirmed');
});

for (const [key, survives] of [['b', true], ['c', false], ['', null]])
    scenario(`a large change: ${key || 'nothing chosen'}`, async (s) => {
        const { phone } = await tied(s, { words: [] });
        fs.writeFileSync(s.file('empty.json'), JSON.stringify({ lists: [[], [], [], [], [], []], lockedLists: [] }));
        await s.cli(['import', '--replace', s.file('empty.json')]);
        const sync = phone.sync();
        const [question] = [await s.question()];
        assert.deepEqual(question.examples.map((e) => [e.missing, e.section, e.slot]), Array(3).fill(['computer', 'lists', 0]));
        assert.match((await s.cli(['pending'])).stdout, /Gone from the computer:\n +list 1: ash/);
        const t = new Terminal(s, ['resolve', String(question.id)]);
        await t.shows(/Gone from the computer: 3[^]*list 1: ash[^]*\[x\] x  cancel/);
        t.type(key);
        if (key) await t.shows(new RegExp(`\\[x\\] ${key} `));
        t.type('\r');
        await t.ends(key ? 0 : 1);
        assert.equal((await sync).kind, key ? 'confirmed' : 'cancelled');
        if (key) assert.equal(itemsOf(await s.expectSame(phone)).filter((item) => !item.deleted).length, survives ? 3 : 0);
        else assert.deepEqual(texts(await s.export()).lists.flat(), []);
    });
