/*
 * app.mjs - the phone app, version 1.1, written a second time: from the protocol's description, with Debian's
 * tweetnacl and ws and not a line of Trivet's own code, so that the tests do not only test Trivet against itself.
 *
 *     const phone = new App({ host, port, secret, deviceId: 'Pixel 9' });
 *     phone.add('lists', 0, 'milk');
 *     const end = await phone.sync();          // { kind: 'confirmed' | 'cancelled' | 'closed' | 'killed', … }
 *
 * All that the phone keeps is `phone.storage`, a plain object: clone it (a backup), put it back (a restore), replace
 * it by freshStorage() (a wipe). It does what the app does and no more: it keeps the computer's state aside, answers with
 * its own, and on a confirm stores `since`, lists, locked lists and scratchpads one after the other (merge §10), so
 * that `killAfterWrites` can end it between any two of them. It believes what it is told; what the computer may not
 * send (protocol §2, §3) is noted in `violations`, which the harness looks at after every test.
 *
 * To misbehave: `hooks`, `seal`, `sendText`, `sendMessage`, `sent` and `received`, at the end of the class.
 */
import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';

// Debian installs its modules here; another Node than Debian's does not look there by itself.
const require = createRequire(import.meta.url);
export const nacl = require('/usr/share/nodejs/tweetnacl');
export const WebSocket = require('/usr/share/nodejs/ws');

export const SLOTS = 6; // the app's number; it reads six of everything without looking
export const GROUPS = ['lists', 'lockedLists', 'scratchpad']; // in the order in which the app stores them

const STATE_KEYS = ['lists', 'lockedLists', 'listsCategories', 'lockedListsCategories', 'scratchpad', 'scratchpadCategories'];

const six = (make) => Array.from({ length: SLOTS }, (_, index) => make(index));
const categories = (section) => six((i) => ({ label: `CATEGORY ${i + 1}`, section, updatedAt: 0 }));

/* What the app holds right after it was installed: factory defaults, all with updatedAt 0 (merge §3). */
export function freshStorage() {
    return {
        since: 0,
        lists: { slots: six(() => []), categories: categories('lists') },
        lockedLists: { slots: six(() => []), categories: categories('lockedLists') },
        scratchpad: { slots: six(() => ({ content: '', updatedAt: 0 })), categories: categories('scratchpad') },
        jots: [],
        bytes: {}, // of jots' files, by file id
    };
}

/* ---- the channel, version 1 (protocol §2) ---------------------------------------------------------------- */

export const toBase64 = (bytes) => Buffer.from(bytes).toString('base64');
export const fromBase64 = (text) => new Uint8Array(Buffer.from(text, 'base64'));

/* An envelope's text. `message` is an object or the JSON itself. */
export function sealEnvelope(message, key, nonce = nacl.randomBytes(24)) {
    const plain = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message), 'utf8');
    return JSON.stringify({ enc: true, n: toBase64(nonce), d: toBase64(nacl.secretbox(new Uint8Array(plain), nonce, key)) });
}

/* The plaintext, or null for anything that is no good envelope. */
export function openEnvelope(text, key) {
    const standard = (value) => typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.replace(/=+$/, '').length % 4 !== 1;
    let envelope;
    try {
        envelope = JSON.parse(text);
    } catch {
        return null;
    }
    if (envelope?.enc !== true || !standard(envelope.n) || !standard(envelope.d)) return null;
    const nonce = fromBase64(envelope.n);
    if (nonce.length !== nacl.secretbox.nonceLength) return null;
    const plain = nacl.secretbox.open(fromBase64(envelope.d), nonce, key);
    return plain && Buffer.from(plain).toString('utf8');
}

/* ---- the phone ------------------------------------------------------------------------------------------- */

export class App {
    constructor({ host = '127.0.0.1', port, secret, deviceId = 'Pixel 9', storage = freshStorage(), clockOffset = 0 }) {
        Object.assign(this, { host, port, secret, deviceId, storage, clockOffset });
        this.hooks = {};
        this.legacy = false; // an old app: knows no scratchpads
        this.killAfterWrites = Infinity;
        this.violations = [];
        this.texts = []; // all that the user typed, for those who look whether it leaks
        this.keys = []; // session keys, likewise
        this.reset();
    }

