"""What the followers do when something is away, and when something is wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from assay.chain.errors import ChainError
from assay.market.api.status import Status
from assay.market.service import repeat, serve_beside


class Server:
    """Serves until it is told to stop."""

    should_exit = False

    async def serve(self, sockets: Any = None) -> None:
        while not self.should_exit:  # noqa: ASYNC110 - uvicorn, too, looks at its flag
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "failure", [ChainError("no node answers"), OperationalError("SELECT 1", {}, Exception("server closed"))]
)
async def test_repeat__while_node_or_database_is_away__says_so_and_tries_again(failure: Exception) -> None:
    status, tries = Status("test", 1), 0
    done = asyncio.Event()

    async def step() -> bool:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise failure
        done.set()
        return False

    task = asyncio.create_task(repeat(step, 0.001, status))
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()
    assert status.last_error is not None and str(failure)[:20] in status.last_error


async def test_market__whose_follower_fails_by_our_fault__stops_with_it() -> None:
    async def step() -> bool:
        raise KeyError("a row that must be there")

    task = asyncio.create_task(repeat(step, 0.001, Status("test", 1)))
    server: Any = Server()
    with pytest.raises(KeyError, match="a row that must be there"):
        await asyncio.wait_for(serve_beside(server, None, [task]), 5)


async def test_market__told_to_stop__ends_without_a_failure() -> None:
    async def step() -> bool:
        return False

    task = asyncio.create_task(repeat(step, 0.001, Status("test", 1)))
    server: Any = Server()
    server.should_exit = True
    await asyncio.wait_for(serve_beside(server, None, [task]), 5)
    task.cancel()
