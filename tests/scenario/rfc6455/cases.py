"""
RFC 6455, case by case: what a client sends once the connection is open, and what must come back.

A case is (section, name, steps, expected). Steps are frames as autobahn's sendFrame takes them, or bytes as they are; what is
expected is the row of all frames that the server sends, its last one a close, or ALIVE: it still answers a ping, and has
said nothing else.

The server at the other end speaks the protocol of proto/README.md, so that a message which was read whole shows: a good
key_init is answered by a key_exchange (EXCHANGE), whatever unknown text is in it; any other message by a close with 4004
(READ). Nothing of more than 4,096 bytes is taken at this stage.
"""
import base64
import os

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LIMIT = 4096

EXCHANGE = ("text", "key_exchange")
ALIVE = ("alive",)
WAIT = ("wait",)  # a step: until all that was sent so far has been read, as far as a moment can tell


def closed(code):
    return ("close", code)


def pong(payload=b""):
    return ("pong", payload)


READ = closed(4004)
VIOLATION = closed(1002)
NOT_UTF8 = closed(1007)
TOO_LARGE = closed(1009)


def frame(opcode, payload=b"", **more):
    return ("frame", opcode, payload, more)


def raw(*parts):
    return ("raw", b"".join(bytes(part) if not isinstance(part, bytes) else part for part in parts))


def unmasked(opcode, payload=b"", **more):
    return ("unmasked", opcode, payload, more)


def head(first, length_code, *extended):
    """A masked frame's head with a mask of zeros: what follows it is what it says."""
    return bytes([first, 0x80 | length_code, *extended]) + bytes(4)


def key_init(text=b"", length=None):
    """A good key_init; `text` stands in a field that nobody reads. Padded to `length` bytes."""
    before = b'{"type":"key_init","publicKey":"' + base64.b64encode(os.urandom(32)) + b'","x":"'
    pad = b"p" * (length - len(before) - len(text) - 2) if length else b""
    return before + text + pad + b'"}'


def pieces(data, *cuts, opcode=TEXT, between=()):
    """A message in fragments, cut at `cuts`, with other frames between each two."""
    cuts = [0, *cuts, len(data)]
    steps = []
    for i, (start, end) in enumerate(zip(cuts, cuts[1:])):
        if i > 0:
            steps += between
        steps.append(frame(opcode if i == 0 else CONT, data[start:end], fin=i == len(cuts) - 2))
    return steps


def bye(code=1000, reason=b""):
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


CASES = []


def case(section, name, steps, *expected):
    CASES.append((section, name, steps if isinstance(steps, list) else [steps], list(expected)))


# ---- whole messages ------------------------------------------------------------------------------------------------

case("5.6", "a text message", frame(TEXT, key_init()), EXCHANGE, ALIVE)
case("5.6", "an empty text message is a message", frame(TEXT), READ)
case("5.6", "a text message of one byte", frame(TEXT, b"x"), READ)
case("5.6", "a binary message is one of its own kind", frame(BINARY, key_init()), READ)
case("5.6", "an empty binary message", frame(BINARY), READ)
case("5.6", "a binary message need not be UTF-8", frame(BINARY, b"\xff\xfe\x80"), READ)

# ---- lengths -------------------------------------------------------------------------------------------------------

for size in (125, 126, 127, 128, 255, 256, 1000, LIMIT - 1, LIMIT):
    case("5.2", f"a message of {size} bytes", frame(TEXT, key_init(length=size)), EXCHANGE, ALIVE)
for size in (LIMIT + 1, 10000, 65535, 65536, 200000):
    case("7.4.1", f"a message of {size} bytes, over the limit", frame(TEXT, b"p", payload_len=size), TOO_LARGE)
