"""The server side: buckets of requests, limits on bodies, a line and an id for each request."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
import structlog

from assay.network.access_log import AccessLog
from assay.network.body_limit import BodyLimit, BytesInFlight
from assay.network.connections import FEW, ConnectionLimits, is_loopback
from assay.network.request_buckets import MAX_ASKERS, RequestBuckets, asker


def test_buckets__used_up__say_how_long_to_wait_and_refill():
    now = [0.0]
    buckets = RequestBuckets(2.0, 3.0, lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("b") == 0.0
    now[0] = 0.5
    assert buckets.take("a") == 0.0
    assert buckets.take("a", cost=2.0) == 1.0


def test_buckets__more_askers_than_remembered__forget_the_longest_unheard_of():
    buckets = RequestBuckets(1.0, 1.0, lambda: 0.0)
    assert buckets.take("first") == 0.0
    for i in range(MAX_ASKERS):
        buckets.take(str(i))
    assert buckets.take("first") == 0.0
    assert buckets.take(str(MAX_ASKERS - 1)) > 0


async def test_body_limit__body_that_never_comes__is_408():
    async def reached(scope, receive, send):
        raise AssertionError("reached")

    async def stalled():
        yield b"x"
        await asyncio.sleep(3600)

    app = BodyLimit(reached, most=lambda path: 100, name="reason", read_s=0.01)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://a") as client:
        answer = await client.post("/", content=stalled())
    assert answer.status_code == 408
    assert "within" in answer.json()["reason"]


@pytest.mark.parametrize(
    ("address", "who"),
    [("203.0.113.7", "203.0.113.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
     ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
     ("2001:db8:1:3::9", "2001:db8:1:3::/64"), ("::ffff:203.0.113.7", "203.0.113.7"), ("fe80::1%eth0", "fe80::/64"),
     ("testclient", "testclient"), (None, "unknown"), ("", "unknown")],
)  # fmt: skip
def test_asker__by_ipv6__is_the_network_that_a_customer_has(address, who):
    assert asker(address) == who


def test_buckets__one_network_with_many_addresses__has_one_bucket():
    buckets = RequestBuckets(1.0, 3.0, lambda: 0.0)
    assert sum(buckets.take(asker(f"2001:db8::{n:x}")) == 0.0 for n in range(1, 1000)) == 3


@pytest.mark.parametrize(
    ("given", "returned"), [("abc-1", "abc-1"), (None, "new"), ("x" * 65, "new"), ("a b", "new"), ("a\tb", "new")]
)
async def test_request__answered__carries_an_id_that_its_line_has_too(given, returned):
    async def app(scope, receive, send):
        structlog.get_logger().info("at work")
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx2.ASGITransport(app=AccessLog(app, new_id=lambda: "new"))
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with httpx2.AsyncClient(transport=transport, base_url="http://a") as client:
            answer = await client.get("/v1/x?secret=1", headers={"x-request-id": given} if given else {})
    assert answer.headers["x-request-id"] == returned
    assert [(line["event"], line["request"]) for line in lines] == [
        ("at work", returned),
        ("request answered", returned),
    ]
    assert (lines[1]["path"], lines[1]["status"], lines[1]["log_level"]) == ("/v1/x", 500, "warning")


def test_connections__of_one_asker_and_in_all__are_bounded_and_given_back():
    limits = ConnectionLimits(in_all=40, of_one=100, exempt=is_loopback, now=lambda: 0.0)
    assert sum(limits.admit("203.0.113.1") for _ in range(100)) == 10
    assert sum(limits.admit(f"2001:db8::{n:x}") for n in range(1, 100)) == 10
    limits.release("2001:db8::5")
    assert limits.admit("2001:db8::77")
    assert sum(limits.admit("127.0.0.1") for _ in range(100)) == 20
    assert not limits.admit("198.51.100.1")
    for _ in range(20):
        limits.release("127.0.0.1")
    assert limits.open == 20


def test_connections__nearly_all_taken__are_for_those_who_hold_few():
    limits = ConnectionLimits(in_all=400, of_one=100, exempt=is_loopback, now=lambda: 0.0)
    for n in range(3):
        assert sum(limits.admit(f"203.0.113.{n}") for _ in range(1_000)) == 100
    assert not limits.admit("203.0.113.1")
    assert sum(limits.admit("203.0.113.9") for _ in range(1_000)) == FEW


def test_connections__refused_without_end__are_told_of_once_a_minute():
    now = [0.0]
    limits = ConnectionLimits(in_all=4, of_one=1, exempt=is_loopback, now=lambda: now[0])
    with structlog.testing.capture_logs() as lines:
        for _ in range(1_000):
            limits.admit("203.0.113.1")
        now[0] = 60.0
        limits.admit("203.0.113.1")
    assert [line["count"] for line in lines] == [1, 999]


def posting(
    address: str, size: int, declared: int | None = None
) -> tuple[dict[str, object], list[dict[str, object]], asyncio.Queue]:
    headers = [] if declared is None else [(b"content-length", str(declared).encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "client": (address, 1)}
    came: asyncio.Queue = asyncio.Queue()
    came.put_nowait({"type": "http.request", "body": bytes(size), "more_body": True})
    return scope, [], came


async def test_body_limit__bodies_held_at_once__are_bounded_by_asker_and_in_all_and_given_back():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    in_flight = BytesInFlight(of_one=200, in_all=300)
    limit = BodyLimit(app, most=lambda path: 100, in_flight=in_flight)

    async def post(address, size=10, declared=None):
        scope, sent, came = posting(address, size, declared)

        async def send(message):
            sent.append(message)

        task = asyncio.create_task(limit(scope, came.get, send))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task, sent, came

    def statuses(posts):
        return [sent[0]["status"] if sent else None for _, sent, _ in posts]

    first = [await post("203.0.113.1", declared=100) for _ in range(3)]
    assert statuses(first) == [None, None, 503]
    undeclared = [await post("198.51.100.1", size=60) for _ in range(2)]
    assert statuses(undeclared) == [None, 503]
    assert in_flight.held == 260
    for task, _, came in [*first, *undeclared]:
        came.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        await task
    assert in_flight.held == 0
    assert statuses(first[:2]) == [200, 200]
    assert statuses([await post("203.0.113.1", declared=100)]) == [None]


@pytest.mark.parametrize("length", ["9" * 5_000, "-1", "1e3", "\u00b2"])
async def test_body_limit__length_that_is_none__is_413(length: str):
    async def app(scope, receive, send):
        raise AssertionError("reached")

    sent = []

    async def send(message):
        sent.append(message)

    scope, _, came = posting("203.0.113.1", 1)
    scope["headers"] = [(b"content-length", length.encode("latin-1"))]
    await BodyLimit(app, most=lambda path: 100)(scope, came.get, send)
    assert sent[0]["status"] == 413
