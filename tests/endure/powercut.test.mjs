/*
 * Power cuts: the server's data lies on an ext4 of its own, which is shut down at random moments of syncs and commands, so that all
 * that was not flushed is gone. What was acknowledged is there afterwards, the folder is sound, a backup that was being replaced is whole,
 * and the next sync ends right.
 *
 * With real power nothing is acknowledged after the cut. Here the program lives on for a moment, and the kernel may even answer an
 * fdatasync() that was under way with success although its journal is gone: only what came before the cut counts as acknowledged.
 *
 *     TRIVET_CUTS=50 node --test tests/endure/powercut.test.mjs
 *
 * Needs root, loop devices, mkfs.ext4 and xfs_io.
 */
import fs from 'node:fs';
import { execFileSync, spawn } from 'node:child_process';
import { assert, scenario, seeded, sleep } from '../scenario/harness.mjs';
import { Ledger } from '../scenario/ledger.mjs';

const CUTS = Number(process.env.TRIVET_CUTS ?? 50);
const SEED = Number(process.env.TRIVET_SEED ?? 20240607);

const quietly = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });

/* Why it cannot be done here; null where it can. */
function impossible() {
    if (process.getuid() !== 0) return 'not root';
    for (const command of ['mkfs.ext4', 'xfs_io', 'losetup', 'nsenter'])
        try {
            quietly('sh', '-c', `command -v ${command}`);
        } catch {
            return `no ${command} here`;
        }
    try {
        quietly('losetup', '-f');
    } catch {
        return 'no loop device here';
    }
    return null;
}

/* A disk whose power can be cut, mounted where nobody else sees it. */
class Disk {
    constructor(s) {
        this.image = s.file('image');
        this.mount = s.file('disk');
        fs.mkdirSync(this.mount);
        fs.closeSync(fs.openSync(this.image, 'w'));
        fs.truncateSync(this.image, 1 << 30); // much of it is never written
        quietly('mkfs.ext4', '-q', '-F', this.image);
        this.holder = spawn('unshare', ['-m', 'sleep', '3600'], { stdio: 'ignore' });
        this.wrap = ['nsenter', '-m', '-t', String(this.holder.pid)];
        s.later(() => this.holder.kill('SIGKILL')); // the mount, and the loop device, go with its namespace
    }

    inside(...command) {
        return quietly(...this.wrap, ...command);
    }

    on() {
        this.inside('mount', '-o', 'loop', this.image, this.mount); // replays the journal
    }

    cut() {
        this.inside('xfs_io', '-x', '-c', 'shutdown', this.mount);
    }

    off() {
        this.inside('umount', this.mount);
    }
}

/* All that the scenario does is done on a disk of its own. */
async function ownDisk(s, env = {}) {
    const disk = new Disk(s);
    await s.eventually('a namespace of its own', () => fs.readlinkSync(`/proc/${disk.holder.pid}/ns/mnt`) !== fs.readlinkSync('/proc/self/ns/mnt'));
    disk.on();
    s.data = `${disk.mount}/c`;
    const plain = s.run.bind(s);
    s.run = (args, options = {}) => plain(args, { wrap: disk.wrap, cwd: '/', ...options });
    return { disk, serve: () => s.serve({ wrap: disk.wrap, cwd: '/', env }) };
}