case("7.4.1", "a limit that fragments pass together", [frame(TEXT, b"p" * LIMIT, fin=False), frame(CONT, b"p")], TOO_LARGE)
case("7.4.1", "a limit that many fragments pass together", [frame(TEXT, b"p" * 1000, fin=False)] + [frame(CONT, b"p" * 1000, fin=False)] * 4, TOO_LARGE)
case("7.4.1", "fragments of exactly the limit", pieces(key_init(length=LIMIT), 1, 1000, 4000), EXCHANGE, ALIVE)
case("7.4.1", "a limit counts from message to message", [frame(TEXT, key_init(length=LIMIT)), WAIT, frame(TEXT, b"p" * LIMIT)], EXCHANGE, READ)
case("5.2", "a length that is announced, over the limit: its payload is not waited for", raw(head(0x81, 126, 0xff, 0xff), b"{"), TOO_LARGE)
case("5.2", "2^63 - 1 bytes announced", raw(head(0x81, 127, 0x7f, *[0xff] * 7), b"{"), TOO_LARGE)
case("5.2", "2^32 bytes announced", raw(head(0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0), b"{"), TOO_LARGE)
case("5.2", "the top bit of a 64-bit length", raw(head(0x81, 127, 0x80, *[0] * 7)), VIOLATION)
case("5.2", "all bits of a 64-bit length", raw(head(0x81, 127, *[0xff] * 8)), VIOLATION)
for size in (0, 1, 125):
    case("5.2", f"{size} in 16 bits is not the shortest form", raw(head(0x81, 126, 0, size), b"p" * size), VIOLATION)
for size in (0, 125, 126, 4096, 65535):
    case("5.2", f"{size} in 64 bits is not the shortest form", raw(head(0x82, 127, *size.to_bytes(8, "big")), b"p" * size), VIOLATION)
case("5.5", "a ping whose length stands in 16 bits", raw(head(0x89, 126, 0, 5), b"hello"), VIOLATION)
case("5.5", "a ping whose length stands in 64 bits", raw(head(0x89, 127, *[0] * 7, 5), b"hello"), VIOLATION)

# ---- pieces of TCP's making ----------------------------------------------------------------------------------------

case("5.2", "byte by byte", [("drip", frame(TEXT, key_init(length=140)))], EXCHANGE, ALIVE)
case("5.2", "a ping byte by byte", [("drip", frame(PING, b"drip"))], pong(b"drip"), ALIVE)
case("5.2", "a close byte by byte", [("drip", bye(1000, b"drip"))], closed(1000))
case("5.2", "several frames in one piece", [("glued", [frame(PING, b"1"), frame(TEXT, key_init()), frame(PING, b"2")])], pong(b"1"), EXCHANGE, pong(b"2"), ALIVE)

# ---- fragments -----------------------------------------------------------------------------------------------------

whole = key_init("κόσμε".encode())
case("5.4", "two fragments", pieces(whole, 10), EXCHANGE, ALIVE)
case("5.4", "fragments of one byte", pieces(whole, *range(1, len(whole))), EXCHANGE, ALIVE)
case("5.4", "an empty first fragment", pieces(whole, 0), EXCHANGE, ALIVE)
case("5.4", "an empty last fragment", pieces(whole, len(whole)), EXCHANGE, ALIVE)
case("5.4", "an empty one in the middle", pieces(whole, 5, 5), EXCHANGE, ALIVE)
case("5.4", "nothing but empty ones", pieces(b"", 0, 0, 0), READ)
case("5.4", "many empty ones, then all of it", pieces(whole, *[0] * 500), EXCHANGE, ALIVE)
case("5.4", "fragments of a binary message", pieces(b"\xff\x80 abc", 1, 3, opcode=BINARY), READ)
case("5.4", "a message that is never finished", frame(TEXT, b"{", fin=False), ALIVE)
case("5.4", "a ping between two fragments", pieces(whole, 10, between=[frame(PING, b"mid")]), pong(b"mid"), EXCHANGE, ALIVE)
case("5.4", "pings between all fragments", pieces(whole, 10, 20, 30, between=[frame(PING, b"a"), frame(PING, b"b")]), *[pong(b"a"), pong(b"b")] * 3, EXCHANGE, ALIVE)
case("5.4", "a pong between two fragments", pieces(whole, 10, between=[frame(PONG, b"unasked")]), EXCHANGE, ALIVE)
case("5.4", "a ping inside a character", pieces(whole, whole.index("κ".encode()) + 1, between=[frame(PING)]), pong(), EXCHANGE, ALIVE)
case("5.4", "a close between two fragments", pieces(whole, 10, between=[bye()]), closed(1000))
case("5.4", "a continuation of nothing", frame(CONT, b"x"), VIOLATION)
case("5.4", "a continuation of nothing, not the last one", frame(CONT, b"x", fin=False), VIOLATION)
case("5.4", "an empty continuation of nothing", frame(CONT), VIOLATION)
case("5.4", "a continuation after a whole message", [frame(TEXT, whole), frame(CONT, b"x")], EXCHANGE, VIOLATION)
case("5.4", "a continuation after a fragmented message", pieces(whole, 10) + [frame(CONT, b"x")], EXCHANGE, VIOLATION)
case("5.4", "a text message within another", [frame(TEXT, b"{", fin=False), frame(TEXT, b"}")], VIOLATION)
case("5.4", "a binary message within a text message", [frame(TEXT, b"{", fin=False), frame(BINARY, b"}")], VIOLATION)
case("5.4", "a text message within a binary message", [frame(BINARY, b"{", fin=False), frame(TEXT, b"}")], VIOLATION)
case("5.4", "fragments that go on with their own opcode", [frame(TEXT, b"{", fin=False), frame(TEXT, b"}", fin=False)], VIOLATION)
case("5.4", "a ping, then a message within a message", [frame(TEXT, b"{", fin=False), frame(PING), frame(TEXT, b"}")], pong(), VIOLATION)

