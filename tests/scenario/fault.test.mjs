/*
 * What breaks: the process at any moment, the disk, the database, the port. Each has its own message and a sysexits status;
 * nothing is lost, nothing comes back (protocol §4).
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { TRIVET, assert, essence, itemWith, itemsOf, scenario, seeded, sleep, texts, works } from './harness.mjs';
import { Ledger } from './ledger.mjs';

const SEED = Number(process.env.TRIVET_SEED ?? 20240607); // names a run of what is random here
const ROOT_USER = process.getuid() === 0;

/* An error that a user can act on: its status, something on stderr, and no crash. */
async function refuses(s, server, pattern) {
    server.expected = null;
    const timer = setTimeout(() => server.child.kill('SIGKILL'), 15000);
    const end = await server.done;
    clearTimeout(timer);
    assert.equal(end.signal, null, server.stderr);
    assert.ok(end.status >= 64 && end.status <= 78, `exit status ${end.status}\n${server.stderr}`);
    assert.match(server.stderr, pattern);
    return end;
}

/* ---- signals ---- */

/* A request on the control socket, by hand; resolves when the answer begins, of which no more is read then. */
function startToRead(s, request) {
    const socket = net.connect(path.join(s.data, 'control.sock')).on('error', () => {});
    s.later(() => socket.destroy());
    socket.write(`${JSON.stringify(request)}\n`);
    return new Promise((resolve) => socket.once('data', () => resolve(socket.pause())));
}

scenario('SIGTERM does not wait for a command that does not read its answer', async (s) => {
    await s.serve();
    const phone = await s.phone();
    for (let i = 0; i < 20; i++) phone.add('lists', 0, 'x'.repeat(300000));
    phone.texts = [];
    await s.confirmed(phone);
    await startToRead(s, { do: 'state' });
    assert.equal((await s.server.stop('SIGTERM', 8000)).status, 0);
});

scenario('a second signal: at once, and as clean', async (s) => {
    await s.serve();
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone, { stay: true });
    const before = (await s.cli(['export'])).stdout;
    phone.socket._socket.pause(); // it does not answer the closing handshake
    s.server.child.kill('SIGTERM');
    await s.server.says(/stopping \(SIGTERM\)/);
    const end = await s.server.stop('SIGINT', 5000);
    assert.deepEqual([end.status, end.signal], [0, null]);
    assert.match(s.server.stderr, /stopping at once \(SIGINT\)/);
    assert.ok(!fs.existsSync(path.join(s.data, 'control.sock')), 'the control socket is gone');
    phone.cut();
    assert.equal((await s.cli(['export'])).stdout, before);
});

for (const signal of ['SIGTERM', 'SIGINT'])
    scenario(`${signal}: 1001 to phones, exit 0, nothing half-written`, async (s) => {
        await s.serve();
        const idle = await s.phone({ deviceId: 'idle' });
        idle.add('lists', 0, s.text('milk'));
        await s.confirmed(idle, { stay: true });
        const busy = await s.phone({ deviceId: 'busy' });
        busy.hooks.answer = () => null; // in the middle of a sync
        busy.add('lists', 0, s.text('never sent'));
        await busy.connect();
        await busy.wait(['state']);
        const half = net.connect(s.server.port, '127.0.0.1').on('error', () => {});
        const before = (await s.cli(['export'])).stdout;
        const end = await s.server.stop(signal, 5000);
        assert.deepEqual([end.status, end.signal], [0, null]);
        for (const phone of [idle, busy]) assert.equal((await phone.wait(['closed'])).code, 1001);
        half.destroy();
        assert.ok(!fs.existsSync(path.join(s.data, 'control.sock')), 'the control socket is gone');
        assert.equal((await s.cli(['export'])).stdout, before);
        await s.serve();
        busy.hooks = {};
        await s.confirmed(busy);
        await s.confirmed(idle);
        await s.expectSame(idle);
    });