    now() {
        return Date.now() + this.clockOffset;
    }

    /* ---- what the user does ---- */

    add(section, slot, text, extra = {}) {
        const items = this.storage[section].slots[slot];
        const now = this.now();
        const position = items.reduce((last, item) => Math.max(last, item.position + 1), 0);
        const item = { id: randomUUID(), text, done: false, position, createdAt: now, updatedAt: now, ...extra };
        items.push(item);
        this.texts.push(text);
        return item;
    }

    find(id) {
        for (const section of ['lists', 'lockedLists'])
            for (const [slot, items] of this.storage[section].slots.entries()) {
                const item = items.find((it) => it.id === id || it.id.startsWith(id));
                if (item) return { section, slot, item, items };
            }
        throw new Error(`the phone has no item ${id}`);
    }

    change(id, fields, at = this.now()) {
        const { item } = this.find(id);
        Object.assign(item, fields, { updatedAt: at });
        if (fields.text !== undefined) this.texts.push(fields.text);
        return item;
    }

    edit(id, text, at) {
        return this.change(id, { text }, at);
    }

    remove(id, at = this.now()) {
        return this.change(id, { deleted: true, deletedAt: at }, at);
    }

    undelete(id, at) {
        return this.change(id, { deleted: false, deletedAt: null }, at);
    }

    move(id, slot, at) {
        const { section, item, items } = this.find(id);
        items.splice(items.indexOf(item), 1);
        this.storage[section].slots[slot].push(item);
        return this.change(id, {}, at);
    }

    /* Forgets tombstones, as the app does when they are old. */
    purge() {
        for (const section of ['lists', 'lockedLists'])
            this.storage[section].slots = this.storage[section].slots.map((items) => items.filter((item) => !item.deleted));
    }

    setPad(slot, content, at = this.now()) {
        this.storage.scratchpad.slots[slot] = { content, updatedAt: at };
        this.texts.push(content);
    }

    setLabel(section, slot, label, at = this.now()) {
        this.storage[section].categories[slot] = { ...this.storage[section].categories[slot], label, updatedAt: at };
        this.texts.push(label);
    }

    backup() {
        return structuredClone(this.storage);
    }

    restore(storage) {
        this.storage = structuredClone(storage);
    }

    wipe() {
        this.storage = freshStorage();
    }

    /* The state document (merge §1), tombstones included. */
    state() {
        const { lists, lockedLists, scratchpad } = this.storage;
        const state = {
            lists: lists.slots,
            lockedLists: lockedLists.slots,
            listsCategories: lists.categories,
            lockedListsCategories: lockedLists.categories,
        };
        if (!this.legacy) Object.assign(state, { scratchpad: scratchpad.slots, scratchpadCategories: scratchpad.categories });
        return structuredClone(state);
    }

    /* ---- a connection ---- */

    reset() {
        this.socket = null;
        this.key = null;
        this.aside = null;
        this.answer = null; // the last state that this connection has shown the computer
        this.round = 0;
        this.fileAsked = false;
        this.held = [];
        this.log = [];
        this.cursor = 0;
        this.waiters = [];
        this.sent = []; // texts, as they crossed the wire
        this.received = [];
        this.nonces = new Set();
        this.chain = Promise.resolve();
    }

    get connected() {
        return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
    }

