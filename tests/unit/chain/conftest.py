"""Stand-ins for the network: endpoints that answer from memory, a clock that tests move."""

import pytest

from assay.chain.errors import EndpointFault
from assay.protocol.keccak import keccak


class FakeClock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self, now=1_000.0):
        self.now = now

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds


class FakeEndpoint:
    """Answers from a table of methods; `fault` set, it fails."""

    def __init__(self, url="http://one", chain_id=31_337, head=100, final=98, fork=b""):
        self.url, self.chain_id, self.head, self.final, self.fork = url, chain_id, head, final, fork
        self.fault = None
        self.asked = []
        self.answers = {}

    def block(self, number):
        seed = self.fork + number.to_bytes(8, "big")
        return {
            "number": hex(number),
            "hash": "0x" + keccak(seed).hex(),
            "parentHash": "0x" + keccak(self.fork + max(0, number - 1).to_bytes(8, "big")).hex(),
            "timestamp": hex(1_000 + number),
            "baseFeePerGas": hex(10**9),
        }

    async def request(self, method, params):
        self.asked.append(method)
        if self.fault:
            raise self.fault
        if method in self.answers:
            answer = self.answers[method]
            if isinstance(answer, Exception):
                raise answer
            return answer(params) if callable(answer) else answer
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_getBlockByNumber":
            tags = {"latest": self.head, "finalized": self.final}
            number = tags.get(params[0])
            if number is None:
                number = int(params[0], 16)
            return self.block(number) if number <= self.head else None
        raise AssertionError(f"unexpected {method}")

    def fail(self):
        self.fault = EndpointFault(self.url, "connection refused")

    async def close(self):
        pass


@pytest.fixture
def clock():
    return FakeClock()
