"""The daemon's interface against generated requests: no 500, no hang, no growth of what it stores."""

from __future__ import annotations

import asyncio
import json
import os
import random
from functools import lru_cache

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from assay.network.request_buckets import RequestBuckets
from assay.protocol import signing
from assay.protocol.epochs import Phase
from assay.protocol.keccak import keccak
from assay.validator.api.app import create_app
from assay.validator.api.services import ApiServices
from assay.wire import paths
from assay.wire.post_headers import PostHeaders, post_statement
from tests.unit.validator.simulation.chain import DOMAIN
from tests.unit.validator.simulation.network import SimNetwork, reachability_of, seat_key
from tests.unit.validator.simulation.virtual_time import run

EXAMPLES = int(os.environ.get("ASSAY_FUZZ_EXAMPLES", "25"))
MAX_GROWTH = 1 << 20
MAX_SIGNED = 1 << 16


@pytest.fixture(scope="module")
def services(tmp_path_factory) -> ApiServices:
    """A node in the middle of an epoch, with everything that it holds by then."""
    patch = pytest.MonkeyPatch()
    patch.setattr(signing, "recover", lru_cache(maxsize=None)(signing.recover))
    network = SimNetwork(tmp_path_factory.mktemp("fuzz"))

    async def half_an_epoch() -> None:
        work = asyncio.create_task(network.run(1))
        await asyncio.sleep(1)
        while network.phase(0) < Phase.SEALED:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        network.kept = network.nodes[1]
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    run(half_an_epoch())
    patch.undo()
    node = network.kept
    return ApiServices(
        inbox=node.inbox,
        publication=node.publication,
        store=node.daemon.services.store,
        limit=RequestBuckets(1e9, 1e9, lambda: 0.0),
        status=lambda: {"epochs": {}},
        unready=lambda: [],
        metrics=lambda: b"",
        reachability=reachability_of(node),
    )


class Signing:
    """The application behind a seat that answers for whatever is posted: else no body would be looked at."""

    def __init__(self, app, set_id: int) -> None:
        self.app, self.set_id = app, set_id

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http" or scope["path"] not in paths.MESSAGES:
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more and len(body) < MAX_SIGNED:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        digest = post_statement(scope["path"], 0, self.set_id, keccak(body)).digest(DOMAIN)
        key = seat_key(0)
        said = PostHeaders(key.address, 0, self.set_id, keccak(body), key.sign_digest(digest)).to_headers()
        headers = dict(scope["headers"])
        headers.setdefault(b"content-length", str(len(body)).encode())
        headers.update({name.encode(): value.encode() for name, value in said.items()})
        parts = [{"type": "http.request", "body": body, "more_body": more}]

        async def replay():
            return parts.pop() if parts else await receive()

        await self.app({**scope, "headers": list(headers.items())}, replay, send)


@pytest.fixture(scope="module")
def app(services):
    return Signing(create_app(services), services.inbox._record(0).context.set_id)


@pytest.fixture
def api_schema(app):
    return schemathesis.openapi.from_asgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=5_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
def test_api__requests_made_from_its_schema__are_never_an_error_of_its_own(case):
    response = case.call()
    assert response.status_code < 500 or response.status_code == 503
    if response.status_code in (401, 403, 409, 411, 413, 422, 429, 503) and "readyz" not in response.request.url:
        assert "reason" in response.json()


def mutated(body: bytes, chance: random.Random) -> bytes:
    """A valid body with some of its bytes, or one of its values, changed."""
    if chance.random() < 0.5:
        changed = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)
    value = json.loads(body)
    name = chance.choice(list(value))
    odd = [None, -1, 2**64, 1e308, "", "0x", "0x" + "zz" * 32, [], {}, [[[]]] * 50, True, "9" * 400, dict(value)]
    value[name] = chance.choice(odd)
    return json.dumps(value, default=str).encode()


async def test_api__real_messages_mutated__are_refused_and_store_nothing_much(app, services):
    chance = random.Random(1)
    kinds = {
        "instant": "/v1/instants",
        "probe-instant": "/v1/instants",
        "inventory": "/v1/inventories",
        "batch": "/v1/observations",
        "seal-proposal": "/v1/seal-proposals",
        "report-proposal": "/v1/report-proposals",
    }
    stored = [
        message for message in services.store.messages(0) if message.kind in kinds
    ]  # statements come inside others
    assert {m.kind for m in stored} >= {"instant", "probe-instant", "inventory", "seal-proposal"}
    before = services.store.size(0)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://validator") as client:
        for _ in range(40 * EXAMPLES):
            message = chance.choice(stored)
            body = mutated(message.body, chance)
            headers = {"content-type": "application/json"}
            async with asyncio.timeout(10):
                answer = await client.post(kinds[message.kind], content=body, headers=headers)
            assert answer.status_code < 500 or answer.status_code == 503, (message.kind, body, answer.text)
    assert services.store.size(0) - before < MAX_GROWTH


async def test_api__body_beyond_the_limit__is_refused_unread(app):
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://validator") as client:
        declared = await client.post("/v1/instants", content=b"{}", headers={"content-length": str(1 << 40)})
        assert declared.status_code == 413

        async def endless():
            for _ in range(80):
                yield b"x" * (1 << 20)

        assert (await client.post("/v1/instants", content=endless())).status_code == 413


async def test_api__peer_asks_too_often__is_told_so(services):
    limited = create_app(
        ApiServices(
            **{
                **{f: getattr(services, f) for f in services.__dataclass_fields__},
                "limit": RequestBuckets(1, 3, lambda: 0.0),
            }
        )
    )
    transport = httpx2.ASGITransport(app=limited)
    async with httpx2.AsyncClient(transport=transport, base_url="http://validator") as client:
        codes = [(await client.get("/v1/status")).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        assert (await client.get("/livez")).status_code == 200