    /*
     * Opens the connection, and once the keys are there sends handshake, sync_request and jot_manifest in one go.
     * Resolves then, or when the connection ended; never rejects. `greet: false` leaves all of that to the test.
     */
    async connect({ greet = true, origin = true, path = '/', headers = {}, websocket = {} } = {}) {
        this.reset();
        const authority = `${this.host}:${this.port}`;
        this.pair = nacl.box.keyPair();
        const socket = new WebSocket(`ws://${authority}${path}`, {
            ...(origin ? { origin: origin === true ? `http://${authority}` : origin } : {}),
            headers,
            maxPayload: 256 << 20,
            ...websocket,
        });
        this.socket = socket;
        socket.on('open', () => {
            this.note('open');
            if (!greet) return;
            if (this.hooks.beforeKeyInit) this.hooks.beforeKeyInit();
            this.sendKeyInit();
            // The app's log timer knows nothing of keys.
            for (const lines of this.hooks.earlyLog ?? []) this.sendText(JSON.stringify({ type: 'debug_log', lines }));
        });
        socket.on('message', (data, binary) => {
            this.chain = this.chain.then(() => this.socket === socket && this.receive(data, binary)).catch((error) => {
                this.violations.push(`the app crashed: ${error.stack}`);
                socket.terminate();
            });
        });
        // What an earlier connection still has to say concerns nobody.
        const current = () => this.socket === socket;
        socket.on('unexpected-response', (request, response) => {
            this.note('closed', { code: -1, reason: `HTTP ${response.statusCode}`, status: response.statusCode });
            request.destroy();
        });
        socket.on('error', (error) => current() && this.note('error', { error }));
        socket.on('close', (code, reason) => {
            // Behind whatever came before it, as the app sees it.
            if (current()) this.chain = this.chain.then(() => current() && this.note('closed', { code, reason: String(reason) }));
        });
        this.ready = await this.wait(greet ? ['ready', 'closed', 'killed'] : ['open', 'closed']);
        return this.ready;
    }

    /* The user's button: one sync, whatever its end; on a new connection where there is none. */
    async sync(options) {
        const standing = this.connected && this.key;
        const before = standing ? this.round : 0;
        if (standing) this.requestSync();
        else if ((await this.connect(options)).kind !== 'ready') return this.ready;
        const end = await this.wait(['confirmed', 'dropped', 'cancelled', 'closed', 'killed'], options?.within);
        return { ...end, rounds: this.round - before };
    }

    requestSync() {
        this.sendMessage({ type: 'sync_request' });
    }

    /* Leaves in good order, and waits for the computer's part of it. */
    async disconnect() {
        if (!this.socket || this.socket.readyState === WebSocket.CLOSED) return;
        this.socket.close(1000);
        await this.wait(['closed'], 5000).catch(() => this.socket.terminate());
    }

    /* Cuts the connection as a lost network would. */
    cut() {
        this.socket?.terminate();
    }

    /* ---- what happened, in order ---- */

    note(kind, more = {}) {
        this.log.push({ kind, at: performance.now(), ...more });
        for (const waiter of this.waiters.splice(0)) waiter();
    }

    /* The next thing of one of these kinds that nobody has waited for yet. */
    async wait(kinds, within = 10000) {
        const deadline = Date.now() + within;
        for (;;) {
            const at = this.log.findIndex((entry, index) => index >= this.cursor && kinds.includes(entry.kind));
            if (at >= 0) {
                this.cursor = at + 1;
                return this.log[at];
            }
            const left = deadline - Date.now();
            if (left <= 0) throw new Error(`waited ${within} ms for ${kinds.join(' or ')}, saw: ${this.log.map((e) => e.kind).join(' ') || 'nothing'}`);
            let timer;
            await new Promise((resolve) => {
                this.waiters.push(resolve);
                timer = setTimeout(resolve, left);
            });
            clearTimeout(timer);
        }
    }

    messages(type) {
        return this.log.filter((entry) => entry.kind === 'message' && entry.message.type === type).map((entry) => entry.message);
    }

    /* ---- what the app does with a message ---- */

    async receive(data, binary) {
        const text = data.toString('utf8');
        this.received.push(text);
        if (binary) this.violations.push('a binary message in version 1');
        if (!this.key) return this.takeKey(JSON.parse(text));
        const plain = openEnvelope(text, this.key);
        if (plain === null) return void this.violations.push('a message that does not open');
        this.checkNonce(JSON.parse(text).n);
        const message = JSON.parse(plain);
        switch (message.type) {
            case 'state_sync':
                return this.takeState(message);
            case 'sync_confirm':
                return this.takeConfirm(message);
            case 'sync_cancel':
                this.aside = null;
                return this.note('cancelled');
            case 'heartbeat': // never answered
                break;
            case 'jot_meta_request':
                this.answerJots('jot_meta_response', { jot: this.storage.jots.find((jot) => jot.id === message.jotId) });
                break;
            case 'file_request':
                await this.giveFile(message);
                break;
            case 'jot_clear_request':
                if (message.jotIds.length !== 1) this.violations.push('a clear of several jots');
                if (this.hooks.onClear?.(message) === 'drop') break;
                this.storage.jots = this.storage.jots.filter((jot) => !message.jotIds.includes(jot.id));
                this.sendMessage({ type: 'jot_clear_ack', cleared: message.jotIds });
                this.sendManifest();
                break;
            case 'jot_download_request':
                this.violations.push('a jot_download_request: Android ends such a connection');
                break;
            case 'jot_refresh_request':
                this.answerJots('jot_refresh_response', { jots: this.storage.jots });
                this.sendManifest();
                break;
        }
        this.note('message', { message });
    }