/* The server on a terminal of its own, which `script` keeps. */
scenario('a terminal that is closed ends the server, as clean; SIGHUP on one that is open re-reads the settings', async (s) => {
    const terminal = spawn('script', ['-qfec', `exec ${TRIVET} serve --port 0 --no-mdns --data ${s.data}`, s.file('typescript')], { env: s.env, stdio: ['pipe', 'ignore', 'ignore'] });
    s.later(() => terminal.kill('SIGKILL'));
    const shown = () => (fs.existsSync(s.file('typescript')) ? fs.readFileSync(s.file('typescript'), 'utf8') : '');
    await s.eventually('it listens', () => /listening on/.test(shown()));
    const pid = Number(fs.readFileSync(path.join(s.data, 'lock'), 'utf8'));
    s.later(() => {
        try {
            process.kill(pid, 'SIGKILL');
        } catch {
            // it is gone, as it should
        }
    });
    await s.add(s.text('milk'));
    process.kill(pid, 'SIGHUP');
    await s.eventually('it has read them', () => /reloaded/.test(shown()));
    await s.add(s.text('bread'));
    terminal.kill('SIGKILL');
    await s.eventually('it has ended', () => !fs.existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8')));
    assert.ok(!fs.existsSync(path.join(s.data, 'control.sock')), 'the control socket is gone');
    assert.deepEqual(texts(await s.export()).lists[0], ['milk', 'bread'].map((word) => s.text(word)));
}, { skip: works(['script', '-qec', 'true', '/dev/null']) ? null : 'no script(1) here' });

const KILLS = Number(process.env.TRIVET_KILLS ?? 30); // more of them in `make check-all`

scenario(`killed with SIGKILL at ${KILLS} moments of syncs: nothing lost, nothing revived`, async (s, t) => {
    const random = seeded(SEED);
    await s.serve();
    const phone = await s.phone();
    const ledger = new Ledger(s, phone, random);
    await s.confirmed(phone);
    let cut = 0;
    let committed = 0;
    for (let round = 0; round < KILLS; round++) {
        const text = ledger.editPhone(round);
        await ledger.editComputer(round);

        // A third at any time, two thirds close after an answer: that is where the computer merges, commits and confirms.
        const answers = Math.floor(random() * 3);
        const delay = answers === 0 ? random() * random() * 40 : random() * 9;
        const answered = new Promise((resolve) => (phone.hooks.afterAnswer = (nth) => void (nth === answers && resolve())));
        const sync = phone.sync();
        if (answers > 0) await Promise.race([answered, sync]);
        const started = performance.now();
        while (performance.now() - started < delay) await new Promise((resolve) => setImmediate(resolve));
        await s.kill9();
        const end = await sync;
        phone.hooks = {};
        if (end.kind === 'confirmed') await phone.wait(['closed']);
        else cut++;
        await s.serve();
        if (end.kind !== 'confirmed' && itemWith(await s.export(), text)) committed++;
    }
    t.diagnostic(`${cut} of ${KILLS} syncs were cut before their confirm, ${committed} of these after their commit`);
    assert.ok(cut >= KILLS / 6, `only ${cut} were cut`);
    for (let i = 0; i < 2; i++) await s.confirmed(phone);
    assert.deepEqual(await s.pending(), []);
    ledger.check(await s.expectSame(phone));
}, { timeout: 120000 + KILLS * 4000 });

scenario('killed while commands edit: what was acknowledged is there', async (s) => {
    const random = seeded(SEED + 1);
    await s.serve();
    const kept = [];
    for (let round = 0; round < 8; round++) {
        const adding = (async () => {
            for (let i = 0; ; i++) {
                const text = s.text(`edit ${round} ${i}`);
                s.planted.add(text);
                const { status } = await s.cli(['add', text], { expect: null });
                if (status !== 0 || s.server.end) return text;
                kept.push(text);
            }
        })();
        await sleep(10 + random() * 60);
        await s.kill9();
        await adding;
        await s.serve();
    }
    const shown = new Set(texts(await s.export()).lists[0]);
    for (const text of kept) assert.ok(shown.has(text), `lost: ${text}`);
});

/* ---- the folder and the port ---- */

scenario('a second server on one folder says who holds it, and disturbs nobody', async (s) => {
    await s.serve();
    const first = s.server;
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone, { stay: true });
    const second = await s.serve({ ready: false });
    await refuses(s, second, new RegExp(`\\b${first.pid}\\b`));
    assert.ok(phone.connected);
    assert.equal((await phone.sync()).kind, 'confirmed');
    await s.add(s.text('the control socket is still the first one’s'));
    assert.equal((await phone.sync()).kind, 'confirmed');
    await s.expectSame(phone);
});

