/*
 * transfer.mjs - a large file from `trivet phone` to the server over loopback, in both versions of the protocol, beside what the machine
 * can do (bench_transfer_limits). Both ends share the machine, so on two cores neither has it to itself.
 *
 *     node tests/bench/transfer.mjs [MIB] [RUNS]        (BUILD names the folder of the build; default 512 and 5)
 *
 * The clock is the server's: from the request for the file to its being stored, durable and recorded, as the hook is told.
 */
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { BUILD, folder, processor, serve, trivet } from './server.mjs';

const MIB = Number(process.argv[2] ?? 512), RUNS = Number(process.argv[3] ?? 5);
const VERSION_1_MIB = Math.min(MIB, 25); // one message, twice in base64, within 50 MiB

const stored = path.join(folder, 'stored'), hook = path.join(folder, 'hook');
fs.writeFileSync(hook, `#!/bin/sh\ngrep file_stored >> ${stored}\n`, { mode: 0o755 });
fs.writeFileSync(stored, '');
const { data } = await serve({ TRIVET_HOOK: hook });

/* One file, anew; MB/s, and the server's processor seconds for a GB. */
async function transfer(version, mib, i) {
    const state = path.join(folder, `p${version}-${i}`), file = path.join(folder, 'file');
    const block = Buffer.alloc(1 << 20), fd = fs.openSync(file, 'w');
    for (let m = 0; m < mib; m++) fs.writeSync(fd, randomFillSync(block));
    fs.closeSync(fd);
    trivet('phone', '--state', state, 'init', '--pairing', trivet('pair', '--json'));
    trivet('phone', '--state', state, 'jot', 'add', '--image', file, '1');
    fs.rmSync(file);
    spawnSync('sync');
    const before = processor(), known = fs.readFileSync(stored, 'utf8').length;
    trivet('phone', '--state', state, 'sync', ...(version === 1 ? ['--v1'] : []));
    for (let i = 0; fs.readFileSync(stored, 'utf8').length === known; i++) {
        if (i > 3000) throw new Error('it is not stored');
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { bytes, duration } = JSON.parse(fs.readFileSync(stored, 'utf8').slice(known).split('\n')[0]);
    const result = { rate: bytes / 1e3 / duration, processor: (processor() - before) / 1e3 / (bytes / 1e9) };
    fs.rmSync(state, { recursive: true });
    for (const name of fs.readdirSync(path.join(data, 'jots'))) fs.rmSync(path.join(data, 'jots', name));
    return result;
}

const limits = () => JSON.parse(spawnSync(path.join(BUILD, 'bench/bench_transfer_limits'), ['--json'], { encoding: 'utf8' }).stdout);
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
for (const [version, mib, goal] of [[2, MIB, 0.6], [1, VERSION_1_MIB, 0.25]]) {
    const runs = [], boxes = [];
    for (let i = 0; i < RUNS; i++) {
        boxes.push(limits().seal);
        runs.push(await transfer(version, mib, i));
    }
    const rate = median(runs.map((r) => r.rate)), box = median(boxes);
    console.log(`version ${version}: ${mib} MiB at ${rate.toFixed(0)} MB/s (best ${Math.max(...runs.map((r) => r.rate)).toFixed(0)}), ${(rate / box).toFixed(2)} of secretbox's ${box.toFixed(0)} MB/s (goal ${goal}); the server's processor time ${median(runs.map((r) => r.processor)).toFixed(2)} s a GB`);
}