# ---- control frames ------------------------------------------------------------------------------------------------

for size in (0, 1, 2, 124, 125):
    case("5.5.3", f"a ping of {size} bytes comes back", frame(PING, bytes(range(size))), pong(bytes(range(size))), ALIVE)
case("5.5.3", "a ping that is no UTF-8 comes back", frame(PING, b"\xff\x00\xc3("), pong(b"\xff\x00\xc3("), ALIVE)
case("5.5.3", "ten pings, ten pongs, in order", [frame(PING, bytes([i])) for i in range(10)], *[pong(bytes([i])) for i in range(10)], ALIVE)
case("5.5.3", "a pong that nobody asked for", frame(PONG, b"unasked"), ALIVE)
case("5.5.3", "an empty one", frame(PONG), ALIVE)
case("5.5.3", "a pong of 125 bytes", frame(PONG, b"p" * 125), ALIVE)
case("5.5.3", "a thousand pongs", [frame(PONG, b"p" * 125)] * 1000, ALIVE)
case("5.5", "a ping of 126 bytes", frame(PING, b"p" * 126), VIOLATION)
case("5.5", "a ping of 65536 bytes", frame(PING, b"p", payload_len=65536), VIOLATION)
case("5.5", "a pong of 126 bytes", frame(PONG, b"p" * 126), VIOLATION)
case("5.5", "a close of 126 bytes", frame(CLOSE, b"\x03\xe8" + b"p" * 124), VIOLATION)
case("5.5", "a ping in fragments", frame(PING, b"p", fin=False), VIOLATION)
case("5.5", "a pong in fragments", frame(PONG, b"p", fin=False), VIOLATION)
case("5.5", "a close in fragments", frame(CLOSE, b"\x03\xe8", fin=False), VIOLATION)
case("5.5", "a ping in fragments within a message", [frame(TEXT, b"{", fin=False), frame(PING, b"p", fin=False)], VIOLATION)
case("5.5.2", "pings before anything else, then a message", [frame(PING, b"1"), frame(PING, b"2"), frame(TEXT, whole)], pong(b"1"), pong(b"2"), EXCHANGE, ALIVE)

# ---- reserved ------------------------------------------------------------------------------------------------------

for rsv in range(1, 8):
    case("5.2", f"reserved bits {rsv:03b} of a text message", frame(TEXT, whole, rsv=rsv), VIOLATION)