scenario('a port in use', async (s) => {
    const other = net.createServer().listen(0, '::');
    await new Promise((resolve) => other.on('listening', resolve));
    s.later(() => other.close());
    const { port } = other.address();
    const server = await s.serve({ port, ready: false });
    await refuses(s, server, new RegExp(`\\b${port}\\b`));
    // The folder is as good as before.
    await s.serve();
    await s.add(s.text('milk'));
});

scenario('no folder to write to', async (s) => {
    fs.writeFileSync(s.file('occupied'), 'a file');
    await refuses(s, await s.serve({ data: s.file('occupied'), ready: false }), /occupied/);
    await refuses(s, await s.serve({ data: s.file('occupied/below'), ready: false }), /occupied/);
    assert.equal(fs.readFileSync(s.file('occupied'), 'utf8'), 'a file');
    for (const args of [['export'], ['add', 'milk'], ['pair', '--json'], ['list']]) {
        const { status, stderr } = await s.cli(args, { data: s.file('occupied'), expect: null });
        assert.ok(status >= 64 && status <= 78, `${args[0]}: ${status}`);
        assert.match(stderr, /occupied/);
    }
});

// Root may write everywhere, unless it gives up just that.
const BOUND = ROOT_USER ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : [];
const NO_BOUND = works([...BOUND, 'true']) ? null : 'this root cannot give up writing everywhere';

scenario('a folder without permission', async (s) => {
    fs.mkdirSync(s.file('closed'), { mode: 0o500 });
    await refuses(s, await s.serve({ data: s.file('closed/c'), ready: false, wrap: BOUND }), /closed/);
    const { status, stderr } = await s.run(['add', 'milk', '--data', s.file('closed/c')], { expect: null, wrap: BOUND });
    assert.ok(status >= 64 && status <= 78, `${status}`);
    assert.match(stderr, /closed/);
    assert.deepEqual(fs.readdirSync(s.file('closed')), []);
}, { skip: NO_BOUND });

/* A mount namespace with a file system of its own at s.file('disk'). */
function mountedDisk(s, options) {
    const disk = s.file('disk');
    fs.mkdirSync(disk);
    const prefix = ROOT_USER ? ['unshare', '-m'] : ['unshare', '-r', '-m'];
    const holder = spawn(prefix[0], [...prefix.slice(1), 'sh', '-c', `mount -t tmpfs -o ${options} tmpfs "$0" && echo ready && exec sleep 1000`, disk], { stdio: ['ignore', 'pipe', 'ignore'] });
    s.later(() => holder.kill('SIGKILL'));
    return new Promise((resolve, reject) => {
        holder.on('close', () => reject(new Error('no mount')));
        holder.stdout.once('data', () =>
            resolve({
                disk,
                wrap: ['nsenter', ...(ROOT_USER ? [] : ['-U', '--preserve-credentials']), '-m', '-t', String(holder.pid)],
                inside: `/proc/${holder.pid}/root${disk}`,
            }),
        );
    });
}

