/*
 * flood.mjs - attackers, each a program of its own so that it does not slow the phone that is measured.
 *
 *     node flood.mjs PORT PAIRING BYTES      for each line {"name":…,"ms":…} prints "begun", and what it did: {"ops":1234}
 *
 * An attack is a function that does one thing over and over (`ops` counts it) until its time is over. They come from
 * 127.0.0.2 and further addresses of the loopback network. BYTES is the size of the large messages.
 */
import net from 'node:net';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { App, nacl, sealEnvelope, toBase64 } from './app.mjs';

let port, deadline, pairing, size, ops = 0;
const held = []; // sockets that stay open; the oldest goes when there are too many for this program
const HELD_MAX = 4000;
const over = () => Date.now() >= deadline;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const address = (i) => `127.0.${1 + Math.floor(i / 250)}.${2 + (i % 250)}`;

function open(from = '127.0.0.2') {
    return new Promise((resolve) => {
        const socket = net.connect({ port, host: '127.0.0.1', localAddress: from });
        socket.on('error', () => resolve(null)).on('close', () => resolve(null)).once('connect', () => resolve(socket));
        setTimeout(() => resolve(null), 2000).unref();
    });
}

function hold(socket) {
    held.push(socket);
    if (held.length > HELD_MAX) held.shift().destroy();
}

const ended = (socket) => socket.destroyed || socket.writableEnded;

/* Waits until the socket takes more, or is gone. */
function drained(socket) {
    if (ended(socket)) return Promise.resolve();
    return new Promise((resolve) => {
        socket.once('drain', resolve).once('close', resolve);
        setTimeout(resolve, 100).unref();
    });
}

async function together(count, attack) {
    await Promise.all(Array.from({ length: count }, async (_, i) => {
        while (!over()) {
            await attack(i);
            await new Promise(setImmediate);
        }
    }));
}

/* Resolves with what the server says up to `pattern`, or to its end. */
function answer(socket, pattern, within = 500) {
    return new Promise((resolve) => {
        let text = '';
        const done = () => resolve(text);
        socket.on('data', (chunk) => {
            text += chunk.toString('latin1');
            if (pattern.test(text)) done();
        }).once('close', done);
        setTimeout(done, within).unref();
    });
}

/* ---- frames ---- */

const UPGRADE = 'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';

function head(first, length) {
    const bytes = Buffer.alloc(length < 126 ? 6 : length < 65536 ? 8 : 14);
    bytes[0] = first;
    bytes[1] = 0x80 | (length < 126 ? length : length < 65536 ? 126 : 127);
    if (length >= 65536) bytes.writeBigUInt64BE(BigInt(length), 2);
    else if (length >= 126) bytes.writeUInt16BE(length, 2);
    return bytes; // the mask is zeros
}

const frame = (first, payload = '') => Buffer.concat([head(first, Buffer.byteLength(payload)), Buffer.from(payload)]);
const many = (count, bytes) => Buffer.concat(Array.from({ length: count }, () => bytes));

/* Opens a WebSocket, sends `bytes`, and what more() gives until the connection is over; counts the pieces. */
async function upgraded(from, bytes, more) {
    const socket = await open(from);
    if (!socket) return;
    socket.write(UPGRADE);
    if (bytes) socket.write(bytes);
    ops++;
    if (!more) {
        await answer(socket, /\x88/);
        socket.destroy();
        return;
    }
    socket.resume();
    for (let piece; !over() && !ended(socket) && (piece = more()); ops++) if (!socket.write(piece)) await drained(socket);
    socket.destroy();
}

const keyInit = (more = '') => `{"type":"key_init","publicKey":"${toBase64(nacl.randomBytes(32))}"${more}}`;

/* ---- a paired phone that went bad ---- */

function paired() {
    const app = new App({ port, secret: pairing.secret, deviceId: 'attacker' });
    app.hooks.answer = () => null;
    return app;
}

/* Connects, does its worst until it is put out, and again. */
async function asPhone(worst) {
    do {
        const app = paired();
        await app.connect();
        if (app.connected) await worst(app);
        app.cut();
    } while (!over());
}

