/*
 * coverage.mjs - which lines and branches of merge/ the tests take, from what gcov counted.
 *
 *     node tests/coverage.mjs OBJECT-FOLDER LINES BRANCHES      fails below these percentages (make coverage)
 *
 * A line that no test can reach says so itself, `not covered: REASON` in a comment on it, and counts in neither; so do the
 * branches that are not taken there. A mark on a line of which all is taken is a failure too: it would hide what comes later.
 */
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import os from 'node:os';
import { execFileSync } from 'node:child_process';

const [objects, linesWanted, branchesWanted] = process.argv.slice(2);
const MARK = /\bnot covered: \w/;

/* {file: Map(line -> {count, branches})}; a header's lines are counted over all that include it. */
function counted(folder) {
    const files = {};
    const work = fs.mkdtempSync(path.join(os.tmpdir(), 'trivet-gcov-'));
    const notes = fs.readdirSync(folder).filter((name) => name.endsWith('.gcda')).map((name) => path.resolve(folder, name));
    for (const note of notes) {
        execFileSync('gcov', ['--json-format', '--branch-probabilities', note], { cwd: work, stdio: 'ignore' });
        for (const name of fs.readdirSync(work)) {
            const found = JSON.parse(zlib.gunzipSync(fs.readFileSync(path.join(work, name))));
            fs.rmSync(path.join(work, name));
            for (const { file, lines } of found.files) if (file.startsWith('merge/')) add((files[file] ??= new Map()), lines);
        }
    }
    fs.rmSync(work, { recursive: true });
    return files;
}

function add(sums, lines) {
    const seen = new Map(); // one function's line may be listed in several pieces
    for (const line of lines) {
        const of = seen.get(line.line_number) ?? { count: 0, branches: [] };
        of.count += line.count;
        of.branches.push(...line.branches.map((branch) => branch.count));
        seen.set(line.line_number, of);
    }
    for (const [number, of] of seen) {
        const sum = sums.get(number) ?? { count: 0, branches: of.branches.map(() => 0) };
        sum.count += of.count;
        of.branches.forEach((count, i) => (sum.branches[i] = (sum.branches[i] ?? 0) + count));
        sums.set(number, sum);
    }
}

const percent = (part, whole) => (whole === 0 ? 100 : (100 * part) / whole);
const shown = (part, whole) => `${part}/${whole}`.padStart(11) + `${(Math.floor(percent(part, whole) * 100) / 100).toFixed(2)}%`.padStart(9);

const total = { lines: 0, linesTaken: 0, branches: 0, branchesTaken: 0 };
const missing = [];
let marked = 0;
console.log(`${'file'.padEnd(24)}${'lines'.padStart(20)}${'branches'.padStart(20)}`);
for (const [file, lines] of Object.entries(counted(objects)).sort()) {
    const source = fs.readFileSync(file, 'utf8').split('\n');
    const here = { lines: 0, linesTaken: 0, branches: 0, branchesTaken: 0 };
    for (const [number, { count, branches }] of [...lines].sort(([a], [b]) => a - b)) {
        const untaken = branches.filter((n) => n === 0).length;
        const text = source[number - 1];
        if (MARK.test(text)) {
            marked++;
            if (count > 0 && untaken === 0) missing.push(`${file}:${number}: is marked, and covered`);
            here.lines += count > 0;
            here.linesTaken += count > 0;
            here.branches += branches.length - untaken;
            here.branchesTaken += branches.length - untaken;
            continue;
        }
        here.lines++;
        here.linesTaken += count > 0;
        here.branches += branches.length;
        here.branchesTaken += branches.length - untaken;
        if (count === 0) missing.push(`${file}:${number}: not run: ${text.trim()}`);
        else if (untaken > 0) missing.push(`${file}:${number}: ${untaken} of ${branches.length} branches not taken: ${text.trim()}`);
    }
    for (const key of Object.keys(total)) total[key] += here[key];
    console.log(`${file.padEnd(24)}${shown(here.linesTaken, here.lines)}${shown(here.branchesTaken, here.branches)}`);
}
console.log(`${'all'.padEnd(24)}${shown(total.linesTaken, total.lines)}${shown(total.branchesTaken, total.branches)}   ${marked} lines marked`);
for (const line of missing) console.log(line);
const wrong = missing.filter((line) => line.endsWith('is marked, and covered')).length;
if (total.lines === 0) throw new Error(`nothing was counted in ${objects}`);
if (wrong > 0 || percent(total.linesTaken, total.lines) < linesWanted || percent(total.branchesTaken, total.branches) < branchesWanted) {
    console.log(`below ${linesWanted}% of lines or ${branchesWanted}% of branches, or a mark that hides nothing`);
    process.exitCode = 1;
}