const NO_MOUNT = works(['unshare', ...(ROOT_USER ? [] : ['-r']), '-m', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt && nsenter --version'])
    ? null
    : 'this machine permits no mount namespace';

scenario('a read-only file system', async (s) => {
    const { disk, wrap } = await mountedDisk(s, 'ro,size=8m');
    await refuses(s, await s.serve({ data: `${disk}/c`, ready: false, wrap, cwd: '/' }), /disk\/c/);
    const { status, stderr } = await s.run(['add', 'milk', '--data', `${disk}/c`], { expect: null, wrap, cwd: '/' });
    assert.ok(status >= 64 && status <= 78, `${status}`);
    assert.match(stderr, /disk\/c/);
}, { skip: NO_MOUNT });

scenario('a full disk: the sync is refused, nothing is lost, and it works again when there is space', async (s) => {
    const { disk, wrap, inside } = await mountedDisk(s, 'size=4m');
    s.data = `${disk}/c`;
    const run = (args, options = {}) => s.cli(args, { wrap, cwd: '/', ...options });
    await s.serve({ data: s.data, wrap, cwd: '/' });
    const pairing = JSON.parse((await run(['pair', '--json'])).stdout);
    const phone = await s.phone({ pairing });
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone);
    const before = (await run(['export'])).stdout;

    const filler = fs.openSync(`${inside}/filler`, 'w');
    const block = Buffer.alloc(4096, 1);
    assert.throws(() => {
        for (;;) fs.writeSync(filler, block);
    }, /ENOSPC/);
    fs.closeSync(filler);
    for (let i = 0; i < 100; i++) phone.add('lists', i % 6, s.text(`item ${i} ${'x'.repeat(2000)}`));
    const mine = phone.backup();
    for (let i = 0; i < 2; i++) {
        const end = await phone.sync();
        assert.notEqual(end.kind, 'confirmed', 'no confirm without a commit');
        assert.deepEqual(phone.storage, mine);
    }
    assert.match(s.server.stderr, /full|space/i);
    const refused = await run(['add', s.text('x'.repeat(100000))], { expect: null });
    assert.ok(refused.status >= 64 && refused.status <= 78, `${refused.status}`);
    assert.match(refused.stderr, /full|space/i);
    assert.equal((await run(['export'])).stdout, before, 'the state is as it was');

    fs.rmSync(`${inside}/filler`);
    await phone.disconnect();
    await s.confirmed(phone);
    assert.deepEqual(essence(JSON.parse((await run(['export'])).stdout)), essence(phone.state()));
    await s.server.stop();
    await s.serve({ data: s.data, wrap, cwd: '/' });
    assert.deepEqual(essence(JSON.parse((await run(['export'])).stdout)), essence(phone.state()), 'and it is durable');
}, { skip: NO_MOUNT });

scenario('few file descriptors: no spinning, and phones that are there go on', async (s) => {
    await s.serve({ wrap: ['bash', '-c', 'ulimit -n 32; exec "$0" "$@"'], env: { TRIVET_PEERS_PER_ADDRESS: '1000', TRIVET_UNAUTHENTICATED_MAX: '1000' } });
    const phone = await s.phone();
    phone.add('lists', 0, s.text('milk'));
    await s.confirmed(phone, { stay: true });
    const sockets = Array.from({ length: 60 }, () => net.connect(s.server.port, '127.0.0.1').on('error', () => {}));
    s.later(() => sockets.forEach((socket) => socket.destroy()));
    await s.eventually('some are turned away', () => sockets.some((socket) => socket.destroyed));
    assert.equal((await phone.sync()).kind, 'confirmed');
    const used = () => fs.readFileSync(`/proc/${s.server.pid}/stat`, 'utf8').split(' ').slice(13, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
    const before = used();
    await sleep(1000);
    assert.ok(used() - before < 50, `${used() - before} ticks of processor time in a second of nothing`);
    for (const socket of sockets) socket.destroy();
    await phone.disconnect();
    await s.eventually('there is room again', async () => (await phone.sync()).kind === 'confirmed');
});

scenario('a disk that is full from the start', async (s) => {
    const { disk, wrap, inside } = await mountedDisk(s, 'size=64k');
    const filler = fs.openSync(`${inside}/filler`, 'w');
    try {
        for (;;) fs.writeSync(filler, Buffer.alloc(4096, 1));
    } catch {
        fs.closeSync(filler);
    }
    await refuses(s, await s.serve({ data: `${disk}/c`, ready: false, wrap, cwd: '/' }), /full|space/i);
}, { skip: NO_MOUNT });

/* ---- a disk that fails ---- */

/* Attaches to the server and makes each of its `calls` fail with `error`; resolves to what ends that. */
async function failing(s, calls, error) {
    const strace = spawn('strace', ['-f', '-p', String(s.server.pid), '-o', s.file('failed'), '-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    s.later(() => strace.kill('SIGKILL'));
    const ended = new Promise((resolve) => strace.on('close', resolve));
    let said = '';
    await new Promise((resolve, reject) => {
        strace.stderr.on('data', (chunk) => /attached/.test((said += chunk)) && resolve());
        ended.then(() => reject(new Error(said)));
    });
    return async () => {
        strace.kill('SIGINT');
        await ended;
        assert.match(fs.readFileSync(s.file('failed'), 'utf8'), new RegExp(`= -1 ${error} .*INJECTED`), 'a call has failed');
    };
}

/* Whether a process that is no child may be traced here. */
function canAttach() {
    const other = spawn('sleep', ['10'], { stdio: 'ignore' });
    const { stderr } = spawnSync('timeout', ['-s', 'INT', '2', 'sh', '-c', `strace -p ${other.pid} -o /dev/null & sleep 0.3; kill -INT $!; wait`], { encoding: 'utf8' });
    other.kill('SIGKILL');
    return /attached/.test(stderr);
}
const NO_TRACE = canAttach() ? null : 'strace cannot be used here';

for (const [what, calls, error, pattern] of [
    ['nothing can be flushed', 'fsync,fdatasync', 'EIO', /I\/O error/],
    ['nothing can be written', 'pwrite64', 'EIO', /I\/O error/],
    ['there is no space', 'pwrite64', 'ENOSPC', /no space left/],
])
    for (const end of ['SIGTERM', 'SIGKILL'])
        scenario(`${what} (${error}), then ${end}: refused with a message, no confirm, nothing lost, and it works again`, async (s) => {
            await s.serve();
            const [phone, other] = [await s.phone({ deviceId: 'one' }), await s.phone({ deviceId: 'two' })];
            const id = phone.add('lists', 0, s.text('milk')).id;
            const gone = phone.add('lists', 0, s.text('gone')).id;
            await s.confirmed(phone);
            await s.confirmed(other);
            await s.confirmed(phone, { stay: true });
            const before = (await s.cli(['export'])).stdout;

            phone.edit(id, s.text('oat milk'));
            phone.remove(gone);
            phone.add('lists', 1, s.text('bread'));
            const mine = phone.backup();
            const works = await failing(s, calls, error);
            // Once where the phone is connected already, so that it is the commit that fails, and once anew.
            for (const kind of ['cancelled', 'closed']) {
                assert.equal((await phone.sync()).kind, kind, 'no confirm without a commit');
                assert.deepEqual(phone.storage, mine);
                await phone.disconnect();
            }
            assert.match(s.server.stderr, pattern);
            s.planted.add(s.text('salt'));
            const refused = await s.cli(['add', s.text('salt')], { expect: 74 });
            assert.match(refused.stderr, pattern);
            assert.equal((await s.cli(['export'])).stdout, before, 'the state is as it was');
            await works();

            // Right after the fault, with nothing committed since: what was refused may be there or not, and nothing else.
            if (end === 'SIGKILL') {
                await s.kill9();
                await s.serve();
            }
            await s.confirmed(phone, { stay: true });
            await s.confirmed(other);
            const state = await s.expectSame(other);
            for (const text of ['oat milk', 'bread']) assert.ok(itemWith(state, s.text(text)), text);
            assert.ok(!itemsOf(state).some((item) => item.id === gone && !item.deleted), 'what was deleted stays so');
            await s.add(s.text('pepper'));
            await phone.disconnect();
            await (end === 'SIGKILL' ? s.kill9() : s.server.stop());
            assert.equal((await s.json(['fsck'])).faults, 0);
            await s.serve();
            await s.confirmed(phone);
            assert.ok(itemWith(await s.expectSame(phone), s.text('pepper')), 'and it is durable');
        }, { skip: NO_TRACE });

/* ---- a damaged database ---- */

/* A folder with some history, closed in good order; its database's bytes and page size. */
async function filled(s) {
    await s.serve();
    const phone = await s.phone();
    for (let i = 0; i < 60; i++) phone.add('lists', i % 6, s.text(`item ${i} ${'and more '.repeat(10)}`));
    await s.confirmed(phone);
    for (let i = 0; i < 3; i++) {
        await s.add(s.text(`typed ${i}`));
        await s.confirmed(phone);
    }
    const before = (await s.cli(['export'])).stdout;
    await s.server.stop();
    const file = path.join(s.data, 'trivet.db');
    const bytes = fs.readFileSync(file);
    assert.ok(!fs.existsSync(`${file}-wal`) || fs.statSync(`${file}-wal`).size === 0, 'a clean stop leaves no log behind');
    return { phone, before, file, bytes, pageSize: bytes.readUInt16BE(16) === 1 ? 65536 : bytes.readUInt16BE(16) };
}

scenario('a damaged database: told as such, never a crash, never thrown away', async (s, t) => {
    const { phone, before, file, bytes, pageSize } = await filled(s);
    const pages = bytes.length / pageSize;
    const random = seeded(SEED + 2);
    const outcomes = { refused: 0, unharmed: 0, 'sync refused': 0 };
    const stored = phone.backup();
    // The first ones, which hold the header and the schema, and some of the rest.
    const chosen = [...Array(pages).keys()].filter((page) => page < 3 || random() < 20 / pages);
    for (const page of chosen) {
        const damaged = Buffer.from(bytes);
        for (let i = page * pageSize; i < (page + 1) * pageSize; i++) damaged[i] = Math.floor(random() * 256);
        fs.writeFileSync(file, damaged);
        for (const leftover of ['-wal', '-shm']) fs.rmSync(file + leftover, { force: true });
        phone.restore(stored);
        const server = await s.serve({ ready: false });
        server.expected = null;
        const said = server.says(/listening on \[::\]:(\d+)/).catch(() => null);
        const listening = await Promise.race([said, server.done.then(() => null)]);
        if (!listening) {
            await refuses(s, server, /damaged|corrupt|malformed|not a database/i);
            assert.ok(fs.readFileSync(file).equals(damaged), `page ${page}: what cannot be read is left as it is`);
            outcomes.refused++;
            continue;
        }
        s.server = server;
        phone.port = Number(listening[1]);
        phone.add('lists', 0, s.text('after the damage'));
        const end = await phone.sync();
        await phone.disconnect();
        const exported = await s.cli(['export'], { expect: null });
        if (end.kind === 'confirmed') {
            assert.equal(exported.status, 0);
            assert.deepEqual(essence(phone.state()), essence(JSON.parse(exported.stdout)));
            for (const text of texts(JSON.parse(before)).lists.flat()) assert.ok(itemWith(phone.state(), text), `page ${page} lost an item`);
            outcomes.unharmed++;
        } else {
            assert.ok(itemWith(phone.state(), s.text('after the damage')), 'the phone keeps its own');
            assert.match(server.stderr, /damaged|corrupt|malformed|not a database|secret/i);
            outcomes['sync refused']++;
        }
        const stopped = await server.stop();
        assert.equal(stopped.signal, null, server.stderr);
    }
    t.diagnostic(`${chosen.length} of ${pages} pages: ${JSON.stringify(outcomes)}`);
    assert.ok(outcomes.refused + outcomes['sync refused'] > 0);
    // The undamaged bytes put back: all is there.
    fs.writeFileSync(file, bytes);
    for (const leftover of ['-wal', '-shm']) fs.rmSync(file + leftover, { force: true });
    phone.restore(stored);
    await s.serve();
    assert.equal((await s.cli(['export'])).stdout, before);
    await s.confirmed(phone);
    await s.expectSame(phone);
});

scenario('a database that is damaged while the server runs', async (s) => {
    const { phone, before, file, bytes, pageSize } = await filled(s);
    const stored = phone.backup();
    await s.serve();
    const random = seeded(SEED + 3);
    const handle = fs.openSync(file, 'r+');
    for (let page = 1; page < bytes.length / pageSize; page++) fs.writeSync(handle, Buffer.from(Array.from({ length: pageSize }, () => random() * 256)), 0, pageSize, page * pageSize);
    fs.closeSync(handle);
    for (let i = 0; i < 3; i++) {
        phone.add('lists', 0, s.text(`after the damage ${i}`));
        const mine = phone.backup();
        const end = await phone.sync();
        await phone.disconnect();
        if (end.kind !== 'confirmed') assert.deepEqual(phone.storage, mine, 'the phone keeps its own');
        else assert.equal((await s.cli(['export'])).status, 0);
    }
    const { status, signal } = await s.server.stop();
    assert.equal(signal, null);
    assert.equal(status, 0);
    // A clean stop may write the log back; with the undamaged bytes all is as it was then.
    fs.writeFileSync(file, bytes);
    for (const leftover of ['-wal', '-shm']) fs.rmSync(file + leftover, { force: true });
    phone.restore(stored);
    assert.equal((await s.cli(['export'])).stdout, before);
});

scenario('a database cut short, empty, or no database at all', async (s) => {
    const { before, file, bytes } = await filled(s);
    for (const broken of [bytes.subarray(0, bytes.length / 2), bytes.subarray(0, 100), Buffer.from('this is a shopping list, not a database'.repeat(200))]) {
        fs.writeFileSync(file, broken);
        const server = await s.serve({ ready: false });
        await refuses(s, server, /damaged|corrupt|malformed|not a database/i);
        assert.ok(fs.readFileSync(file).equals(broken), 'left as it is');
        const { status } = await s.cli(['export'], { expect: null });
        assert.ok(status >= 64 && status <= 78, `export: ${status}`);
    }
    fs.writeFileSync(file, bytes);
    assert.equal((await s.cli(['export'])).stdout, before);
});

scenario('settings that are wrong name what is allowed', async (s) => {
    for (const [env, args, pattern] of [
        [{ TRIVET_ASK_TIMEOUT: 'soon' }, [], /ask_timeout|ASK_TIMEOUT/i],
        [{ TRIVET_PORT: '99999' }, [], /port/i],
        [{ TRIVET_NAME: 'a\u001b[31m' }, [], /name: expected a text.*control/],
        [{}, ['--port', 'x'], /port/i],
        [{}, ['--nonsense'], /nonsense/],
        [{}, ['--config', '/nonexistent/trivet.conf'], /nonexistent/],
    ]) {
        const { status, stderr } = await s.run(['serve', '--data', s.data, ...(args.includes('--port') || env.TRIVET_PORT ? [] : ['--port', '0']), '--no-mdns', ...args], { env, expect: null });
        assert.ok(status >= 64 && status <= 78, `${JSON.stringify(env)} ${args.join(' ')}: ${status}`);
        assert.match(stderr, pattern);
    }
    fs.writeFileSync(s.file('bad.conf'), 'port = 0\nasc_timeout = 5s\n');
    const { status, stderr } = await s.run(['serve', '--data', s.data, '--config', s.file('bad.conf')], { expect: null });
    assert.ok(status >= 64 && status <= 78);
    assert.match(stderr, /bad\.conf.*2/, 'file and line');
    assert.match(stderr, /asc_timeout/);
    fs.writeFileSync(s.file('bad.conf'), Buffer.from('name = \xff\n', 'latin1'));
    assert.match((await s.run(['serve', '--data', s.data, '--config', s.file('bad.conf')], { expect: 78 })).stderr, /name: expected a text.*UTF-8/);
});

/* A database that is safe in a folder whose name never reached the disk is lost with it. */
scenario('the way to a new folder is on the disk', async (s) => {
    if (spawnSync('strace', ['-o', '/dev/null', 'true']).status !== 0) return; // not here
    const wrap = ['strace', '-f', '-y', '-o', s.file('trace'), '-e', 'trace=mkdir,fsync'];
    await s.run(['add', s.text('milk'), '--data', 'new/er/est'], { wrap, env: { ASAN_OPTIONS: 'detect_leaks=0' } });
    const trace = fs.readFileSync(s.file('trace'), 'utf8');
    const at = (text) => (assert.ok(trace.includes(text), `${text}\n${trace}`), trace.indexOf(text));
    for (const [made, parent] of [['new', ''], ['new/er', '/new'], ['new/er/est', '/new/er']])
        assert.ok(at(`mkdir("${made}"`) < at(`<${fs.realpathSync(s.folder)}${parent}>)`), trace);
});
