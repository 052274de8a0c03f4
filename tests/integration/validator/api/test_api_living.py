"""The interface of a running validator, for minutes, against requests made from its schema and against spoilt ones: no
500, nothing that hangs, no growth. `ASSAY_FUZZ_SECONDS` says how long."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from assay.chain.contracts.epochs import read_epoch_state, read_timing
from assay.chain.key_files import Key
from assay.protocol.epochs import Timing
from assay.protocol.keccak import keccak
from assay.protocol.signing import Domain
from assay.wire import paths
from assay.wire.post_headers import PostHeaders, post_statement
from tests.integration.validator.api.test_api_fuzz import mutated
from tests.integration.validator.network import Network

SECONDS = float(os.environ.get("ASSAY_FUZZ_SECONDS", "300"))
LIMIT_S = 10.0  # a request that takes longer hangs
MAX_GROWTH_MIB = 60
LOUD = {"ASSAY_REQUESTS_PER_SECOND": "1000000", "ASSAY_REQUEST_BURST": "1000000"}
QUIET_EPOCHS = {
    "epochs": {
        "genesis": "now+10",
        "epochLength": 60,
        "openBy": 15,
        "sealBy": 40,
        "drawBy": 52,
        "reportBy": 90,
        "proofWindow": 900,
    },
    "leases": {"holdback": 250},
}
POSTS = tuple(sorted(paths.MESSAGES))
Answering = Callable[[str, bytes], dict[str, str]]  # headers of a post, for its path and body


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Campaign:
    """What was asked, what came back, how long it took."""

    def __init__(self, url: str, pid: int, answering: Answering) -> None:
        self.url, self.pid, self.answering = url, pid, answering
        self.codes: Counter[int] = Counter()
        self.slowest = 0.0
        self.resident: list[float] = []
        self._client = httpx2.Client(base_url=url, timeout=LIMIT_S, trust_env=False, verify=False)

    def note(self, status: int, seconds: float, what: str) -> None:
        self.codes[status] += 1
        self.slowest = max(self.slowest, seconds)
        assert status < 500 or status == 503, what
        if sum(self.codes.values()) % 200 == 0:
            self.resident.append(resident_mib(self.pid))

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        started = time.monotonic()
        answer = self._client.request(method, path, content=body, headers=headers)
        self.note(answer.status_code, time.monotonic() - started, f"{method} {path} {body!r:.300}: {answer.text:.300}")

    def from_schema(self, until: float) -> None:
        """Valid and invalid requests of every operation in turn."""
        schema = schemathesis.openapi.from_url(f"{self.url}/openapi.json")
        operations = [result.ok() for result in schema.get_all_operations()]
        while time.monotonic() < until:
            for operation in operations:
                self._try(operation, until)

    def _try(self, operation, until: float) -> None:
        @given(operation.as_strategy())
        @settings(
            max_examples=25,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case) -> None:
            if time.monotonic() < until:
                started = time.monotonic()
                answer = case.call(timeout=LIMIT_S)
                self.note(answer.status_code, time.monotonic() - started, f"{case.method} {case.path}")

        ask()

    def spoilt(self, bodies: dict[str, bytes], until: float, seed: int) -> None:
        """Real bodies with bytes and values changed, odd headers, plain noise."""
        chance = random.Random(seed)
        kinds = ("application/json", "text/plain", "application/x-www-form-urlencoded", "")
        while time.monotonic() < until:
            path = chance.choice(list(bodies) or list(POSTS))
            body = mutated(bodies[path], chance) if path in bodies and chance.random() < 0.8 else chance.randbytes(200)
            said = self.answering(path, body) if chance.random() < 0.9 else {}
            self.send("POST", path, body, {"content-type": chance.choice(kinds), **said})
            self.send("GET", "/v1/content/0x" + chance.randbytes(chance.choice((31, 32, 33))).hex(), None, {})

    def hoards(self, until: float) -> None:
        """Large bodies, one after the other, that a seat answers for and that none does."""
        body = b"[" * (8 << 20)
        while time.monotonic() < until:
            self.send("POST", paths.OBSERVATIONS, body, self.answering(paths.OBSERVATIONS, body))
            self.send("POST", paths.OBSERVATIONS, body, {"content-type": "application/json"})


def answered_for(domain: Domain, key: Key, timing: Timing, set_id: int) -> Answering:
    """Headers of a seat that signs whatever is posted, in the epoch of the moment."""

    def headers(path: str, body: bytes) -> dict[str, str]:
        epoch, body_hash = timing.epoch_at(time.time()) or 0, keccak(body)
        signature = key.sign_digest(post_statement(path, epoch, set_id, body_hash).digest(domain))
        return PostHeaders(key.address, epoch, set_id, body_hash, signature).to_headers()

    return headers


@pytest.mark.deep
def test_api__asked_for_minutes__never_fails_hangs_or_grows(tmp_path):
    seed = int(os.environ.get("ASSAY_FUZZ_SEED", random.SystemRandom().randrange(2**32)))
    print(f"ASSAY_FUZZ_SEED={seed}")
    network = Network(tmp_path, QUIET_EPOCHS)
    try:
        domain, timing, set_id = asyncio.run(begun(network))
        seat = network.seats[0]
        campaign = Campaign(seat.url, seat.process.pid, answered_for(domain, network.seats[1].key, timing, set_id))
        bodies = asyncio.run(taken(network))
        campaign.from_schema(time.monotonic() + 0.1 * SECONDS)  # warm
        campaign.resident.clear()
        campaign.hoards(time.monotonic() + 0.1 * SECONDS)
        campaign.from_schema(time.monotonic() + 0.5 * SECONDS)
        campaign.spoilt(bodies, time.monotonic() + 0.3 * SECONDS, seed)
        first, last = campaign.resident[0], campaign.resident[-1]
        print(
            f"{sum(campaign.codes.values())} requests in {SECONDS:.0f} s: {dict(campaign.codes)}; slowest "
            f"{campaign.slowest:.2f} s; resident {first:.0f} to {last:.0f} MiB; bodies {sorted(bodies)}"
        )
        assert seat.process.poll() is None
        assert last - first < MAX_GROWTH_MIB
        assert httpx2.get(f"{seat.url}/livez", trust_env=False).status_code == 200
    finally:
        asyncio.run(network.stop())


async def begun(network: Network) -> tuple[Domain, Timing, int]:
    """Four seats on a chain of their own, one of them open to any number of requests. What their messages are signed
    for, the epochs' times, and the set."""
    await network.start()
    await network.add_seats(4)
    await network.add_devices([None])
    await network.begin()
    for seat in network.seats:
        network.run_seat(seat, **LOUD)
    await network.reported(1, 280)
    domain, timing = network.chain.domain("EpochOracle"), await read_timing(network.chain)
    state = await read_epoch_state(network.chain, 0, await network.chain.head())
    await network.chain.close()
    del network.chain
    return domain, timing, state.set_id


async def taken(network: Network) -> dict[str, bytes]:
    """Real bodies of messages, from what a seat serves."""
    bodies = {}
    for epoch in (0, 1, 2, 3):
        answer = await network.get(network.seats[1], f"/v1/epochs/{epoch}")
        if answer is None or answer.status_code != 200:
            continue
        index = answer.json()
        for name, path in (("inventories", "/v1/inventories"), ("batches", "/v1/observations")):
            for entry in index.get(name, [])[:1]:
                digest = entry.get("content") if isinstance(entry, dict) else entry
                body = await network.get(network.seats[1], f"/v1/content/{digest}")
                if body is not None and body.status_code == 200:
                    bodies[path] = body.content
    return bodies