    takeKey(message) {
        if (message.type !== 'key_exchange') return void this.violations.push(`${message.type} before the keys`);
        const theirs = fromBase64(message.publicKey);
        if (theirs.length !== 32) return void this.violations.push('a public key that is not 32 bytes');
        this.key = nacl.box.before(theirs, this.pair.secretKey);
        this.keys.push(this.key);
        if (this.hooks.beforeHandshake) this.hooks.beforeHandshake();
        if (this.hooks.greeting) this.hooks.greeting();
        else {
            this.sendHandshake();
            this.sendMessage({ type: 'sync_request' });
            this.sendManifest();
        }
        this.note('ready');
    }

    checkNonce(nonce) {
        if (this.nonces.has(nonce)) this.violations.push('a nonce used twice on one connection');
        this.nonces.add(nonce);
    }

    async takeState(message) {
        this.checkState(message, 'state_sync');
        if (typeof message.since !== 'number') this.violations.push('state_sync without since');
        this.aside = message;
        this.round++;
        this.note('state', { round: this.round, message });
        if (this.hooks.onState) await this.hooks.onState(message, this.round);
        let answer = { type: 'state_sync', ...this.state(), since: this.storage.since };
        if (this.hooks.answer) answer = await this.hooks.answer(answer, this.round);
        if (!answer) return;
        this.answer = answer;
        this.sendMessage(answer);
        this.note('answered', { round: this.round });
        if (this.hooks.afterAnswer) await this.hooks.afterAnswer(this.round);
    }

    async takeConfirm(message) {
        if (!['phone-wins', 'desktop-wins'].includes(message.mode)) this.violations.push(`a confirm with mode ${message.mode}`);
        if (typeof message.appliedAt !== 'number') this.violations.push('a confirm without appliedAt');
        if (message.snapshot !== undefined) {
            for (const key of STATE_KEYS) if (!(key in message.snapshot)) this.violations.push(`a snapshot without ${key}`);
            this.checkState(message.snapshot, 'snapshot');
        }
        const verdict = this.hooks.onConfirm ? await this.hooks.onConfirm(message) : undefined;
        if (verdict === 'drop') return this.note('dropped', { message });
        if (verdict === 'cut') {
            this.cut();
            return this.note('dropped', { message });
        }
        if (verdict === 'hold') {
            this.held.push({ message, aside: this.aside });
            return this.note('dropped', { message });
        }
        this.apply(message, this.aside);
    }

    /* A confirm that was held back arrives now. */
    applyHeld() {
        const { message, aside } = this.held.shift();
        this.apply(message, aside);
    }

    apply(message, aside) {
        const state = message.snapshot ?? (message.mode === 'desktop-wins' ? aside : null);
        const writes = [() => (this.storage.since = this.now())];
        if (state)
            for (const group of this.legacy ? ['lists', 'lockedLists'] : GROUPS) {
                // Six are read without looking; there may be more.
                const slots = state[group].map((slot) => slot);
                for (let i = 0; i < SLOTS; i++) void slots[i].length;
                writes.push(() => (this.storage[group] = structuredClone({ slots, categories: state[`${group}Categories`] })));
            }
        this.aside = null;
        for (const [index, write] of writes.entries()) {
            if (index >= this.killAfterWrites) {
                this.cut();
                return this.note('killed', { writes: index });
            }
            write();
        }
        this.note('confirmed', { mode: message.mode, snapshot: message.snapshot, message });
    }

