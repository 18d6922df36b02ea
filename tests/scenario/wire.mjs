/*
 * wire.mjs - what crosses a TCP connection, recorded byte for byte by a relay, and taken apart again: HTTP's heads and the frames of
 * RFC 6455, by a reader of its own.
 */
import net from 'node:net';

/* Between a phone and the server on `target`. `wire.streams` has one { up, down } for each connection: whole, as Buffers. */
export async function recorder(s, target) {
    const wire = { streams: [] };
    const server = net.createServer((phone) => {
        const chunks = { up: [], down: [] };
        const computer = net.connect(target, '127.0.0.1');
        wire.streams.push({
            get up() { return Buffer.concat(chunks.up); },
            get down() { return Buffer.concat(chunks.down); },
        });
        phone.on('data', (data) => chunks.up.push(data)).on('error', () => computer.destroy()).pipe(computer);
        computer.on('data', (data) => chunks.down.push(data)).on('error', () => phone.destroy()).pipe(phone);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    s.later(() => new Promise((resolve) => server.close(resolve)));
    wire.port = server.address().port;
    return wire;
}

/* { first, headers, rest } of a head and what follows it. */
export function readHead(stream) {
    const end = stream.indexOf('\r\n\r\n');
    if (end < 0) throw new Error('no whole head');
    const [first, ...lines] = stream.subarray(0, end).toString('latin1').split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
    return { first, headers, rest: stream.subarray(end + 4) };
}

/* Every frame: { opcode, fin, reserved, masked, payload (unmasked) }. Throws where bytes are left over. */
export function readFrames(stream) {
    const frames = [];
    for (let at = 0; at < stream.length; ) {
        const opcode = stream[at] & 15, fin = stream[at] >> 7, reserved = (stream[at] >> 4) & 7, masked = stream[at + 1] >> 7;
        let length = stream[at + 1] & 127;
        at += 2;
        if (length === 126) length = stream.readUInt16BE((at += 2) - 2);
        else if (length === 127) length = Number(stream.readBigUInt64BE((at += 8) - 8));
        const mask = masked ? stream.subarray(at, (at += 4)) : null;
        if (at + length > stream.length) throw new Error(`a frame of ${length} bytes is cut off`);
        const payload = Buffer.from(stream.subarray(at, (at += length)));
        if (mask) for (let i = 0; i < length; i++) payload[i] ^= mask[i & 3];
        frames.push({ opcode, fin, reserved, masked, payload });
    }
    return frames;
}

/* Messages of a stream of frames, put together: { text, data }; what controls carry goes to `controls`. */
export function readMessages(stream, controls = []) {
    const messages = [];
    let parts = null;
    for (const frame of readFrames(stream)) {
        if (frame.opcode >= 8) controls.push(frame);
        else {
            if (frame.opcode !== 0) parts = { text: frame.opcode === 1, pieces: [] };
            parts.pieces.push(frame.payload);
            if (frame.fin) messages.push({ text: parts.text, data: Buffer.concat(parts.pieces) });
        }
    }
    return messages;
}

/* A file of tcpdump's (Ethernet, IPv4): the streams of the connections to `port`, put together by sequence numbers. */
export function readPcap(file, port) {
    const little = file.readUInt32LE(0) === 0xa1b2c3d4;
    const word = (at) => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
    if (!little && file.readUInt32BE(0) !== 0xa1b2c3d4) throw new Error('no pcap file');
    if (word(20) !== 1) throw new Error(`link type ${word(20)}`);
    const connections = new Map();
    for (let at = 24; at < file.length; ) {
        const length = word(at + 8), packet = file.subarray(at + 16, at + 16 + length);
        at += 16 + length;
        const ip = packet.subarray(14);
        if (packet.readUInt16BE(12) !== 0x0800 || ip[9] !== 6) continue;
        const tcp = ip.subarray((ip[0] & 15) * 4, ip.readUInt16BE(2));
        const source = tcp.readUInt16BE(0), target = tcp.readUInt16BE(2), way = target === port ? 'up' : 'down';
        if (source !== port && target !== port) continue;
        const peer = way === 'up' ? source : target;
        if (!connections.has(peer)) connections.set(peer, { up: new Map(), down: new Map(), start: {} });
        const connection = connections.get(peer);
        const sequence = tcp.readUInt32BE(4);
        if (tcp[13] & 2) connection.start[way] = sequence + 1;
        const data = tcp.subarray((tcp[12] >> 4) * 4);
        if (data.length > 0) connection[way].set((sequence - connection.start[way]) >>> 0, data);
    }
    const whole = (pieces) => {
        const out = [];
        let next = 0;
        for (const [at, data] of [...pieces].sort((a, b) => a[0] - b[0])) {
            if (at > next) throw new Error('a packet is missing');
            if (at + data.length <= next) continue;
            out.push(data.subarray(next - at));
            next = at + data.length;
        }
        return Buffer.concat(out);
    };
    return [...connections.values()].map(({ up, down }) => ({ up: whole(up), down: whole(down) }));
}