scenario(`${CUTS} power cuts`, async (s, t) => {
    const random = seeded(SEED);
    const { disk, serve } = await ownDisk(s);

    await serve();
    const phone = await s.phone();
    const ledger = new Ledger(s, phone, random);
    await s.confirmed(phone);
    const counts = { 'before it': 0, 'after the confirm': 0, 'commands acknowledged before': 0 };
    const kept = `${disk.mount}/b.trivet`; // made anew in each round, in place of the one before
    await s.cli(['backup', kept]);
    for (let round = 0; round < CUTS; round++) {
        ledger.editPhone(round);
        await ledger.editComputer(round);

        // The cut comes at any moment of a sync, or of commands one after the other, or of both.
        const what = Math.floor(random() * 3);
        let [confirmed, dark] = [false, false];
        const sync = what !== 1 ? phone.sync().catch((error) => ({ kind: error.message })) : null;
        sync?.then((end) => (confirmed = !dark && end.kind === 'confirmed'));
        const adding = what !== 0 ? ledger.addUntilRefused(round, () => dark) : null;
        const backup = s.cli(['backup', '--force', kept], { expect: null });
        await sleep(random() * (what === 0 ? 25 : 60));
        dark = true;
        disk.cut();
        await sleep(random() * 30); // what it does with a dead disk
        await s.kill9();
        counts['commands acknowledged before'] += (await adding) ?? 0;
        await Promise.all([sync, backup]);
        if (sync) counts[confirmed ? 'after the confirm' : 'before it']++;
        phone.cut();
        disk.off();

        disk.on();
        await s.cli(['fsck']);
        await s.cli(['backup', '--check', kept]); // the new one or the one before
        await serve();
        const state = await s.export();
        ledger.check(state, 'computer');
        if (confirmed) ledger.check(state);
        await s.confirmed(phone);
        ledger.check(await s.expectSame(phone));
        assert.deepEqual(await s.pending(), []);
    }
    t.diagnostic(JSON.stringify(counts));
    if (CUTS >= 20) for (const [when, count] of Object.entries(counts)) assert.ok(count > 0, `no cut came ${when}`);
    await s.server.stop();
}, { skip: impossible(), timeout: 60000 + CUTS * 10000 });

/* Upkeep begins three seconds after the start: until then there are edits, whose states are old enough by then. */
const PRUNINGS = Math.ceil(CUTS / 4);
scenario(`${PRUNINGS} power cuts and kills while old states are dropped`, async (s, t) => {
    const random = seeded(SEED + 1);
    const { disk, serve } = await ownDisk(s, { TRIVET_KEEP_ALL: '1s', TRIVET_KEEP_HOURLY: '0s', TRIVET_KEEP_DAILY: '0s', TRIVET_KEEP_HISTORY: '0s', TRIVET_LOG_LEVEL: 'debug' });
    let server = await serve(), started = Date.now();
    const phone = await s.phone();
    const ledger = new Ledger(s, phone, random);
    await s.confirmed(phone);
    const counts = { 'while it ran': 0, 'when it was done': 0, 'states dropped': 0 };
    for (let round = 0; round < PRUNINGS; round++) {
        ledger.editPhone(round);
        await ledger.editComputer(round);
        await s.confirmed(phone); // what an ancestor record names must be kept
        const cut = random() < 0.5;
        let dark = false;
        const adding = ledger.addUntilRefused(round, () => dark, 40); // each leaves a state with all that there is
        await sleep(started + 2950 - Date.now());
        await sleep(random() * 130);
        dark = true;
        if (cut) disk.cut();
        await s.kill9();
        counts[/event=pruned/.test(server.stderr) ? 'when it was done' : 'while it ran']++;
        await adding;
        phone.cut();
        if (cut) {
            disk.off();
            disk.on();
        }
        const sound = await s.cli(['fsck']); // all that is named is there
        assert.match(sound.stdout, /is sound/);
        counts['states dropped'] += Number(/event=pruned.* states=(\d+)/.exec(server.stderr)?.[1] ?? 0);
        server = await serve();
        started = Date.now();
        ledger.check(await s.export(), 'computer');
        await s.confirmed(phone);
        ledger.check(await s.expectSame(phone));
        for (const { state } of (await s.json(['history'])).filter((line) => line.state).slice(-5)) await s.cli(['diff', state]);
    }
    t.diagnostic(JSON.stringify(counts));
    await server.stop();
}, { skip: impossible(), timeout: 60000 + PRUNINGS * 20000 });
