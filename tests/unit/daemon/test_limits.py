"""What every daemon shares: buckets of requests, limits on bodies, logs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import httpx2
import pytest

from assay.daemon.body_limit import BodyLimit
from assay.daemon.request_buckets import MOST_ASKERS, RequestBuckets


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
    for i in range(MOST_ASKERS):
        buckets.take(str(i))
    assert buckets.take("first") == 0.0
    assert buckets.take(str(MOST_ASKERS - 1)) > 0


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


@pytest.mark.parametrize("line", ["structlog.get_logger().info('e', epoch=3)", "logging.getLogger('x').warning('e')"])
def test_log__of_ours_or_a_librarys__is_one_json_object_a_line(line):
    code = f"import logging, structlog; from assay.daemon import json_log; json_log.configure('info'); {line}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    value = json.loads(done.stderr)
    assert value["event"] == "e"
    assert value["level"] in ("info", "warning")
    assert "timestamp" in value
