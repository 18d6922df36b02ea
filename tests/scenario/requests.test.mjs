/*
 * Requests that two readers could take apart differently (smuggling), or that only take up room: each gets one answer, what hides behind
 * it none, and the next request on the connection is the one that was meant. RFC 9110, RFC 9112, RFC 6455 §4.
 */
import { assert, http, scenario, tcp } from './harness.mjs';

const HOST = 'Host: localhost\r\n';
const HIDDEN = `GET /hidden HTTP/1.1\r\n${HOST}\r\n`;
const get = (lines = '', rest = '') => `GET /ping HTTP/1.1\r\n${HOST}${lines}\r\n${rest}`;
const post = (lines, body = '') => `POST /ping HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const END = 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'; // what shows that the two agree

/*
 * What is sent, and the statuses that come back; the connection must then be closed by the server. POST /ping is 405, /hidden would be 404.
 * Where the last status is that of END (200), the request before it ended where it should.
 */
const SHAPES = {
    'RFC 9112 §6.1: both lengths': [post(`Content-Length: 6\r\n${CHUNKED}`, `0\r\n\r\nG${HIDDEN}`), 400],
    'RFC 9112 §6.1: both lengths, the other way round': [post(`${CHUNKED}Content-Length: 6\r\n`, `0\r\n\r\nG${HIDDEN}`), 400],
    'RFC 9112 §6.1: a coding that nobody knows': [post('Transfer-Encoding: xchunked\r\n', HIDDEN), 501],
    'RFC 9112 §6.1: identity': [post('Transfer-Encoding: identity\r\n', HIDDEN), 501],
    'RFC 9112 §6.1: chunked is not the last': [post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §6.1: chunked behind another': [post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${HIDDEN}`), 501],
    'RFC 9112 §6.1: chunked twice': [post('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §6.1: two lines': [post(`${CHUNKED}${CHUNKED}`, `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §6.1: two lines, one of them identity': [post(`${CHUNKED}Transfer-Encoding: identity\r\n`, `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §6.1: with a parameter': [post('Transfer-Encoding: chunked;q=1\r\n', `0\r\n\r\n${HIDDEN}`), 501],
    'RFC 9112 §6.1: in quotes': [post('Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${HIDDEN}`), 501],
    'RFC 9112 §6.1: behind a vertical tab': [post('Transfer-Encoding:\vchunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §6.1: an empty one': [post('Transfer-Encoding:\r\n', HIDDEN), 501],
    'RFC 9112 §6.1: in HTTP/1.0': [`POST /ping HTTP/1.0\r\n${HOST}${CHUNKED}\r\n0\r\n\r\n${HIDDEN}`, 400],
    'RFC 9112 §6.1: in capitals it is the same': [post('TRANSFER-ENCODING: CHUNKED\r\n', `0\r\n\r\n${END}`), 405, 200],
    'RFC 9112 §6.3: two lengths': [post('Content-Length: 0\r\nContent-Length: 5\r\n', `abcde${HIDDEN}`), 400],
    'RFC 9112 §6.3: the same length twice': [post('Content-Length: 0\r\nContent-Length: 0\r\n', HIDDEN), 400],
    'RFC 9110 §8.6: a list of lengths': [post('Content-Length: 0, 0\r\n', HIDDEN), 400],
    'RFC 9110 §8.6: a length with a sign': [post('Content-Length: +0\r\n', HIDDEN), 400],
    'RFC 9110 §8.6: a length below nothing': [post('Content-Length: -1\r\n', HIDDEN), 400],
    'RFC 9110 §8.6: a length in hexadecimals': [post('Content-Length: 0x0\r\n', HIDDEN), 400],
    'RFC 9110 §8.6: a length in two words': [post('Content-Length: 0 0\r\n', HIDDEN), 400],
    'RFC 9110 §8.6: an empty length': [post('Content-Length:\r\n', HIDDEN), 400],
    'RFC 9110 §8.6: a length of 2^64': [post('Content-Length: 18446744073709551616\r\n', HIDDEN), 400],
    'RFC 9110 §8.6: a length with zeros in front': [post('Content-Length: 003\r\n', `abc${END}`), 405, 200],
    'RFC 9112 §5.1: a space in front of the colon': [post('Content-Length : 0\r\n', HIDDEN), 400],
    'RFC 9112 §5.1: the same, of the coding': [post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §5.2: a length in the next line': [post('Content-Length:\r\n 0\r\n', HIDDEN), 400],
    'RFC 9112 §5.2: a coding in the next line': [post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §5.2: a coding that is the end of another line': [post('X: y\r\n Transfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §5.2: a host that goes on': [`GET /health HTTP/1.1\r\nHost: localhost\r\n .evil.example\r\n\r\n`, 400],
    'RFC 9112 §2.2: white space in front of the first field': [`GET /ping HTTP/1.1\r\n ${HOST}\r\n`, 400],
    'RFC 9112 §2.2: lines that end with LF alone': ['GET /ping HTTP/1.1\nHost: localhost\n\n', 400],
    'RFC 9112 §2.2: one that does': [`GET /ping HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n`, 400],
    'RFC 9112 §2.2: a lone CR': [get('X: a\rTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §2.2: a head whose last line is a lone CR': [`GET /ping HTTP/1.1\r\n${HOST}\r${HIDDEN}`, 400],
    'RFC 9112 §2.2: a head whose last line is a lone LF': [`GET /ping HTTP/1.1\r\n${HOST}\n${HIDDEN}`, 400],
    'RFC 9112 §2.2: empty lines in front': [`\r\n\r\n${END}`, 200],
    'RFC 9110 §5.5: NUL in a value': [get('X: a\0b\r\n'), 400],
    'RFC 9110 §5.5: another control character in it': [get('X: a\x01b\r\n'), 400],
    'RFC 9110 §5.1: a field without a name': [get(': x\r\n'), 400],
    'RFC 9110 §5.1: a field without a colon': [get('abc\r\n'), 400],
    'RFC 9110 §5.1: a name with a parenthesis': [get('a(b: c\r\n'), 400],
    'RFC 9110 §5.1: a name that is no ASCII': [get('\xc3\xa9: c\r\n'), 400],
    'RFC 9112 §7.1: chunks of a good body': [post(CHUNKED, `3\r\nabc\r\n2;name="x"\r\nde\r\n0\r\nTrailer: x\r\n\r\n${END}`), 405, 200],
    'RFC 9112 §7.1: a trailer changes nothing': [post(CHUNKED, `0\r\nHost: evil.example\r\nContent-Length: 500\r\n\r\n${END}`), 405, 200],
    'RFC 9112 §7.1: a chunk below nothing': [post(CHUNKED, `-1\r\nx\r\n0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §7.1: 0x in front': [post(CHUNKED, `0x1\r\nx\r\n0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §7.1: a space behind': [post(CHUNKED, `1 \r\nx\r\n0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §7.1: no size': [post(CHUNKED, `\r\n0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §7.1: more than 64 bits': [post(CHUNKED, `1${'0'.repeat(16)}\r\nx\r\n0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §7.1: 2^64 - 1': [post(CHUNKED, `${'f'.repeat(16)}\r\nx\r\n0\r\n\r\n${HIDDEN}`), 413],
    'RFC 9112 §7.1: LF alone': [post(CHUNKED, `1\nx\n0\n\n${HIDDEN}`), 400],
    'RFC 9112 §7.1: LF alone behind an extension': [post(CHUNKED, `1;a\nx\r\n0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §7.1: longer than its size': [post(CHUNKED, `1\r\nxy0\r\n\r\n${HIDDEN}`), 400],
    'RFC 9112 §3: a body of GET is none of its business': [get(`Content-Length: ${HIDDEN.length}\r\n`, `${HIDDEN}${END}`), 200, 200],
    'RFC 9112 §9.3: nothing behind Connection: close': [get('Connection: close\r\n', HIDDEN), 200],
    'RFC 9112 §9.3: nothing behind HTTP/1.0': [`GET /ping HTTP/1.0\r\n\r\n${HIDDEN}`, 200],
    'RFC 9110 §10.1.1: a body that wants to be asked for': [post('Content-Length: 5\r\nExpect: 100-continue\r\n'), 417],
    'RFC 9110 §10.1.1: another expectation': [post('Content-Length: 5\r\nExpect: tea\r\n', 'abcde'), 417],

    'RFC 9112 §3: a space in front': [` ${get()}`, 400],
    'RFC 9112 §3: tabs': [`GET\t/ping\tHTTP/1.1\r\n${HOST}\r\n`, 400],
    'RFC 9112 §3: a target that is none': [`GET ping HTTP/1.1\r\n${HOST}\r\n`, 400],
    'RFC 9112 §3: a target of another kind': [`GET localhost:80 HTTP/1.1\r\n${HOST}\r\n`, 400],
    'RFC 9112 §2.3: HTTP/2': [`GET /ping HTTP/2.0\r\n${HOST}\r\n`, 505],
    'RFC 9112 §2.3: HTTP/1': [`GET /ping HTTP/1\r\n${HOST}\r\n`, 505],
    'RFC 9112 §2.3: HTTP/11.1': [`GET /ping HTTP/11.1\r\n${HOST}\r\n`, 505],
    'RFC 9113 §3.4: the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    'RFC 9110 §9.1: a method that nobody knows': [`FROB /ping HTTP/1.1\r\n${HOST}\r\n`, 400],
    'RFC 9110 §9.1: in small letters': [`get /ping HTTP/1.1\r\n${HOST}\r\n`, 400],
    'RFC 9110 §9.1: without end': [`${'A'.repeat(100000)} /ping HTTP/1.1\r\n${HOST}\r\n`, 400],
    'RFC 9110 §9.3.8: TRACE shows nobody\'s fields': [`TRACE /ping HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, 405],
    'RFC 9110 §9.3.6: CONNECT leads nowhere': [`CONNECT localhost:22 HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, 404],

    'RFC 9112 §3.2: two hosts': [`GET /health HTTP/1.1\r\n${HOST}${HOST}\r\n`, 400],
    'RFC 9112 §3.2: none': ['GET /health HTTP/1.1\r\n\r\n', 400],
    'RFC 9112 §3.2: an empty one': ['GET /health HTTP/1.1\r\nHost:\r\n\r\n', 403],
    'RFC 9112 §3.2: a list of them': ['GET /health HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n', 403],
    'RFC 9112 §3.2: two words': ['GET /health HTTP/1.1\r\nHost: localhost evil.example\r\n\r\n', 403],
    'RFC 9112 §3.2: a port that is none': ['GET /health HTTP/1.1\r\nHost: localhost:8a\r\n\r\n', 403],
    'RFC 9112 §3.2: a port beyond all': ['GET /health HTTP/1.1\r\nHost: localhost:99999\r\n\r\n', 403],
    'RFC 9112 §3.2: a space in front of its colon': ['GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n', 400],
    'RFC 9112 §3.2.2: the target names another': [`GET http://evil.example/health HTTP/1.1\r\n${HOST}\r\n`, 403],
    'RFC 9112 §3.2.2: with a user that looks like one of ours': [`GET http://localhost@evil.example/health HTTP/1.1\r\n${HOST}\r\n`, 403],

    'a head of one long field': [get(`X: ${'y'.repeat(1 << 20)}\r\n`), 431],
    'a head of many fields': [get('a:\r\n'.repeat(100000)), 431],
    'a head of many hosts': [get(HOST.repeat(100000)), 431],
    'a field name without end': [get('x'.repeat(1 << 20)), 431],
    'a target without end': [`GET /${'p'.repeat(1 << 20)} HTTP/1.1\r\n${HOST}\r\n`, 431],
    'a target of 15,000 bytes': [`GET /${'p'.repeat(15000)} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, 404],
    'a body that is announced, over the limit': [post('Content-Length: 65537\r\n'), 413],
    'a body over the limit, in chunks': [post(CHUNKED, `10000\r\n${'x'.repeat(65536)}\r\n1\r\nx\r\n0\r\n\r\n`), 413],
    'chunks of one byte': [post(CHUNKED, `${'1\r\nx\r\n'.repeat(70000)}0\r\n\r\n`), 413],
    'an extension without end': [post(CHUNKED, `1;${'a'.repeat(1 << 20)}`), 413],
    'trailers without end': [post(CHUNKED, `0\r\n${`X: ${'y'.repeat(40)}\r\n`.repeat(40000)}`), 413],
    'a body up to the limit': [post('Content-Length: 65536\r\n', `${'x'.repeat(65536)}${END}`), 405, 200],
};

scenario('requests of every shape: as the RFCs have it, and nothing hides behind them', async (s, t) => {
    const { port } = await s.serve({ env: { TRIVET_PEERS_PER_ADDRESS: '100' } });
    t.diagnostic(`${Object.keys(SHAPES).length} shapes`);
    for (const [what, [bytes, ...statuses]] of Object.entries(SHAPES)) {
        const { text, ended } = await tcp(port, Buffer.from(bytes, 'latin1'));
        assert.deepEqual([...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])), statuses, `${what}: ${text.slice(0, 500)}`);
        assert.ok(ended, `${what}: closed`);
    }
    assert.equal((await http(port, { path: '/ping' })).status, 200);
});

/* ---- the opening handshake --------------------------------------------------------------------------------- */

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='; // RFC 6455 §1.3
const GOOD = ['Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${KEY}`, 'Sec-WebSocket-Version: 13'];

/* GOOD, with the lines of some fields replaced by others, or left out. */
function opening(changes = {}, { line = 'GET / HTTP/1.1', more = [], rest = '' } = {}) {
    const lines = GOOD.flatMap((field) => changes[field.split(':')[0]] ?? [field]);
    return `${[line, ...lines, ...more].join('\r\n')}\r\n\r\n${rest}`;
}

const OPENINGS = [
    ['§4.1', 'as it should be', opening(), 101],
    ['§4.1', 'names in small letters', opening().toLowerCase().replace('get / http', 'GET / HTTP').replace(KEY.toLowerCase(), KEY), 101],
    ['§4.1', 'values in capitals', opening({ Upgrade: ['Upgrade: WEBSOCKET'], Connection: ['Connection: UPGRADE'] }), 101],
    ['§4.1', 'fields in another order', opening().replace('Host: localhost\r\n', '').replace('\r\n\r\n', '\r\nHost: localhost\r\n\r\n'), 101],
    ['§4.1', 'no white space', opening().replaceAll(': ', ':'), 101],
    ['§4.1', 'much of it', opening().replaceAll(': ', ': \t  '), 101],
    ['§4.1', 'fields that nobody knows', opening({}, { more: ['Cookie: a=b', 'User-Agent: x', 'Pragma: no-cache', 'Sec-Fetch-Mode: websocket'] }), 101],
    ['§4.1', 'Connection is a list', opening({ Connection: ['Connection: keep-alive, Upgrade'] }), 101],
    ['§4.1', 'Connection in two lines', opening({ Connection: ['Connection: keep-alive', 'Connection: upgrade'] }), 101],
    ['§4.1', 'Connection with empty members', opening({ Connection: ['Connection: ,, Upgrade ,'] }), 101],
    ['§4.2.1', 'Upgrade is a list', opening({ Upgrade: ['Upgrade: h2c, websocket'] }), 101],
    ['§4.2.1', 'any path', opening({}, { line: 'GET /any/path?and=query HTTP/1.1' }), 101],
    ['§4.2.1', 'a target with a host', opening({}, { line: 'GET http://localhost/x HTTP/1.1' }), 101],
    ['§4.2.1', 'a body of no bytes', opening({}, { more: ['Content-Length: 0'] }), 101],
    ['§4.2.1', 'HTTP/1.0', opening({}, { line: 'GET / HTTP/1.0' }), 400],
    ['§4.2.1', 'POST', opening({}, { line: 'POST / HTTP/1.1', more: ['Content-Length: 0'] }), 400],
    ['§4.2.1', 'HEAD', opening({}, { line: 'HEAD / HTTP/1.1' }), 400],
    ['§4.2.1', 'a body', opening({}, { more: ['Content-Length: 5'], rest: 'hello' }), 400],
    ['§4.2.1', 'a body in chunks', opening({}, { more: ['Transfer-Encoding: chunked'], rest: '0\r\n\r\n' }), 400],
    ['§4.2.1', 'no Host', opening({ Host: [] }), 400],
    ['§4.2.1', 'two of them', opening({ Host: ['Host: localhost', 'Host: localhost'] }), 400],
    ['§4.2.1', 'no Upgrade: a plain request', opening({ Upgrade: [] }, { line: 'GET /ping HTTP/1.1' }), 200],
    ['§4.2.1', 'Upgrade to something else: a plain request', opening({ Upgrade: ['Upgrade: websockets'] }, { line: 'GET /ping HTTP/1.1' }), 200],
    ['§4.2.1', 'no Connection', opening({ Connection: [] }), 400],
    ['§4.2.1', 'Connection without the word', opening({ Connection: ['Connection: keep-alive'] }), 400],
    ['§4.2.1', 'Connection with a word that holds it', opening({ Connection: ['Connection: Upgraded'] }), 400],
    ['§4.2.1', 'no key', opening({ 'Sec-WebSocket-Key': [] }), 400],
    ['§4.2.1', 'an empty key', opening({ 'Sec-WebSocket-Key': ['Sec-WebSocket-Key:'] }), 400],
    ['§4.2.1', 'a key of 15 bytes', opening({ 'Sec-WebSocket-Key': [`Sec-WebSocket-Key: ${Buffer.alloc(15).toString('base64')}`] }), 400],
    ['§4.2.1', 'a key of 17 bytes', opening({ 'Sec-WebSocket-Key': [`Sec-WebSocket-Key: ${Buffer.alloc(17).toString('base64')}`] }), 400],
    ['§4.2.1', 'a key that is no base64', opening({ 'Sec-WebSocket-Key': ['Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=='] }), 400],
    ['§4.2.1', 'a key with white space in it', opening({ 'Sec-WebSocket-Key': ['Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ=='] }), 400],
    ['§11.3.1', 'two keys', opening({ 'Sec-WebSocket-Key': [`Sec-WebSocket-Key: ${KEY}`, `Sec-WebSocket-Key: ${KEY}`] }), 400],
    ['§4.4', 'no version', opening({ 'Sec-WebSocket-Version': [] }), 426],
    ...['0', '7', '8', '12', '14', '25', '013', '13, 8', '13.0', 'x'].map((version) => ['§4.4', `version ${version}`, opening({ 'Sec-WebSocket-Version': [`Sec-WebSocket-Version: ${version}`] }), 426]),
    ['§11.3.5', 'two versions', opening({ 'Sec-WebSocket-Version': ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 8'] }), 400],
    ['§9.1', 'an extension is offered: none is taken', opening({}, { more: ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'] }), 101],
    ['§9.1', 'several, in two lines', opening({}, { more: ['Sec-WebSocket-Extensions: a, b', 'Sec-WebSocket-Extensions: c; d="e"'] }), 101],
    ['§9.1', 'some that are none', opening({}, { more: ['Sec-WebSocket-Extensions: ;;;=,"'] }), 101],
    ['§4.2.2', 'a subprotocol is offered: none is taken', opening({}, { more: ['Sec-WebSocket-Protocol: chat, superchat'] }), 101],
    ['§4.2.2', 'subprotocols in two lines', opening({}, { more: ['Sec-WebSocket-Protocol: chat', 'Sec-WebSocket-Protocol: mqtt'] }), 101],
    ['§10.2', 'an Origin that is the Host', opening({}, { more: ['Origin: http://localhost'] }), 101],
    ['§10.2', 'another Origin', opening({}, { more: ['Origin: http://evil.example'] }), 403],
    ['§10.2', 'no Origin to speak of', opening({}, { more: ['Origin: null'] }), 403],
    ['§10.2', 'two of them', opening({}, { more: ['Origin: http://localhost', 'Origin: http://evil.example'] }), 400],
    ['§10.2', 'an Origin that equals a Host that is not ours', opening({ Host: ['Host: evil.example'] }, { more: ['Origin: http://evil.example'] }), 403],
    ['§10.2', 'the same where the target says otherwise', opening({ Host: ['Host: evil.example'] }, { line: 'GET http://localhost/ HTTP/1.1', more: ['Origin: http://evil.example'] }), 403],
];

scenario('the opening handshake, case by case', async (s, t) => {
    const { port } = await s.serve({ env: { TRIVET_PEERS_PER_ADDRESS: '200', TRIVET_UNAUTHENTICATED_MAX: '200' } });
    t.diagnostic(`${OPENINGS.length} openings`);
    for (const [section, what, bytes, status] of OPENINGS) {
        const { text } = await tcp(port, Buffer.from(bytes, 'latin1'), { until: /\r\n\r\n/ });
        const where = `RFC 6455 ${section}, ${what}: ${text}`;
        assert.equal(Number(text.slice(9, 12)), status, where);
        if (status === 426) assert.match(text, /^sec-websocket-version: 13\r$/im, where);
        if (status !== 101) continue;
        assert.match(text, /^upgrade: websocket\r$/im, where);
        assert.match(text, /^connection: upgrade\r$/im, where);
        assert.ok(text.includes(`\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n`), where);
        assert.doesNotMatch(text, /sec-websocket-(extensions|protocol)/i, where);
    }
});

scenario('what comes in the same piece as the opening belongs to the WebSocket, not to HTTP', async (s) => {
    const { port } = await s.serve();
    const ping = Buffer.from([0x89, 0x82, 0, 0, 0, 0, 0x68, 0x69]), pong = '\x8a\x02hi';
    const frames = await tcp(port, Buffer.concat([Buffer.from(opening()), ping]), { until: /\x8a\x02hi/ });
    assert.ok(frames.text.endsWith(`\r\n\r\n${pong}`));
    // A request there is a frame that is none: 'G' has reserved bits. After a refusal nothing is read at all.
    const hidden = await tcp(port, opening() + HIDDEN);
    assert.match(hidden.text, /^HTTP\/1\.1 101 [\s\S]*\r\n\r\n\x88.\x03\xea[^]*$/);
    assert.equal(hidden.text.match(/HTTP\/1\.1/g).length, 1);
    const refused = await tcp(port, opening({ 'Sec-WebSocket-Version': [] }, { rest: HIDDEN }));
    assert.equal(refused.text.match(/HTTP\/1\.1/g).length, 1);
    assert.ok(refused.ended);
    // An upgrade behind plain requests, in the same piece.
    const late = await tcp(port, Buffer.concat([Buffer.from(get() + opening()), ping]), { until: /\x8a\x02hi/ });
    assert.deepEqual(late.text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 101']);
    assert.ok(late.text.endsWith(pong));
});