for opcode, name in ((BINARY, "a binary message"), (PING, "a ping"), (PONG, "a pong"), (CLOSE, "a close")):
    case("5.2", f"a reserved bit of {name}", frame(opcode, b"\x03\xe8", rsv=4), VIOLATION)
case("5.2", "a reserved bit of a continuation", [frame(TEXT, b"{", fin=False), frame(CONT, b"}", rsv=1)], VIOLATION)
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    case("5.2", f"opcode {opcode} is nobody's", frame(opcode, b"x"), VIOLATION)
case("5.2", "an opcode that is nobody's, within a message", [frame(TEXT, b"{", fin=False), frame(3, b"x")], VIOLATION)
case("5.2", "an opcode that is nobody's, after a ping", [frame(PING, b"p"), frame(15)], pong(b"p"), VIOLATION)

# ---- masks ---------------------------------------------------------------------------------------------------------

case("5.1", "a text message without a mask", unmasked(TEXT, whole), VIOLATION)
case("5.1", "an empty one without a mask", unmasked(TEXT), VIOLATION)
case("5.1", "a binary message without a mask", unmasked(BINARY, b"x"), VIOLATION)
case("5.1", "a ping without a mask", unmasked(PING, b"x"), VIOLATION)
case("5.1", "a close without a mask", unmasked(CLOSE, b"\x03\xe8"), VIOLATION)
case("5.1", "a continuation without a mask", [frame(TEXT, b"{", fin=False), unmasked(CONT, b"}")], VIOLATION)
case("5.3", "a mask of zeros", raw(head(0x89, 4), b"zero"), pong(b"zero"), ALIVE)
case("5.3", "a mask goes on from byte to byte of a frame, not from frame to frame", raw(bytes([0x89, 0x83, 1, 2, 3, 4]), bytes(x ^ y for x, y in zip(b"abc", b"\1\2\3")), bytes([0x89, 0x85, 9, 8, 7, 6]), bytes(x ^ y for x, y in zip(b"defgh", b"\x09\x08\x07\x06\x09"))), pong(b"abc"), pong(b"defgh"), ALIVE)

# ---- UTF-8 ---------------------------------------------------------------------------------------------------------

VALID = {
    "two bytes": "é", "three bytes": "κόσμε ☺", "four bytes": "🙂", "U+007F": "\x7f", "U+0080": "\x80", "U+07FF": "\u07ff", "U+0800": "\u0800",
    "U+D7FF": "\ud7ff", "U+E000": "\ue000", "U+FFFD": "\ufffd", "U+FFFE": "\ufffe", "U+FFFF": "\uffff", "U+10000": "\U00010000",
    "U+10FFFF": "\U0010ffff", "a byte order mark": "\ufeff",
}
for name, text in VALID.items():
    encoded = text.encode()
    message = key_init(encoded)
    case("8.1", f"valid: {name}", frame(TEXT, message), EXCHANGE, ALIVE)
    if len(encoded) > 1:
        at = message.index(encoded)
        case("8.1", f"valid, cut inside a character: {name}", pieces(message, *range(at + 1, at + len(encoded))), EXCHANGE, ALIVE)

INVALID = {
    "a lone continuation byte": b"\x80", "the last of them": b"\xbf", "two bytes, the second missing": b"\xc3(", "three bytes, the third missing": b"\xe2\x82(",
    "four bytes, the fourth missing": b"\xf0\x9f\x99(", "an overlong slash": b"\xc0\xaf", "an overlong NUL": b"\xc0\x80", "C1": b"\xc1\xbf",
    "overlong in three bytes": b"\xe0\x9f\xbf", "overlong in four bytes": b"\xf0\x8f\xbf\xbf", "half a pair, U+D800": b"\xed\xa0\x80", "half a pair, U+DFFF": b"\xed\xbf\xbf",
    "a pair in six bytes (CESU-8)": b"\xed\xa0\xbd\xed\xb9\x82", "U+110000": b"\xf4\x90\x80\x80", "F5": b"\xf5\x80\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80", "FE": b"\xfe", "FF": b"\xff", "Latin-1": b"caf\xe9!",
}
for name, data in INVALID.items():
    case("8.1", f"invalid: {name}", frame(TEXT, key_init(data)), NOT_UTF8)
