/*
 * peers.mjs - a merge beside what others use for one: Yjs, Automerge, node-diff3, git, and jansson only reading.
 *
 *     node tests/bench/peers.mjs [ITEMS...]        (BUILD names the build folder; default 1000 10000 100000)
 *
 * Prints a table for merge/README.md. Each has the same three states of tests/bench/workload.mjs and does what its users would:
 *
 *     trivet      three texts in, one text out
 *     jansson     the three texts read, and no merge
 *     Yjs, Automerge   a document loaded twice, each side's edits made (which they are is found before), merged, saved
 *     node-diff3, git  a line for each item, in order: lines in, lines out (git as a process, with its files)
 *
 * All take their turns in one run, in processor time (that of the collector's threads included), and the middle one of each counts. The packages come from npm by tests/bench/peers's
 * lockfile into the build folder; where npm cannot be had, its three rows say so.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const BUILD = path.resolve(process.env.BUILD ?? path.join(HERE, '../../build'));
const SIZES = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1000, 10000, 100000];
const SIDES = ['ancestor', 'phone', 'computer'];
const KEPT = ['text', 'done', 'position', 'updatedAt', 'deleted', 'deletedAt'];
/* How often each has its turn, by size: small merges are quick, and their times vary more. */
const SLOW = ['node-diff3', 'Yjs', 'Automerge'];
const rounds = (items, name) => (items <= 1000 ? 15 : SLOW.includes(name) ? (items <= 10000 ? 3 : 1) : 7);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trivet-peers-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));

/* ---- npm's packages ---------------------------------------------------------------------------------------- */

/* Where they are; null, and why on stderr, where they cannot be had. */
function install() {
    const to = path.join(BUILD, 'peers');
    const lock = 'package-lock.json';
    const wanted = fs.readFileSync(path.join(HERE, 'peers', lock), 'utf8');
    const done = path.join(to, 'installed');
    if (fs.existsSync(done) && fs.readFileSync(done, 'utf8') === wanted) return to;
    fs.mkdirSync(to, { recursive: true });
    for (const file of ['package.json', lock]) fs.copyFileSync(path.join(HERE, 'peers', file), path.join(to, file));
    const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=1', '--fetch-timeout=20000'],
        { cwd: to, encoding: 'utf8', timeout: 120_000 });
    if (npm.status === 0) {
        fs.writeFileSync(done, wanted);
        return to;
    }
    const why = npm.error?.code === 'ENOENT' ? 'npm is not here' : (npm.stderr ?? '').split('\n').find((line) => /npm (ERR!|error)/.test(line));
    console.error(`Yjs, Automerge and node-diff3 are left out: npm could not install them (${why ?? 'it ran out of time'})`);
    return null;
}

const installed = install();
const load = async (name) => {
    const loaded = await import(pathToFileURL(createRequire(path.join(installed, 'package.json')).resolve(name)));
    return loaded.default ?? loaded;
};

/* ---- the workload as edits, and as lines ------------------------------------------------------------------- */

function itemsOf(state) {
    const items = new Map();
    for (const section of ['lists', 'lockedLists'])
        state[section].forEach((slot, index) => slot.forEach((item) => items.set(`${section}/${item.id}`, { ...item, slot: index })));
    return items;
}

/* [key, field, value] for each field that differs, [key, null, item] for each new item; and the lines that a scratchpad gained. */
function editsOf(from, to, state, base) {
    const edits = [];
    for (const [key, item] of to) {
        const old = from.get(key);
        if (!old) edits.push([key, null, item]);
        else for (const field of [...KEPT, 'slot']) if (old[field] !== item[field]) edits.push([key, field, item[field]]);
    }
    const pads = [];
    state.scratchpad.forEach((pad, slot) => {
        const before = base.scratchpad[slot].content;
        if (pad.content !== before) pads.push([slot, before.length, pad.content.slice(before.length)]);
    });
    return { edits, pads };
}

const linesOf = (state) =>
    [...itemsOf(state)].map(([key, item]) => `${key} ${item.slot} ${JSON.stringify(item)}\n`).join('')
    + state.scratchpad.map((pad) => `${pad.content}\n`).join('');

/* ---- those who merge --------------------------------------------------------------------------------------- */

