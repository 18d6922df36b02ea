#!/usr/bin/env node
// Holds the engine against the oracle (merge.mjs), byte for byte: on random histories, and on the cases in fixtures/merge. Prints
// TAP. Run it where the Makefile is.
//
//   node tests/oracle/compare.mjs [CASES] [SEED]     3,000 cases from seed 1 where nothing else is said; TRIVET: the program
//
// The seeds are counted up, one for each case: `compare.mjs 1 SEED` runs one again. Many cases at a time become a folder of
// fixtures with the oracle's result as what is expected, which `trivet merge --check` runs. One that fails is made as small as
// possible and stays as a fixture folder, ready to be kept in fixtures/merge.
//
// Where the rules leave a choice (which of several longest common subsequences aligns two texts, merge §4), the oracle tells
// all outcomes that they allow, and the engine's must be one of them.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { document, generate, smaller } from './histories.mjs';
import { parse } from './json.mjs';
import { merge, tiesOf } from './merge.mjs';

const trivet = process.env.TRIVET ?? 'build/trivet';
const BATCH = 1000;
const base = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
const work = fs.mkdtempSync(path.join(base, 'trivet-oracle.'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));

// The files of a case, with all results that the rules allow.
const solve = (one) => {
    const input = { options: one.options };
    for (const name of ['ancestor', 'phone', 'computer', 'guard']) if (one[name]) input[name] = document(one[name]);
    const free = {};
    if (one.answers) {
        const ties = tiesOf(merge(input, 0, free));
        // Where texts merge in several ways, not all need tie.
        if (ties.length && !(free.outcomes > 1))
            input.picks = ties.map(({ section, slot, itemId, field }, i) =>
                ({ section, slot, itemId, field, pick: one.answers === 'mixed' ? ['phone', 'computer'][i % 2] : one.answers }));
    }
    const results = [merge(input, 0, free)];
    for (let choice = 1; choice < free.outcomes; choice++) results.push(merge(input, choice));
    return { input, results: [...new Set(results)] };
};

const write = (folder, { input, results }, about) => {
    fs.mkdirSync(folder, { recursive: true });
    const put = (name, content) => fs.writeFileSync(path.join(folder, name), `${content}\n`);
    for (const name of ['ancestor', 'phone', 'computer', 'guard']) if (input[name]) put(`${name}.json`, input[name]);
    if (Object.keys(input.options).length) put('options.json', JSON.stringify(input.options));
    if (input.picks) put('picks.json', JSON.stringify(input.picks));
    put('expected.json', results[0]);
    put('about', about);
};

// Which of the cases the engine has otherwise: their indices, with what it has.
const disagreements = (solved) => {
    const folder = path.join(work, 'cases');
    fs.rmSync(folder, { recursive: true, force: true });
    const inside = (i) => path.join(folder, String(i).padStart(6, '0'));
    solved.forEach((one, i) => write(inside(i), one, `case ${i}`));
    // One more, with a result that cannot be: it shows that differences are seen.
    write(inside(solved.length), { input: { options: {}, phone: '{}', computer: '{}' }, results: ['{}'] }, 'wrong on purpose');
    // Rewrites what is expected where it differs.
    const run = spawnSync(trivet, ['merge', '--check', '--accept', folder], { encoding: 'utf8', maxBuffer: 2 ** 30 });
    if (run.error || run.signal || run.status > 1) throw new Error(`${trivet}: ${run.error ?? run.signal ?? run.stderr}`);
    const has = (i) => parse(fs.readFileSync(path.join(inside(i), 'expected.json'), 'utf8')).raw;
    if (has(solved.length) === '{}') throw new Error(`${trivet} merge --check --accept saw no difference`);
    return new Map(solved.map((one, i) => [i, has(i)]).filter(([i, got]) => !solved[i].results.includes(got)));
};

const shrink = (one) => {
    for (let again = true; again;) {
        again = false;
        const candidates = smaller(one);
        const solved = [];
        for (const candidate of candidates) {
            try {
                solved.push({ candidate, ...solve(candidate) });
            } catch { /* too small to be a case */ }
        }
        const first = [...disagreements(solved).keys()].sort((x, y) => x - y)[0];
        if (first !== undefined) {
            one = solved[first].candidate;
            again = true;
        }
    }
    return one;
};

const count = Number(process.argv[2] ?? 3000);
const seed = Number(process.argv[3] ?? 1);
if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
    console.error('usage: compare.mjs [CASES] [SEED]');
    process.exit(64);
}
const kept = [];
let failed = 0;
for (let done = 0; done < count && kept.length < 5; done += BATCH) {
    const cases = Array.from({ length: Math.min(BATCH, count - done) }, (_, i) => generate(seed + done + i));
    for (const i of disagreements(cases.map(solve)).keys()) {
        failed++;
        if (kept.length >= 5) continue;
        const small = solve(shrink(cases[i]));
        const got = disagreements([small]).get(0);
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), `trivet-oracle-${seed + done + i}.`));
        write(folder, small, `seed ${seed + done + i}`);
        kept.push(`# seed ${seed + done + i}: ${folder}\n#   the oracle: ${small.results.join('\n#           or: ')}\n#   the engine: ${got}`);
    }
}
console.log(`${failed ? 'not ok' : 'ok'} 1 - random histories, ${count} from seed ${seed}: the engine has what the oracle has`);
if (failed) console.log(`# ${failed} differ; the first, made small:\n${kept.join('\n')}`);

// The cases that were written by hand, where a state is none that is refused.
const fixtures = (folder) => fs.readdirSync(folder, { withFileTypes: true }).flatMap((one) => {
    const inside = path.join(folder, one.name);
    return !one.isDirectory() ? [] : fs.existsSync(path.join(inside, 'expected.json')) ? [inside] : fixtures(inside);
});
const wrong = fixtures('fixtures/merge').filter((folder) => {
    const read = (name) => (fs.existsSync(path.join(folder, `${name}.json`)) ? fs.readFileSync(path.join(folder, `${name}.json`), 'utf8') : undefined);
    const expected = parse(read('expected')).raw;
    if (expected.startsWith('{"error":')) return false;
    const [picks, options] = [read('picks'), read('options')].map((source) => (source ? JSON.parse(source) : undefined));
    const input = { picks, options };
    for (const name of ['ancestor', 'phone', 'computer', 'guard']) input[name] = read(name);
    const free = {};
    const results = [merge(input, 0, free)];
    for (let choice = 1; choice < free.outcomes; choice++) results.push(merge(input, choice));
    return !results.includes(expected);
});
console.log(`${wrong.length ? 'not ok' : 'ok'} 2 - the oracle has what fixtures/merge expects`);
for (const folder of wrong) console.log(`# ${folder}`);
console.log('1..2');
process.exit(failed || wrong.length ? 1 : 0);
