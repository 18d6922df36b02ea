/*
 * version2.mjs - a phone of version 2 (protocol §7), written apart from the program: Debian's tweetnacl and ws, and a BLAKE2b of
 * its own. What it keeps of states is an App's storage (app.mjs), so that both kinds of phone can be compared.
 *
 *     const phone = new Phone2(pairing, new App({ … }));
 *     await phone.sync();                      // 'confirmed', 'cancelled', 'refused' (no proof), or { code } of the end
 *
 * `phone.key` and `phone.gen` are what it would keep on its disk; `phone.frames` is all that crossed the wire.
 */
import { spawnSync } from 'node:child_process';
import { nacl, WebSocket, toBase64, fromBase64 } from './app.mjs';

/* ---- BLAKE2b-256, keyed (RFC 7693) ------------------------------------------------------------------------ */

const MASK = (1n << 64n) - 1n;
const IV = [
    0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
    0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const SIGMA = [
    '0123456789abcdef', 'ea489fd61c02b753', 'b8c052fdae367194', '7931dcbe265a40f8', '905724afe1bc683d',
    '2c6a0b834d75fe19', 'c51fed4a0763928b', 'db7ec13950f4862a', '6fe9b308c2d714a5', 'a2847615fb9e3cd0',
].map((row) => [...row].map((digit) => parseInt(digit, 16)));
const rotate = (x, n) => ((x >> n) | (x << (64n - n))) & MASK;

function compress(h, block, count, last) {
    const view = new DataView(block.buffer, block.byteOffset, 128);
    const m = Array.from({ length: 16 }, (_, i) => view.getBigUint64(8 * i, true));
    const v = [...h, ...IV];
    v[12] ^= BigInt(count);
    if (last) v[14] ^= MASK;
    const mix = (a, b, c, d, x, y) => {
        v[a] = (v[a] + v[b] + x) & MASK;
        v[d] = rotate(v[d] ^ v[a], 32n);
        v[c] = (v[c] + v[d]) & MASK;
        v[b] = rotate(v[b] ^ v[c], 24n);
        v[a] = (v[a] + v[b] + y) & MASK;
        v[d] = rotate(v[d] ^ v[a], 16n);
        v[c] = (v[c] + v[d]) & MASK;
        v[b] = rotate(v[b] ^ v[c], 63n);
    };
    for (let round = 0; round < 12; round++) {
        const s = SIGMA[round % 10];
        for (let i = 0; i < 4; i++) mix(i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
        for (let i = 0; i < 4; i++) mix(i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4), m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
    }
    for (let i = 0; i < 8; i++) h[i] ^= v[i] ^ v[8 + i];
}

export function blake2b(key, message) {
    const h = [...IV];
    h[0] ^= 0x01010000n ^ (BigInt(key.length) << 8n) ^ 32n;
    const whole = new Uint8Array((key.length ? 128 : 0) + message.length);
    whole.set(key);
    whole.set(message, key.length ? 128 : 0);
    const blocks = Math.max(1, Math.ceil(whole.length / 128));
    for (let i = 0; i < blocks; i++) {
        const block = new Uint8Array(128);
        block.set(whole.subarray(128 * i, 128 * i + 128));
        compress(h, block, Math.min(whole.length, 128 * (i + 1)), i === blocks - 1);
    }
    const out = new DataView(new ArrayBuffer(32));
    for (let i = 0; i < 4; i++) out.setBigUint64(8 * i, h[i], true);
    return new Uint8Array(out.buffer);
}

/* Of a whole file, unkeyed, for which the one above is too slow: coreutils' b2sum. */
export function createHash256(bytes) {
    const { stdout } = spawnSync('b2sum', ['-l', '256'], { input: bytes, maxBuffer: 1 << 20 });
    return Buffer.from(String(stdout).slice(0, 64), 'hex');
}

/* ---- keys and frames -------------------------------------------------------------------------------------- */

const utf8 = (text) => new Uint8Array(Buffer.from(text, 'utf8'));
const join = (...parts) => new Uint8Array(Buffer.concat(parts));

export function derive({ key, ownSecret, theirPublic, computerPublic, keyInit }) {
    const psk = blake2b(utf8('trivet/2 pairing key'), key);
    const th = blake2b(utf8('trivet/2 transcript'), join(computerPublic, utf8(keyInit)));
    const prk = blake2b(psk, join(nacl.scalarMult(ownSecret, theirPublic), th));
    const of = (label) => blake2b(prk, utf8(label));
    return { psk, th, prk, proof: of('computer proof'), p2c: of('phone to computer'), c2p: of('computer to phone'), deviceKey: of('device key') };
}

export function nonceOf(count) {
    const nonce = new Uint8Array(24);
    new DataView(nonce.buffer).setBigUint64(0, BigInt(count), true);
    return nonce;
}

export const seal = (key, count, kind, body) => nacl.secretbox(join(Uint8Array.of(kind), body), nonceOf(count), key);

/* { kind, body }, or null. */
export function open(key, count, frame) {
    const plain = nacl.secretbox.open(frame, nonceOf(count), key);
    return plain && plain.length > 0 ? { kind: plain[0], body: plain.subarray(1) } : null;
}

/* ---- the phone -------------------------------------------------------------------------------------------- */

export class Phone2 {
    constructor(pairing, app, { key, gen = 0 } = {}) {
        Object.assign(this, { pairing, app, gen });
        this.key = key ?? new Uint8Array(Buffer.from(pairing.k, 'base64url'));
        this.hooks = {};
        Object.assign(this, { requests: [], acks: [], violations: [], giving: null });
    }

    /* Up to the proof, and then, if `greet`, the handshake. Resolves to 'open', 'refused' or { code }. */
    async connect({ greet = true, keyInit } = {}) {
        Object.assign(this, { frames: [], messages: [], sent: 0n, received: 0n, keys: null, waiters: [], end: null });
        this.pair = nacl.box.keyPair();
        const socket = new WebSocket(`ws://127.0.0.1:${this.port ?? this.pairing.port}/`, { maxPayload: 256 << 20, localAddress: this.from });
        this.socket = socket;
        this.keyInit = keyInit ?? JSON.stringify({ type: 'key_init', publicKey: toBase64(this.pair.publicKey), v: 2, device: this.pairing.device, gen: this.gen });
        socket.on('error', () => {});
        socket.on('open', () => socket.send(this.keyInit));
        // What an earlier connection still has to say concerns nobody.
        socket.on('message', (data, binary) => this.socket === socket && this.take(data, binary));
        socket.on('close', (code, reason) => {
            if (this.socket !== socket) return;
            this.end = { code, reason: String(reason) };
            this.wake();
        });
        const outcome = await this.until(() => this.keys !== null);
        if (outcome) return outcome;
        if (!this.proven) {
            socket.close(1000);
            return 'refused';
        }
        if (greet)
            this.send({ type: 'handshake', deviceId: this.app.deviceId, lastSyncTimestamp: this.app.storage.since, now: Date.now() + (this.clockOff ?? 0) });
        return 'open';
    }

    wake() {
        for (const waiter of this.waiters.splice(0)) waiter();
    }

    /* null once `check` holds, else how the connection ended. */
    async until(check, within = 10000) {
        const deadline = Date.now() + within;
        while (!check()) {
            if (this.end) return this.end;
            if (Date.now() > deadline) throw new Error(`waited ${within} ms, saw ${this.messages.map((m) => m.type)}`);
            await new Promise((resolve) => {
                this.waiters.push(resolve);
                setTimeout(resolve, 50).unref();
            });
        }
        return null;
    }

    take(data, binary) {
        this.frames.push({ way: 'in', binary, data: Buffer.from(data) });
        if (!this.keys) {
            this.exchange = JSON.parse(String(data));
            const theirPublic = fromBase64(this.exchange.publicKey);
            this.keys = derive({ key: this.key, ownSecret: this.pair.secretKey, theirPublic, computerPublic: theirPublic, keyInit: this.keyInit });
            this.proven = !binary && this.exchange.v === 2 && nacl.verify(this.keys.proof, fromBase64(this.exchange.proof));
        } else {
            const frame = binary && open(this.keys.c2p, this.received++, new Uint8Array(data));
            if (!frame || frame.kind !== 1) throw new Error('the computer sent a frame that does not open');
            // The computer has stored it by now.
            if (this.gen === 0 && !this.hooks.forgetsKey) Object.assign(this, { key: this.keys.deviceKey, gen: 1 });
            this.act(JSON.parse(Buffer.from(frame.body).toString('utf8')));
        }
        this.wake();
    }

    sendFrame(kind, body) {
        const frame = seal(this.keys.p2c, this.sent++, kind, body);
        this.frames.push({ way: 'out', binary: true, data: Buffer.from(frame) });
        this.socket.send(frame);
        return frame;
    }

    send(message) {
        return this.sendFrame(1, utf8(JSON.stringify(message)));
    }

    /* One round: the answer, then the confirm with what both agree on. */
    act(message) {
        this.messages.push(message);
        const { storage } = this.app;
        if (message.type === 'state_sync' && this.hooks.keepsQuiet) return;
        if (message.type === 'state_sync') {
            this.send({ type: 'state_sync', since: storage.since, ...this.app.state() });
            this.hooks.answered?.();
        } else if (message.type === 'sync_confirm') {
            if (message.snapshot && !this.hooks.ignoresConfirm) {
                const m = message.snapshot;
                storage.lists = { slots: m.lists, categories: m.listsCategories };
                storage.lockedLists = { slots: m.lockedLists, categories: m.lockedListsCategories };
                storage.scratchpad = { slots: m.scratchpad, categories: m.scratchpadCategories };
            }
            if (this.hooks.ignoresConfirm) return;
            storage.since = Math.max(Date.now(), storage.since + 1);
            if (!this.hooks.forgetsAck) this.send({ type: 'sync_ack', since: storage.since });
        } else if (message.type === 'jot_meta_request') {
            const jot = storage.jots.find((one) => one.id === message.jotId);
            if (jot) this.send({ type: 'jot_meta_response', jot });
        } else if (message.type === 'jot_clear_request') {
            storage.jots = storage.jots.filter((jot) => !message.jotIds.includes(jot.id));
            this.send({ type: 'jot_clear_ack', cleared: message.jotIds });
            this.sendManifest();
        } else if (message.type === 'file_request') this.giveFile(message);
        else if (message.type === 'file_ack') this.takeAck(message);
        else if (message.type === 'error' && message.path === 'transfer' && this.giving) this.giving.over = true;
    }

    /* ---- jots (protocol §5, and files in pieces as in §7) ---- */

    sendManifest() {
        const ids = (files) => (files ?? []).map((file) => file.id);
        this.send({ type: 'jot_manifest', jots: this.app.storage.jots.map((jot) => ({
            id: jot.id, hasText: Boolean(jot.text), hasDrawing: Boolean(jot.drawing), imageIds: ids(jot.images), audioIds: ids(jot.recordings), fileIds: ids(jot.files),
        })) });
    }

    sendPiece(transfer, offset, bytes) {
        const head = Buffer.alloc(12);
        head.writeUInt32LE(transfer, 0);
        head.writeBigUInt64LE(BigInt(offset), 4);
        this.pieceBytes = (this.pieceBytes ?? 0) + bytes.length;
        return this.sendFrame(2, join(head, bytes));
    }

    /*
     * Serves a file_request: pieces of 64 KiB, at most 1 MiB beyond the last ack, then the end. `hooks.piece` may change one, or
     * return false to be the one who goes on; `hooks.end` likewise the file_end.
     */
    giveFile(request) {
        const bytes = this.app.storage.bytes[request.fileId];
        this.requests.push(request);
        if (this.giving && !this.giving.over) this.violations.push('a second file_request before the end of the first');
        if (!bytes || request.offset > bytes.length) return void this.send({ type: 'file_end', transfer: request.transfer, error: 'file not found' });
        this.giving = { request, bytes, at: request.offset, acked: request.offset, over: false };
        this.goOn();
    }

    goOn() {
        const g = this.giving;
        while (g && !g.over && !g.held && this.socket.readyState === WebSocket.OPEN) {
            if (g.at === g.bytes.length) {
                g.over = true;
                const end = { type: 'file_end', transfer: g.request.transfer, size: g.bytes.length, hash: toBase64(createHash256(g.bytes)) };
                const told = this.hooks.end ? this.hooks.end(end, g) : end;
                if (told) this.send(told);
                return;
            }
            const room = Math.min(65536, g.acked + (1 << 20) - g.at);
            if (room <= 0) return;
            const piece = { transfer: g.request.transfer, offset: g.at, bytes: g.bytes.subarray(g.at, g.at + room) };
            const told = this.hooks.piece ? this.hooks.piece(piece, g) : piece;
            if (!told) {
                g.held = true;
                return;
            }
            g.at += piece.bytes.length;
            this.sendPiece(told.transfer, told.offset, told.bytes);
        }
    }

    takeAck(ack) {
        const g = this.giving;
        this.acks.push(ack);
        if (!g || ack.transfer !== g.request.transfer) return;
        if (ack.offset < g.acked || ack.offset > g.at) this.violations.push(`an ack of ${ack.offset}`);
        if (ack.offset - g.acked < 256 << 10) this.violations.push(`an ack of ${ack.offset - g.acked} bytes more`);
        g.acked = ack.offset;
        this.hooks.acked?.(ack, g);
        this.goOn();
    }

    of(type) {
        return this.messages.filter((m) => m.type === type);
    }

    async sync({ stay = false, manifest = this.app.storage.jots.length > 0 } = {}) {
        const opened = await this.connect();
        if (opened !== 'open') return opened;
        this.giving = null;
        this.send({ type: 'sync_request' });
        if (manifest) this.sendManifest();
        const end = await this.until(() => this.of('sync_confirm').length + this.of('sync_cancel').length > 0);
        if (end) return end;
        if (!stay) await this.close();
        return this.of('sync_confirm').length > 0 ? 'confirmed' : 'cancelled';
    }

    async close() {
        this.socket.close(1000);
        await this.until(() => false).catch(() => {});
    }
}
