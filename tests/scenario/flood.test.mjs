/*
 * Floods: what each costs this computer in memory and processor time, and that a paired phone syncs meanwhile (protocol §1, §2).
 *
 * The attacker is another program (flood.mjs). Bounds of time are made to measure: the processor's by what one honest sync costs here,
 * a sync's by the 100 ms that it may take, or, on a machine that is slow by itself (sanitizers), by what it takes when all
 * is quiet. TRIVET_THOROUGH makes each flood last seconds instead of a moment; TRIVET_FLOOD runs those alone whose name holds it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { assert, Process, ROOT, SANITIZED, scenario, sleep } from './harness.mjs';
import { NAMES } from './flood.mjs';

const THOROUGH = Boolean(process.env.TRIVET_THOROUGH);
const LASTS = THOROUGH ? 3000 : 60; // ms
const LARGE = THOROUGH ? 10e6 : 1e6; // bytes of a large message
const SYNC_WITHIN = 100; // ms
const MIB = 1 << 20;

/*
 * How much more memory than before, at most, MiB: of strangers; and of a phone that is paired, whose largest message is 50 MiB, and
 * whose messages become trees of up to 100,000 values, or states.
 */
const memoryBound = (name) => (name.includes('never ends') ? 64 : name.startsWith('a phone') ? 12 + ((name.includes('a state') ? 10 : 4) * LARGE) / MIB : 6);
/* What one step of the attacker may cost, in honest syncs of 100 items; of large messages, for each MB. */
const costBound = (name) => (name.startsWith('a phone') ? 60 * Math.max(1, LARGE / 1e6) : 1);

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const status = (pid, field) => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'))[1]) * 1024;

/* How long a thread ran, and how long it could have and others did, ms. */
function schedule(pid, task) {
    try {
        const [ran, waited] = fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
        return { ran: ran / 1e6, waited: waited / 1e6 };
    } catch {
        return { ran: 0, waited: 0 }; // it has just ended
    }
}

const allThreads = (pid, what) => fs.readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + schedule(pid, task)[what], 0);

/*
 * One sync: how long it took, and how much of that is the server's doing. This is no measurement of how the system shares its
 * processors between server, phone, attacker and whatever else runs: the time that the server, or if that is longer the phone, stood
 * ready and was not let is left out.
 */
async function timedSync(phone, pid) {
    const waited = () => [allThreads(pid, 'waited'), schedule(process.pid, process.pid).waited];
    const before = waited(), started = performance.now();
    const end = await phone.sync();
    const took = performance.now() - started;
    assert.equal(end.kind, 'confirmed', `a sync ended as ${end.kind} ${end.code ?? ''} ${end.reason ?? ''}`);
    return { took, net: Math.max(0, took - Math.max(...waited().map((one, i) => one - before[i]))) };
}

/* Runs an attack, and syncs until it is over. */
async function flood(s, phone, attacker, name) {
    const { pid } = s.server;
    const output = attacker.stdout.length;
    const said = () => attacker.stdout.slice(output).split('\n');
    fs.writeFileSync(`/proc/${pid}/clear_refs`, '5'); // the peak counts from here
    const before = { memory: status(pid, 'VmRSS'), ran: allThreads(pid, 'ran'), at: performance.now() };
    attacker.child.stdin.write(`${JSON.stringify({ name, ms: LASTS })}\n`);
    while (said().length < 2 && !attacker.end) await sleep(1);
    const syncs = [];
    while (said().length < 3 || syncs.length < 3) {
        assert.ok(!attacker.end, attacker.stderr);
        syncs.push(await timedSync(phone, pid));
        await sleep(THOROUGH ? 40 : 15); // within the rate that a phone is held to
    }
    const ran = allThreads(pid, 'ran') - before.ran;
    return {
        ...JSON.parse(said()[1]),
        took: median(syncs.map((one) => one.took)),
        net: median(syncs.map((one) => one.net)),
        most: Math.max(...syncs.map((one) => one.net)),
        syncs: syncs.length,
        memory: (status(pid, 'VmHWM') - before.memory) / MIB,
        ran,
        share: ran / (performance.now() - before.at),
    };
}

scenario('floods: bounded memory and processor time, and a phone syncs meanwhile', async (s, t) => {
    // For all of them in a row: what one leaves behind is there for the next. No phone is held up for its own speed.
    await s.serve();
    const phone = await s.phone({ deviceId: 'bystander' });
    for (let i = 0; i < 100; i++) phone.add('lists', i % 6, s.text(`item ${i}`));
    await s.confirmed(phone, { stay: true });
    const bad = await s.phone({ deviceId: 'attacker' });
    await s.confirmed(bad);
    const { pid, port } = s.server;
    const attacker = new Process(process.execPath, [path.join(ROOT, 'tests/scenario/flood.mjs'), String(port), JSON.stringify(bad.pairing), String(LARGE)], {});
    s.later(() => attacker.child.kill('SIGKILL'));

    const quiet = [];
    const idle = allThreads(pid, 'ran');
    for (let i = 0; i < 15; i++) {
        quiet.push(await timedSync(phone, pid));
        await sleep(20);
    }
    const sync = { net: median(quiet.map(({ net }) => net)), ran: (allThreads(pid, 'ran') - idle) / quiet.length };
    const limit = Math.max(SYNC_WITHIN, 25 * sync.net);
    t.diagnostic(`quiet: a sync of 100 items takes ${sync.net.toFixed(1)} ms, ${sync.ran.toFixed(2)} ms of the server's processor time; ${(status(pid, 'VmRSS') / MIB).toFixed(1)} MiB resident`);

    const wrong = [];
    for (const name of NAMES.filter((one) => one.includes(process.env.TRIVET_FLOOD ?? ''))) {
        const { ops, took, net, most, syncs, memory, ran, share } = await flood(s, phone, attacker, name);
        const cost = Math.max(0, ran - syncs * sync.ran) / Math.max(1, ops);
        const line = `${name}: ${ops} steps of ${(1000 * cost).toFixed(0)} us, ${Math.round(100 * share)}% of a processor, ${memory.toFixed(1)} MiB more; ${syncs} syncs, median ${net.toFixed(1)} ms, longest ${most.toFixed(1)} (${took.toFixed(1)} with others' turns)`;
        t.diagnostic(line);
        // A sync costs more among other work than alone: of that much nothing follows.
        const certain = Math.max(0, ran - (syncs + 20) * sync.ran) / Math.max(1, ops);
        if (ops === 0 || net > limit || certain > costBound(name) * sync.ran || (!SANITIZED && memory > memoryBound(name))) wrong.push(line);
    }
    attacker.child.stdin.end();
    assert.equal((await attacker.done).status, 0, attacker.stderr);
    const ran = allThreads(pid, 'ran');
    await sleep(300);
    t.diagnostic(`afterwards: ${(status(pid, 'VmRSS') / MIB).toFixed(1)} MiB resident, ${(allThreads(pid, 'ran') - ran).toFixed(1)} ms of processor time in 300`);
    assert.deepEqual(wrong, [], `a sync may take ${limit.toFixed(0)} ms; one costs ${sync.ran.toFixed(2)} ms of processor time`);
    assert.ok(phone.connected);
}, { timeout: 600000 });
