/*
 * opening.mjs - whether the clock tells an unknown device from a wrong key, and from a revoked one (protocol §7).
 *
 *     node tests/bench/opening.mjs [ATTEMPTS]          (TRIVET names the program; default 1000 of each sort)
 *
 * Strangers of each sort come in random order, and each is timed from its key_init to the computer's key_exchange, which is where a lookup would
 * show. Medians and quartiles are printed in microseconds, and how far each sort's median is from the first one's; the first sort is
 * measured twice, so that the second line says what the noise is. No bound is asserted here: that the work is the same, block by block, is
 * tests/test_opening_work.c's to say.
 */
import { nacl, toBase64, WebSocket } from '../scenario/app.mjs';
import { serve, trivet } from './server.mjs';

const ATTEMPTS = Number(process.argv[2] ?? 1000);

const { port } = await serve();
const pair = () => JSON.parse(trivet('pair', '--json')).device;
const first = pair();
for (let i = 0; i < 8; i++) pair();
const revoked = pair(), last = pair();
trivet('devices', 'revoke', revoked);
const sorts = { 'wrong key': first, 'the same again': first, 'wrong key, last device': last, 'unknown device': 'zzzzzzzz', 'revoked device': revoked };
const publicKey = toBase64(nacl.box.keyPair().publicKey);

function once(device, n) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false, localAddress: `127.6.${(n >> 7) & 127}.${(n & 127) + 1}` });
    // Made before the clock starts: a literal and a string that was read are not equally fast to write.
    const keyInit = Buffer.from(JSON.stringify({ type: 'key_init', publicKey, v: 2, device, gen: 0 }));
    return new Promise((resolve, reject) => {
        let began, took;
        socket.on('open', () => {
            began = process.hrtime.bigint();
            socket.send(keyInit, { binary: false });
        });
        socket.on('message', () => {
            took = Number(process.hrtime.bigint() - began) / 1000;
            socket.terminate();
        });
        socket.on('close', () => (took ? resolve(took) : reject(new Error('no answer'))));
        socket.on('error', reject);
    });
}

const times = Object.fromEntries(Object.keys(sorts).map((name) => [name, []]));
const shuffled = (list) => list.map((value) => [Math.random(), value]).sort((a, b) => a[0] - b[0]).map(([, value]) => value);
for (let i = -20; i < ATTEMPTS; i++)
    for (const [name, device] of shuffled(Object.entries(sorts))) {
        const took = await once(device, i & 8191);
        if (i >= 0) times[name].push(took);
    }
const at = (sorted, part) => sorted[Math.floor(part * (sorted.length - 1))];
const median = Object.values(times).map((list) => at(list.sort((a, b) => a - b), 0.5))[0];
for (const [name, list] of Object.entries(times)) {
    const middle = at(list, 0.5);
    console.log(`${name.padEnd(24)} median ${middle.toFixed(1)} us, quartiles ${at(list, 0.25).toFixed(1)} and ${at(list, 0.75).toFixed(1)}, ${(middle - median >= 0 ? '+' : '') + (middle - median).toFixed(1)} us`);
}
process.exit(0);
