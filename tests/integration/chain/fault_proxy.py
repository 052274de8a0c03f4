"""A JSON-RPC proxy that misbehaves on demand, between a daemon and its node."""

import asyncio
import json
import random

import httpx2

BEHIND = 10


class FaultProxy:
    """Forwards to `target`. `mode` is a set of faults; each hits a request with probability `rate`, drawn from `seed`.

    latency: answers late. cut-before: drops the connection unasked. cut-after: drops it when the node has
    acted. garbage: answers something that is no JSON-RPC. stale: answers every question about blocks by tag
    as it was when the fault began. behind: names blocks by tag that are `BEHIND` older. wrong-chain: names another
    chain id. taken-with-an-error: takes a transaction and answers with an error. gone: nothing answers, whatever the
    rate. `sleep` passes the time of a late answer.
    """

    def __init__(self, target, seed=1, rate=0.5, latency_s=0.15, sleep=asyncio.sleep):
        self.target, self.rate, self.latency_s, self._sleep = target, rate, latency_s, sleep
        self.mode = set()
        self.hits = 0
        self._random = random.Random(seed)
        self._frozen = {}
        self.errors = ["already known", "internal error", "context deadline exceeded", "insufficient funds", "rejected"]
        self._tasks = set()

    async def __aenter__(self):
        self._client = httpx2.AsyncClient(timeout=10, trust_env=False, verify=False)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            while body := await self._read(reader):
                if not await self._answer(body, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(asyncio.current_task())
            writer.close()

    async def _read(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                return await reader.readexactly(int(line.split(b":")[1]))
        return b""

    def _strikes(self, fault):
        struck = fault in self.mode and self._random.random() < self.rate
        self.hits += struck
        return struck

    async def _answer(self, body, writer):
        if self._strikes("latency"):
            await self._sleep(self.latency_s)
        if "gone" in self.mode or self._strikes("cut-before"):
            return False
        if self._strikes("garbage"):
            await self._write(writer, self._random.choice([b"<html>", b"", b"[]", b'{"id":0}', b"\xff" * 50]))
            return True
        content = await self._forward(body)
        if b"eth_sendRawTransaction" in body and self._strikes("taken-with-an-error"):
            error = {"code": -32000, "message": self._random.choice(self.errors)}
            content = json.dumps({"jsonrpc": "2.0", "id": json.loads(body)["id"], "error": error}).encode()
        if self._strikes("cut-after"):
            return False
        await self._write(writer, content)
        return True

    async def _forward(self, body):
        request = json.loads(body)
        method, params = request["method"], request["params"]
        if "wrong-chain" in self.mode and method == "eth_chainId":
            self.hits += 1
            return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "0x5"}).encode()
        by_tag = method == "eth_getBlockByNumber" and params[0] in ("latest", "finalized")
        if by_tag and "stale" in self.mode and params[0] in self._frozen:
            self.hits += 1
            return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": self._frozen[params[0]]}).encode()
        if by_tag and "behind" in self.mode:
            self.hits += 1
            head = json.loads(await self._ask({**request, "method": "eth_blockNumber", "params": []}))["result"]
            return await self._ask({**request, "params": [hex(max(0, int(head, 16) - BEHIND)), *params[1:]]})
        response = await self._client.post(self.target, content=body, headers={"content-type": "application/json"})
        if by_tag and "stale" not in self.mode:
            self._frozen[params[0]] = response.json()["result"]
        return response.content

    async def _ask(self, request):
        return (await self._client.post(self.target, json=request)).content

    async def _write(self, writer, content):
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
