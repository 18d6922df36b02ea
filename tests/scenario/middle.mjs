/*
 * middle.mjs - somebody between phone and computer, who holds none of their keys: passes messages on, and meddles with one of them.
 *
 *     const middle = await between(s, s.server.port);          // middle.port is where the phone connects
 *     middle.meddle = { way: 'up', index: 2, how: 'altered' }; // up: phone to computer
 *     … a sync …
 *     middle.outcome()                                         // 'C 4004': the computer ended it so; 'waits': nobody did
 *
 * `middle.seen` is every message as it came, which is all that he could read. After he has meddled and nothing has come from either side
 * for a while he ends both connections, as a network does in time; `outcome` is 'waits' then. Each has an address of his own, since
 * wrong keys are slowed down by address.
 */
import { WebSocket } from './app.mjs';
import { sleep } from './harness.mjs';

const QUIET = 1600; // ms; longer than the delay of a first wrong key, shorter than any time-out
let hosts = 0;

const flip = (data, at, bit = 1) => {
    const copy = Buffer.from(data);
    copy[at] ^= bit;
    return copy;
};

/* A change that leaves a message as well formed as it was: another key, another ciphertext. */
function altered(data, binary) {
    if (binary) return flip(data, data.length >> 1);
    const message = JSON.parse(data.toString());
    const name = ['publicKey', 'd'].find((key) => key in message);
    const bytes = Buffer.from(message[name], 'base64');
    return Buffer.from(JSON.stringify({ ...message, [name]: flip(bytes, bytes.length >> 1).toString('base64') }));
}

/* What makes version 1 of a key_init or key_exchange of version 2. */
function downgraded(data) {
    const { type, publicKey } = JSON.parse(data.toString());
    return Buffer.from(JSON.stringify({ type, publicKey }));
}

export class Middle {
    constructor(target) {
        Object.assign(this, { target, meddle: null, seen: [], localAddress: `127.3.${++hosts >> 7}.${(hosts & 127) + 1}` });
        this.server = new WebSocket.Server({ port: 0, host: '127.0.0.1', perMessageDeflate: false, maxPayload: 64 << 20 });
        this.server.on('connection', (phone) => this.relay(phone));
    }

    get port() {
        return this.server.address().port;
    }

    relay(phone) {
        const { localAddress } = this;
        const computer = new WebSocket(`ws://127.0.0.1:${this.target}/`, { localAddress, perMessageDeflate: false, maxPayload: 64 << 20 });
        const sides = { up: computer, down: phone }; // where a message of that way goes
        const early = [];
        Object.assign(this, { counts: { up: 0, down: 0 }, first: null, meddled: false, held: null, cut: false, ended: 0 });
        let timer;
        const quiet = () => {
            clearTimeout(timer);
            if (this.meddled) timer = setTimeout(() => { this.cut = true; phone.terminate(); computer.terminate(); }, QUIET);
        };
        const forward = (way, data, binary) => {
            if (way === 'up' && computer.readyState === WebSocket.CONNECTING) early.push([data, binary]);
            else if (sides[way].readyState === WebSocket.OPEN) sides[way].send(data, { binary });
        };
        const take = (way) => (data, binary) => {
            const index = this.counts[way]++;
            this.seen.push({ way, index, binary, data: Buffer.from(data) });
            const { meddle } = this;
            if (this.held && this.held.way === way) {
                forward(way, data, binary);
                forward(way, this.held.data, this.held.binary);
                this.held = null;
            } else if (!meddle || meddle.way !== way || meddle.index !== index) {
                forward(way, data, binary);
            } else {
                this.meddled = true;
                this.act(meddle, { way, data, binary }, forward, sides);
            }
            quiet();
        };
        const end = (who, other) => (code) => {
            this.first ??= this.cut ? 'waits' : `${who} ${code}`;
            this.ended++;
            clearTimeout(timer);
            // Passed on as it is, where it may be said.
            if (code === 1000 || (code >= 4000 && code < 5000)) other.close(code);
            else other.terminate();
        };
        computer.on('open', () => early.splice(0).forEach(([data, binary]) => computer.send(data, { binary })));
        phone.on('message', take('up')).on('close', end('P', computer)).on('error', () => {});
        computer.on('message', take('down')).on('close', end('C', phone)).on('error', () => {});
    }

    act({ how, with: other }, { way, data, binary }, forward, sides) {
        const back = way === 'up' ? 'down' : 'up';
        if (how === 'altered') forward(way, altered(data, binary), binary);
        else if (how === 'changed') forward(way, Buffer.from(JSON.stringify({ ...JSON.parse(data.toString()), ...other })), binary);
        else if (how === 'replayed') {
            // In one piece, so that the first is not half answered when the second comes.
            sides[way]._socket?.cork();
            [data, data].forEach((copy) => forward(way, copy, binary));
            sides[way]._socket?.uncork();
        }
        else if (how === 'reordered') this.held = { way, data, binary };
        else if (how === 'truncated') forward(way, data.subarray(0, data.length - 1), binary);
        else if (how === 'reflected') forward(back, data, binary);
        else if (how === 'downgraded') forward(way, downgraded(data), binary);
        else if (how === 'closed') sides[way].close(other, 'forged');
        else if (how !== 'dropped') throw new Error(how);
    }

    /* Of the last connection: who ended it, and how. */
    async outcome() {
        for (let i = 0; i < 200 && !this.first; i++) await sleep(10);
        return this.first ?? 'open';
    }

    holds(text) {
        return this.seen.some(({ data }) => data.includes(text));
    }
}

export async function between(s, target) {
    const middle = new Middle(target);
    await new Promise((resolve) => middle.server.once('listening', resolve));
    s.later(() => {
        for (const client of middle.server.clients) client.terminate();
        return new Promise((resolve) => middle.server.close(resolve));
    });
    return middle;
}
