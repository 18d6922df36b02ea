/*
 * sync.mjs - how long a sync of 1,000 items takes over loopback, both rounds of it, as a phone sees it.
 *
 *     node tests/bench/sync.mjs [SYNCS] [ITEMS]        (TRIVET names the program; default 100 and 1000)
 *
 * Each sync follows an edit on both sides, so that neither side's state is the merged one and the second round is needed.
 * The clock runs from the moment at which sync_request is handed to the socket to the one at which the whole sync_confirm
 * has come. The phone is JavaScript, whose box costs more than all that the server does: its answers are sealed before the
 * clock starts (it knows them: its own state), and what it receives is opened after it stops. What it still does in between
 * is timed and subtracted: `net`. A second run with all of the app's work inside the window shows what that saves: `app`.
 */
import fs from 'node:fs';
import { App, openEnvelope } from '../scenario/app.mjs';
import { processor, serve, trivet } from './server.mjs';

const SYNCS = Number(process.argv[2] ?? 100);
const ITEMS = Number(process.argv[3] ?? 1000);
const WARM_UP = 10;

const { server, port } = await serve();

const memory = () => Object.fromEntries([...fs.readFileSync(`/proc/${server.pid}/status`, 'utf8').matchAll(/^(VmHWM|VmRSS|RssAnon):\s+(\d+) kB/gm)].map(([, key, kb]) => [key, Number(kb) / 1024]));

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const at = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
const ms = (value) => `${value.toFixed(2)} ms`;

/* ---- idle, before anything ---- */

await sleep(300);
const idle = memory();

/* ---- a phone with so many items ---- */

const words = 'buy milk call the plumber about kitchen sink renew passport before June send invoice café naïve “quoted” check tyre pressure'.split(' ');
const text = (i) => Array.from({ length: 3 + (i % 9) }, (_, k) => words[(i * 7 + k * 3) % words.length]).join(' ');
const pairing = JSON.parse(trivet('pair', '--json'));
const phone = new App({ port, secret: pairing.secret, deviceId: 'bench' });
const ids = Array.from({ length: ITEMS }, (_, i) => phone.add(i % 2 ? 'lists' : 'lockedLists', (i >> 1) % 6, text(i)).id);
// ws looks through every text for bad UTF-8, in JavaScript: not the server's time either.
const first = await phone.sync({ websocket: { skipUTF8Validation: true } });
if (first.kind !== 'confirmed') throw new Error(`the first sync ended as ${first.kind}`);

let edits = 0;
function edit() {
    edits++;
    phone.edit(ids[(edits * 2) % ITEMS], `${text(edits)} p${edits}`);
    trivet('edit', ids[(edits * 2 + 1) % ITEMS], `${text(edits)} c${edits}`);
}

/* One sync with the phone's own work outside the window. Resolves with { raw, net, cpu, bytes }. */
async function lean() {
    const answer = { type: 'state_sync', ...phone.state(), since: phone.storage.since };
    const answers = [phone.seal(answer), phone.seal(answer)];
    const request = phone.seal({ type: 'sync_request' });
    const frames = [];
    let client = 0;
    let finish;
    const over = new Promise((resolve) => (finish = resolve));
    const listeners = phone.socket.listeners('message');
    phone.socket.removeAllListeners('message');
    // Processor time, not the clock's: on a busy machine the server works while this process waits for its turn.
    const own = (since) => {
        const { user, system } = process.cpuUsage(since);
        return (user + system) / 1000;
    };
    phone.socket.on('message', (raw) => {
        const arrived = performance.now();
        const mark = process.cpuUsage();
        if (raw.length < 1000) return; // a heartbeat, a question about jots
        frames.push(raw);
        // Two states, each answered; the third large message is the confirm with its snapshot.
        if (frames.length <= 2) phone.socket.send(answers[frames.length - 1]);
        else finish(arrived);
        client += own(mark);
    });
    const cpu = processor();
    const started = performance.now();
    const mark = process.cpuUsage();
    phone.socket.send(request);
    client += own(mark);
    const ended = await over;
    const used = processor() - cpu;
    phone.socket.removeAllListeners('message');
    for (const listener of listeners) phone.socket.on('message', listener);
    const messages = frames.map((frame) => JSON.parse(openEnvelope(frame.toString(), phone.key)));
    const types = messages.map((message) => message.type).join(' ');
    if (types !== 'state_sync state_sync sync_confirm' || !messages[2].snapshot) throw new Error(`not a sync in two rounds: ${types}`);
    phone.apply(messages[2], null);
    phone.cursor = phone.log.length; // nobody waits for that
    return { raw: ended - started, net: ended - started - client, cpu: used, bytes: frames.reduce((sum, frame) => sum + frame.length, 0) + 2 * answers[0].length };
}

/* The same with everything where the app has it. */
async function whole() {
    const started = performance.now();
    const end = await phone.sync();
    if (end.kind !== 'confirmed' || end.rounds !== 2) throw new Error(`ended as ${end.kind} after ${end.rounds} rounds`);
    return end.at - started;
}

const runs = [];
for (let i = 0; i < WARM_UP + SYNCS; i++) {
    edit();
    await sleep(2); // the edit's own tail, its transaction's checkpoint included
    const run = await lean();
    if (i >= WARM_UP) runs.push(run);
}
const app = [];
for (let i = 0; i < Math.min(30, SYNCS); i++) {
    edit();
    app.push(await whole());
}
const same = JSON.parse(trivet('export'));
const lives = (state) => JSON.stringify([...state.lists, ...state.lockedLists].flat().filter((item) => !item.deleted).map((item) => [item.id, item.text]).sort());
if (lives(same) !== lives(phone.state())) throw new Error('phone and computer disagree');

phone.socket.terminate();
await sleep(1000);
const after = memory();

const pick = (key) => runs.map((run) => run[key]);
const line = (name, values) => console.log(`  ${name.padEnd(46)} median ${ms(median(values)).padStart(9)}   p99 ${ms(at(values, 0.99)).padStart(9)}   least ${ms(Math.min(...values)).padStart(9)}`);
console.log(`sync over loopback: ${ITEMS} items, two rounds, ${runs.length} syncs, ${(median(pick('bytes')) / 1024).toFixed(0)} KiB on the wire each`);
line('sync_request to sync_confirm, raw', pick('raw'));
line('net of what the client did in between', pick('net'));
line("server's processor time", pick('cpu'));
line("with the app's own work inside (JavaScript)", app);
console.log(`  memory: idle ${idle.VmRSS.toFixed(1)} MB resident (${idle.RssAnon.toFixed(1)} of it its own); after ${edits} syncs ${after.VmRSS.toFixed(1)} MB, at most ${after.VmHWM.toFixed(1)} MB`);

const stopped = new Promise((resolve) => server.on('close', resolve));
server.kill('SIGTERM');
await stopped;
