#!/usr/bin/python3
"""
Runs cases.py against ws://127.0.0.1:PORT/, over autobahn's client, whose sendFrame sends what no client should.

    /usr/bin/python3 run.py PORT [NAME...]

A line of JSON for each case: {"section", "name", "ok", "got"}. What autobahn itself finds wrong with the server's frames (a mask, a
reserved bit, text that is no UTF-8) is part of `got`, and so are a server that leaves it to the client to end the connection and one
that ends it without a close frame.
"""
import asyncio
import json
import sys

import txaio
from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

from cases import CASES

AT_ONCE = 8
PATIENCE = 20  # seconds for a case, generous: valgrind and sanitizers run this, too
LAST = b"still there?"


class Client(WebSocketClientProtocol):
    def __init__(self):
        super().__init__()
        self.got, self.complaints = [], []
        self.opened, self.ended = asyncio.Event(), asyncio.Event()
        self.changed = asyncio.Condition()
        self.answered = asyncio.Event()

    def onOpen(self):
        self.opened.set()

    def onMessage(self, payload, isBinary):
        try:
            self.got.append(("text", json.loads(payload)["type"]) if not isBinary else ("binary",))
        except ValueError:
            self.got.append(("text", "?"))

    def onPong(self, payload):
        if payload == LAST:
            self.answered.set()
        else:
            self.got.append(("pong", payload))

    def onPing(self, payload):
        if payload:  # an empty one is the server's own, which may come at any time
            self.got.append(("ping", payload))

    def onCloseFrame(self, code, reasonRaw):
        self.got.append(("close", code))
        super().onCloseFrame(code, reasonRaw)

    def _fail_connection(self, code=1001, reason="going away"):
        # 1014 is valid (IANA's registry) and newer than this autobahn.
        if "invalid close code 1014" not in reason:
            self.complaints.append(reason)
        super()._fail_connection(code, reason)

    def onServerConnectionDropTimeout(self):
        self.complaints.append("the server does not end the connection")
        super().onServerConnectionDropTimeout()

    def onClose(self, wasClean, code, reason):
        self.ended.set()

    def encoded(self, opcode, payload, more):
        """The bytes that sendFrame would send."""
        kept, data = self.sendData, []
        self.sendData = lambda some, *_: data.append(some)
        self.sendFrame(opcode, payload, **more)
        self.sendData = kept
        return b"".join(data)

    async def step(self, step):
        kind = step[0]
        if kind == "frame":
            self.sendFrame(step[1], step[2], **step[3])
        elif kind == "unmasked":
            self.maskClientFrames = False
            self.sendFrame(step[1], step[2], **step[3])
            self.maskClientFrames = True
        elif kind == "raw":
            self.sendData(step[1])
        elif kind == "glued":
            self.sendData(b"".join(self.encoded(*one[1:]) for one in step[1]))
        elif kind == "drip":
            for byte in self.encoded(*step[1][1:]):
                self.sendData(bytes([byte]))
                await asyncio.sleep(0.001)
        elif kind == "wait":
            await asyncio.sleep(0.05)


async def play(port, steps, expected):
    loop = asyncio.get_running_loop()
    factory = WebSocketClientFactory(f"ws://127.0.0.1:{port}/")
    factory.protocol = Client
    factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=PATIENCE, serverConnectionDropTimeout=PATIENCE, tcpNoDelay=True, autoPingInterval=0, openHandshakeTimeout=PATIENCE)
    _, client = await loop.create_connection(factory, "127.0.0.1", port)
    await client.opened.wait()
    for step in steps:
        await client.step(step)
    alive = expected[-1] == ("alive",)
    if alive:
        client.sendFrame(9, LAST)
        done = [asyncio.ensure_future(event.wait()) for event in (client.answered, client.ended)]
        await asyncio.wait(done, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.cancel()
        got = client.got + ([("alive",)] if client.answered.is_set() else [("gone",)])
        client.transport.abort()
    else:
        await client.ended.wait()
        got = client.got
    return got + [("complaint", text) for text in client.complaints]


async def judge(port, gate, section, name, steps, expected):
    async with gate:
        try:
            got = await asyncio.wait_for(play(port, steps, expected), PATIENCE)
        except Exception as error:
            got = [("failed", f"{type(error).__name__} {error}")]
    plain = [str(one) for one in got]
    print(json.dumps({"section": section, "name": name, "ok": got == expected, "got": plain, "expected": [str(one) for one in expected]}), flush=True)


async def main(port, names):
    txaio.config.loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(judge(port, gate, *case) for case in CASES if not names or case[1] in names))


asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