/* Sends what make() seals, as fast as it is taken; one at least. */
async function sendAll(app, make, count = Infinity) {
    for (let i = 0; i < count && (i === 0 || !over()) && app.connected; i++, ops++) {
        app.socket.send(make());
        if (app.socket.bufferedAmount > 1 << 20) await pause(1);
        await new Promise(setImmediate);
    }
    for (const end = Date.now() + 300; !over() && app.connected && Date.now() < end; ) await pause(5);
}

/* Messages of about `size` bytes; ten of those that are refused end a connection. */
const bomb = (make) => async () => {
    const text = make(size);
    await asPhone((app) => sendAll(app, () => app.seal(text), 10));
};

const ATTACKS = {
    'connections, closed at once': () => together(30, async () => {
        const socket = await open();
        if (!socket) return;
        ops++;
        socket.destroy();
    }),
    'connections that say nothing, from one address': () => together(30, async () => {
        const socket = await open();
        if (!socket) return;
        ops++;
        hold(socket);
    }),
    'connections that say nothing, from a thousand addresses': () => {
        let i = 0;
        return together(30, async () => {
            const socket = await open(address(i++ % 1000));
            if (!socket) return;
            ops++;
            hold(socket);
        });
    },
    'WebSockets that say nothing': () => {
        let i = 0;
        return together(30, async () => {
            const socket = await open(address(i++ % 1000));
            if (!socket) return;
            socket.write(UPGRADE);
            ops++;
            hold(socket);
        });
    },
    'requests of a byte at a time': () => together(60, async (i) => {
        const socket = await open(address(i));
        if (!socket) return;
        for (const byte of 'GET /ping HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy') {
            if (over() || ended(socket)) break;
            socket.write(byte);
            ops++;
            await pause(10);
        }
        socket.destroy();
    }),
    'frames of a byte at a time': () => together(60, async (i) => {
        const socket = await open(address(i));
        if (!socket) return;
        socket.write(UPGRADE);
        for (const byte of [...head(0x81, 4000), ...many(2000, Buffer.from('{'))]) {
            if (over() || ended(socket)) break;
            socket.write(Buffer.from([byte]));
            ops++;
            await pause(10);
        }
        socket.destroy();
    }),
    'answers that nobody reads': () => {
        let i = 0;
        return together(30, async () => {
            const socket = await open(address(i++ % 1000));
            if (!socket) return;
            socket.pause();
            hold(socket);
            for (let n = 0; n < 40 && !over() && !ended(socket); n++, ops += 100) {
                socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100));
                await pause(1);
            }
        });
    },
    'heads without end': () => together(20, async () => {
        const socket = await open();
        if (!socket) return;
        socket.write(`GET /ping HTTP/1.1\r\n${'X: yyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(1000)}`);
        ops++;
        await answer(socket, /431/);
        socket.destroy();
    }),
    'bodies in tiny chunks': () => together(20, async () => {
        const socket = await open();
        if (!socket) return;
        socket.write(`POST /ping HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(30000)}`);
        ops++;
        await answer(socket, /413/);
        socket.destroy();
    }),
    'GET /ping': () => together(8, async (i) => {
        const socket = await open(address(i));
        if (!socket) return;
        for (; !over() && !ended(socket); ops += 50) {
            socket.write('GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(50));
            let lines = 0;
            await new Promise((resolve) => {
                const count = (chunk) => {
                    lines += chunk.toString('latin1').split('HTTP/1.1 200').length - 1;
                    if (lines >= 50) socket.off('data', count), resolve();
                };
                socket.on('data', count).once('close', resolve);
                setTimeout(resolve, 1000).unref();
            });
        }
        socket.destroy();
    }),
    'GET /metrics': () => together(8, async (i) => {
        const socket = await open(address(i));
        if (!socket) return;
        for (; !over() && !ended(socket); ops++) {
            socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n');
            await answer(socket, /_total[\s\S]*\n$/);
            socket.removeAllListeners('data');
        }
        socket.destroy();
    }),
    'GET /prove': () => together(8, async (i) => {
        const socket = await open(address(i));
        if (!socket) return;
        for (; !over() && !ended(socket); ops++) {
            socket.write(`GET /prove/00000000/${'a5'.repeat(32)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
            await answer(socket, /proof":"[0-9a-f]{128}/);
            socket.removeAllListeners('data');
        }
        socket.destroy();
    }),
    'huge frames announced': () => together(20, () => upgraded(undefined, Buffer.concat([head(0x82, 2 ** 40), Buffer.from('x')]))),
    'messages over the limit': () => together(20, () => upgraded(undefined, frame(0x81, 'x'.repeat(60000)))),
    'fragments of nothing, without end': () => together(4, (i) => {
        const piece = many(2000, frame(0x00));
        let first = true;
        return upgraded(address(i), null, () => (first ? ((first = false), frame(0x01)) : piece));
    }),
    'pings': () => together(64, (i) => {
        const piece = many(500, frame(0x89, 'p'.repeat(125)));
        return upgraded(address(i), null, () => piece);
    }),
    'pings, and nobody reads the pongs': () => together(4, async (i) => {
        const socket = await open(address(i));
        if (!socket) return;
        socket.write(UPGRADE);
        socket.pause();
        const piece = many(500, frame(0x89, 'p'.repeat(125)));
        for (; !over() && !ended(socket); ops++) if (!socket.write(piece)) await drained(socket);
        socket.destroy();
    }),
    'pongs': () => together(4, (i) => {
        const piece = many(500, frame(0x8a, 'p'.repeat(125)));
        return upgraded(address(i), null, () => piece);
    }),
    'text that is no UTF-8': () => together(20, () => upgraded(undefined, frame(0x81, Buffer.from('{"type":"\xff"}', 'latin1')))),
    'nonsense after a violation': () => together(4, (i) => {
        const piece = Buffer.alloc(65536, 0x83);
        return upgraded(address(i), null, () => piece);
    }),
    'key_init nested': () => together(20, () => upgraded(undefined, frame(0x81, `{"type":"key_init","x":${'['.repeat(4000)}`))),
    'key_init with a thousand keys': () => together(20, () => upgraded(undefined, frame(0x81, `{"type":"key_init",${Array.from({ length: 500 }, (_, i) => `"${i}":0`).join(',')}}`))),
    'key_init with a number of 4000 digits': () => together(20, () => upgraded(undefined, frame(0x81, `{"type":"key_init","v":${'9'.repeat(4000)}}`))),
    'key_init of escapes': () => together(20, () => upgraded(undefined, frame(0x81, keyInit(`,"x":"${'\\ud800'.repeat(600)}"`)))),
    'key_init, version 1': () => together(20, async () => {
        const socket = await open();
        if (!socket) return;
        socket.write(UPGRADE);
        socket.write(frame(0x81, keyInit()));
        ops++;
        await answer(socket, /key_exchange/);
        socket.destroy();
    }),
    'key_init, version 2, for devices that there are not': () => together(20, async () => {
        const socket = await open();
        if (!socket) return;
        socket.write(UPGRADE);
        socket.write(frame(0x81, keyInit(`,"v":2,"device":"${toBase64(nacl.randomBytes(9))}","gen":1`)));
        ops++;
        await answer(socket, /key_exchange/);
        socket.destroy();
    }),
    'wrong secrets': () => {
        let i = 0;
        return together(20, async () => {
            const socket = await open(address(i++ % 1000));
            if (!socket) return;
            const pair = nacl.box.keyPair();
            socket.write(UPGRADE);
            socket.write(frame(0x81, `{"type":"key_init","publicKey":"${toBase64(pair.publicKey)}"}`));
            const theirs = (await answer(socket, /key_exchange","publicKey":"[^"]{44}/)).match(/"publicKey":"([^"]{44})/)?.[1];
            if (!theirs) return socket.destroy();
            const key = nacl.box.before(Buffer.from(theirs, 'base64'), pair.secretKey);
            socket.write(frame(0x81, sealEnvelope({ type: 'handshake', deviceId: 'x', lastSyncTimestamp: 0, pairingSecret: '11111111-2222-4333-8444-555555555555' }, key)));
            ops++;
            hold(socket);
        });
    },

    /* From here on with the secret of a paired phone. */
    'a phone: messages without end': () => asPhone((app) => sendAll(app, () => app.seal('{"type":"heartbeat"}'))),
    'a phone: refused messages': () => asPhone((app) => sendAll(app, () => app.seal('{"type":"debug_log","lines":5}'))),
    'a phone: syncs without end': () => asPhone((app) => sendAll(app, () => app.seal('{"type":"sync_request"}'))),
    'a phone: nesting': bomb((n) => `{"type":"debug_log","lines":${'['.repeat(n)}`),
    'a phone: nested manifests': bomb((n) => `{"type":"jot_manifest","jots":${'[{"a":'.repeat(n / 6)}`),
    'a phone: keys': bomb((n) => `{"type":"jot_manifest",${Array.from({ length: n / 12 }, (_, i) => `"${i}":0`).join(',')}}`),
    'a phone: numbers': bomb((n) => `{"type":"jot_manifest","jots":[${'1,'.repeat(n / 2)}1]}`),
    'a phone: one number': bomb((n) => `{"type":"jot_manifest","jots":[{"id":${'9'.repeat(n)}}]}`),
    'a phone: one text': bomb((n) => `{"type":"debug_log","lines":["${'x'.repeat(n)}"]}`),
    'a phone: escapes': bomb((n) => `{"type":"debug_log","lines":["${'\\u0000'.repeat(n / 6)}"]}`),
    'a phone: a state of nesting': bomb((n) => `{"type":"state_sync","lists":${'['.repeat(n)}`),
    'a phone: a state of numbers': bomb((n) => `{"type":"state_sync","lists":[[${'1,'.repeat(n / 2)}1]],"lockedLists":[],"listsCategories":[],"lockedListsCategories":[],"since":0}`),
    'a phone: a state of empty items, the last one refused': bomb((n) => `{"type":"state_sync","lists":[[${Array.from({ length: n / 75 }, (_, i) => `{"id":"${i}","text":"","done":false,"position":0,"createdAt":0,"updatedAt":0}`).join(',')},{}]],"lockedLists":[],"listsCategories":[],"lockedListsCategories":[],"since":0}`),
    'a phone: a message that never ends': () => asPhone(async (app) => {
        const piece = many(16, frame(0x00, 'x'.repeat(65000)));
        app.socket._socket.write(frame(0x01, '{'));
        for (; !over() && app.connected; ops++) if (!app.socket._socket.write(piece)) await drained(app.socket._socket);
    }),
    'a phone: fragments of nothing, without end': () => asPhone(async (app) => {
        const piece = many(2000, frame(0x00));
        app.socket._socket.write(frame(0x01));
        for (; !over() && app.connected; ops++) if (!app.socket._socket.write(piece)) await drained(app.socket._socket);
    }),
    'a phone: fragments of seven bytes': () => asPhone(async (app) => {
        const piece = many(2000, frame(0x00, '1234567'));
        app.socket._socket.write(frame(0x01));
        for (; !over() && app.connected; ops++) if (!app.socket._socket.write(piece)) await drained(app.socket._socket);
    }),
    'a phone: pings': () => asPhone(async (app) => {
        const piece = many(500, frame(0x89, 'p'.repeat(125)));
        for (; !over() && app.connected; ops++) if (!app.socket._socket.write(piece)) await drained(app.socket._socket);
    }),
    'a phone: answers that it does not read': () => asPhone(async (app) => {
        app.socket._socket.pause();
        const piece = many(500, frame(0x89, 'p'.repeat(125)));
        for (let i = 0; !over() && app.connected; i++, ops++) {
            if (i % 20 === 0) app.socket.send(app.seal('{"type":"sync_request"}'));
            if (!app.socket._socket.write(piece)) await drained(app.socket._socket);
        }
    }),
};

export const NAMES = Object.keys(ATTACKS);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    process.on('uncaughtException', (error) => {
        if (!/ECONN|EPIPE|EADDR|write after end/.test(String(error))) throw error;
    });
    port = Number(process.argv[2]);
    pairing = JSON.parse(process.argv[3]);
    size = Number(process.argv[4]);
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const { name, ms } = JSON.parse(line);
        ops = 0;
        deadline = Date.now() + ms;
        process.stdout.write('begun\n');
        await ATTACKS[name]();
        process.stdout.write(`${JSON.stringify({ ops })}\n`);
        for (const socket of held.splice(0)) socket.destroy();
    }
    process.exit(0);
}