/* build/bench/bench_merge --turns: both work in one C program. */
function turns(items) {
    const child = spawn(path.join(BUILD, 'bench/bench_merge'), ['--turns', folder, String(items)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const turn = (what) => async () => {
        child.stdin.write(`${what}\n`);
        return Number((await lines.next()).value);
    };
    return { ours: turn('ours'), jansson: turn('jansson'), git: turn('git'), end: () => child.stdin.end() };
}

const timed = (work) => async () => {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
};

function yjs(Y, states, items, edits) {
    const first = new Y.Doc();
    first.transact(() => {
        for (const [key, item] of items) first.getMap('items').set(key, new Y.Map(Object.entries(item)));
        states[0].scratchpad.forEach((pad, slot) => first.getText(`pad${slot}`).insert(0, pad.content));
    });
    const saved = Y.encodeStateAsUpdate(first);
    const open = (side) => {
        const doc = new Y.Doc();
        Y.applyUpdate(doc, saved);
        const known = doc.getMap('items');
        doc.transact(() => {
            for (const [key, field, value] of edits[side].edits)
                if (field === null) known.set(key, new Y.Map(Object.entries(value)));
                else known.get(key).set(field, value ?? null);
            for (const [slot, at, text] of edits[side].pads) doc.getText(`pad${slot}`).insert(at, text);
        });
        return doc;
    };
    return timed(() => {
        const phone = open(0);
        const computer = open(1);
        Y.applyUpdate(computer, Y.encodeStateAsUpdate(phone, Y.encodeStateVector(computer)));
        return Y.encodeStateAsUpdate(computer);
    });
}

function automerge(A, states, items, edits) {
    const saved = A.save(A.from({ items: Object.fromEntries(items), pads: states[0].scratchpad.map((pad) => pad.content) }));
    const open = (side) =>
        A.change(A.load(saved), (doc) => {
            for (const [key, field, value] of edits[side].edits)
                if (field === null) doc.items[key] = value;
                else doc.items[key][field] = value ?? null;
            for (const [slot, at, text] of edits[side].pads) A.splice(doc, ['pads', slot], at, 0, text);
        });
    return timed(() => A.save(A.merge(open(1), open(0))));
}

const diff3 = (merge, texts) =>
    timed(() => {
        const [base, phone, computer] = texts.map((text) => text.split('\n'));
        return merge(phone, base, computer, { excludeFalseConflicts: true })
            .flatMap((part) => part.ok ?? [...part.conflict.a, ...part.conflict.b])
            .join('\n');
    });

/* ---- a run ------------------------------------------------------------------------------------------------- */

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

/* {name: ms} */
async function measure(items, packages) {
    const states = SIDES.map((side) => JSON.parse(fs.readFileSync(path.join(folder, `${items}.${side}.json`))));
    const [known, ...edited] = states.map(itemsOf);
    const edits = edited.map((to, side) => editsOf(known, to, states[side + 1], states[0]));
    const texts = states.map(linesOf);
    SIDES.forEach((side, i) => fs.writeFileSync(path.join(folder, `${items}.${side}.lines`), texts[i]));
    const c = turns(items);
    const peers = { trivet: c.ours, jansson: c.jansson, 'git merge-file': c.git };
    if (packages) {
        peers['node-diff3'] = diff3(packages.diff3Merge, texts);
        peers.Yjs = yjs(packages.Y, states, known, edits);
        peers.Automerge = automerge(packages.A, states, known, edits);
    }
    const times = Object.fromEntries(Object.keys(peers).map((name) => [name, []]));
    if (items <= 10000) for (const run of Object.values(peers)) await run(); // the first time warms up
    for (let round = 0; round < rounds(items); round++)
        for (const [name, run] of Object.entries(peers)) if (round < rounds(items, name)) times[name].push(await run());
    c.end();
    return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
}

const short = (ms) => (ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2));

function table(results) {
    const names = ['trivet', 'jansson', 'git merge-file', 'node-diff3', 'Yjs', 'Automerge'];
    console.log(`| ms, and times trivet's | ${SIZES.map((items) => items.toLocaleString('en')).join(' | ')} |`);
    console.log(`| --- |${' --- |'.repeat(SIZES.length)}`);
    for (const name of names) {
        const cells = results.map((of) => (of[name] === undefined ? 'not installed' : name === 'trivet' ? short(of[name]) : `${short(of[name])} (${short(of[name] / of.trivet)})`));
        console.log(`| ${name} | ${cells.join(' | ')} |`);
    }
}

const packages = installed && {
    Y: await load('yjs'),
    A: await load('@automerge/automerge'),
    ...(await load('node-diff3')),
};
execFileSync('node', [path.join(HERE, 'workload.mjs'), folder, ...SIZES.map(String)]);
const results = [];
for (const items of SIZES) results.push(await measure(items, packages));
table(results);
const day = new Date().toISOString().slice(0, 10);
console.log(`${day}, ${os.cpus()[0].model.trim()} (${os.cpus().length} of it), ${os.type()} ${os.release()}, node ${process.versions.node}`);