    /* What a state that comes from the computer must hold (protocol §3). */
    checkState(state, name) {
        const complain = (what) => this.violations.push(`${name}: ${what}`);
        for (const key of STATE_KEYS) {
            const value = state[key];
            if (value === undefined && key.startsWith('scratchpad')) continue;
            if (!Array.isArray(value)) {
                complain(`${key} is no array`);
                continue;
            }
            if (value.length < Math.max(SLOTS, this.answer?.[key]?.length ?? 0)) complain(`${key} has ${value.length} slots`);
            for (const entry of value) {
                if (key.endsWith('Categories') ? typeof entry?.label !== 'string' || typeof entry.section !== 'string' || typeof entry.updatedAt !== 'number'
                    : key === 'scratchpad' ? typeof entry?.content !== 'string' || typeof entry.updatedAt !== 'number'
                    : !Array.isArray(entry)) complain(`${key} holds ${entry === null ? 'null' : typeof entry} where the app reads more`);
            }
        }
    }

    /*
     * Writes a jot: text, drawing, and files as { id, kind: 'image' | 'audio' | 'file', bytes, … }. The manifest that follows a
     * change is the caller's to send.
     */
    setJot(id, { text = '', drawing = null, files = [] } = {}) {
        const now = this.now();
        const jot = { id, text, drawing, images: [], recordings: [], files: [], textUpdatedAt: now, drawingUpdatedAt: now };
        for (const { id: fileId, kind = 'file', bytes = Buffer.alloc(0), ...more } of files) {
            const meta = { id: fileId, createdAt: 1767225600000, ...more };
            if (kind === 'image') jot.images.push({ format: 'jpg', ...meta });
            else if (kind === 'audio') jot.recordings.push({ duration: 1, format: 'm4a', ...meta });
            else jot.files.push({ fileName: fileId, mimeType: 'application/octet-stream', size: bytes.length, ...meta });
            this.storage.bytes[fileId] = bytes;
        }
        if (text) this.texts.push(text);
        this.storage.jots = [...this.storage.jots.filter((other) => other.id !== id), jot];
        return jot;
    }

    async giveFile(message) {
        const { jotId, fileId, fileType } = message;
        if (this.fileAsked) this.violations.push('a second file_request before the answer to the first');
        if (this.round > 0 && this.aside) this.violations.push('a file_request during a sync');
        this.fileAsked = true;
        const bytes = this.storage.bytes[fileId];
        const answer = { type: 'file_response', jotId, fileId, fileType };
        Object.assign(answer, bytes ? { data: toBase64(bytes), format: 'bin' } : { data: null, format: null, error: 'file not found' });
        const given = this.hooks.file ? await this.hooks.file(answer, message) : answer;
        if (given === 'drop') return;
        this.fileAsked = false;
        if (given && this.connected) this.sendMessage(given);
    }

    answerJots(type, body) {
        if (Object.values(body).every((value) => value !== undefined)) this.sendMessage({ type, ...body });
    }

    /* ---- sending, well or badly ---- */

    sendText(text) {
        this.sent.push(text);
        this.socket.send(text);
    }

    sendBinary(bytes) {
        this.socket.send(bytes, { binary: true });
    }

    seal(message, nonce) {
        return sealEnvelope(message, this.key, nonce);
    }

    sendMessage(message) {
        const envelope = this.seal(message);
        this.checkNonce(JSON.parse(envelope).n);
        this.sendText(envelope);
    }

    sendKeyInit() {
        this.sendText(JSON.stringify({ type: 'key_init', publicKey: toBase64(this.pair.publicKey) }));
    }

    sendHandshake(fields = {}) {
        this.sendMessage({ type: 'handshake', deviceId: this.deviceId, lastSyncTimestamp: this.storage.since, pairingSecret: this.secret, ...fields });
    }

    sendManifest() {
        const jots = this.storage.jots.map((jot) => ({
            id: jot.id,
            hasText: Boolean(jot.text),
            hasDrawing: Boolean(jot.drawing),
            imageIds: (jot.images ?? []).map((file) => file.id),
            audioIds: (jot.recordings ?? []).map((file) => file.id),
            fileIds: (jot.files ?? []).map((file) => file.id),
        }));
        this.sendMessage({ type: 'jot_manifest', jots });
    }
}