for name in ("three bytes, the third missing", "half a pair, U+D800", "U+110000", "an overlong slash"):
    message = key_init(INVALID[name])
    at = message.index(INVALID[name])
    case("8.1", f"invalid, in two fragments: {name}", pieces(message, at + 1), NOT_UTF8)
for name, data in (("two", b"\xc3"), ("three", b"\xe2\x82"), ("four", b"\xf0\x9f\x99")):
    case("8.1", f"a message that ends inside a character of {name} bytes", frame(TEXT, b"{" + data), NOT_UTF8)
    case("8.1", f"a fragmented one that ends inside a character of {name} bytes", [frame(TEXT, b"{" + data, fin=False), frame(CONT)], NOT_UTF8)
case("8.1", "said at once, without waiting for the message's end", frame(TEXT, b"{\xff", fin=False), NOT_UTF8)
case("8.1", "said at once, in the middle of a frame", raw(head(0x81, 126, 0x0f, 0xff), b"{\xff"), NOT_UTF8)
case("8.1", "what may still become a character is waited for", frame(TEXT, b"{\xf0\x9f", fin=False), ALIVE)
case("8.1", "one message's half character is not the next one's", [frame(BINARY, b"\xf0", fin=False), frame(CONT, b"\x9f")], READ)
case("8.1", "invalid after a good message", [frame(TEXT, whole), frame(TEXT, b"\xff")], EXCHANGE, NOT_UTF8)

# ---- closing -------------------------------------------------------------------------------------------------------

case("5.5.1", "a close without a code", frame(CLOSE), closed(None))
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4001, 4999):
    case("7.4", f"code {code} is echoed", bye(code), closed(code))
for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 10000, 65535):
    case("7.4", f"code {code} must not be sent", bye(code), VIOLATION)
case("5.5.1", "a close of one byte", frame(CLOSE, b"\x03"), VIOLATION)
case("5.5.1", "a reason", bye(1000, b"that was all"), closed(1000))
case("5.5.1", "a reason of 123 bytes", bye(1000, b"r" * 123), closed(1000))
case("5.5.1", "a reason in UTF-8", bye(1000, "κόσμε 🙂".encode()), closed(1000))
case("5.5.1", "a reason that is no UTF-8", bye(1000, b"\xc3("), NOT_UTF8)
case("5.5.1", "a reason that ends inside a character", bye(1000, b"\xf0\x9f\x99"), NOT_UTF8)
case("5.5.1", "a reason with half a pair", bye(1000, b"\xed\xa0\x80"), NOT_UTF8)
case("5.5.1", "a message after a close is not read", [bye(), frame(TEXT, whole)], closed(1000))
case("5.5.1", "a ping after a close is not answered", [bye(), frame(PING, b"late")], closed(1000))
case("5.5.1", "nonsense after a close", [bye(), raw(b"\xff" * 100)], closed(1000))
case("5.5.1", "a second close", [bye(1000), bye(1001)], closed(1000))
case("5.5.1", "the end of a message after a close", [frame(TEXT, whole[:10], fin=False), bye(), frame(CONT, whole[10:])], closed(1000))
case("7.1.1", "a ping that came first is answered first", [frame(PING, b"first"), bye()], pong(b"first"), closed(1000))
case("7.1.1", "a message that came first is answered first", [frame(TEXT, whole), bye()], EXCHANGE, closed(1000))
case("7.1.7", "nothing is read after a violation", [frame(3), frame(TEXT, whole), frame(PING, b"late"), bye()], VIOLATION)
case("7.1.7", "nothing is read after 1007", [frame(TEXT, b"\xff"), frame(TEXT, whole)], NOT_UTF8)
case("7.1.7", "nothing is read after 1009", [frame(TEXT, b"p" * (LIMIT + 1)), frame(TEXT, whole)], TOO_LARGE)
case("7.1.7", "megabytes after a violation", [frame(3), *[raw(b"\x81" * 65536)] * 16], VIOLATION)
