"""What happens, as it happens: server-sent events, and what of them is undone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from assay.market.api import models
from assay.market.api.context import Context, context_of
from assay.market.follow.index import newest_tip
from assay.market.follow.pruning import events_from
from assay.market.queries.events import events_between
from assay.market.queries.rollbacks import Branch, branch_marked, newest_branch, taken_back
from assay.network.request_buckets import asker
from assay.network.slots import SlotResponse
from assay.wire import market_paths as paths

router = APIRouter(tags=["activity"])
Ctx = Annotated[Context, Depends(context_of)]
KEEP_ALIVE_S = 15.0
EVENT_BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class Position:
    """How far a listener is: it has every event up to `block` of a branch; None: of one that is not of this index.

    Events up to block `quiet` are older than the listener: an index that is behind the chain is silent about them.
    """

    block: int
    branch: Branch | None
    quiet: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What there is behind a position, and the one it leads to: events, nothing yet, or a rollback."""

    at: Position
    undone: bool
    events: tuple[dict[str, Any], ...] = ()


@router.get(
    paths.STREAM,
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}},
        HTTPStatus.SERVICE_UNAVAILABLE: {"model": models.Failure, "description": "Too many streams are open"},
    },
)
async def stream(
    ctx: Ctx,
    request: Request,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,18}(-(0|[0-9a-f]{16}))?$")] = None,
    limit: Annotated[int, Query(ge=0, le=1_000_000, description="End after this many messages; 0 never.")] = 0,
) -> Any:
    """Server-sent events: every event of the chain from the newest block on, or from behind Last-Event-ID.

    `rollback` says that the chain was reorganised: events above its `block` are undone, those that stand follow.
    `at` says that there is nothing more for now. A plain block as Last-Event-ID is one of the chain as it is now.
    """
    slot = ctx.streams.take(asker(request.client.host if request.client else None))
    try:
        start = await asyncio.to_thread(position, ctx, last_event_id)
        return SlotResponse(slot, messages(ctx, start, limit), media_type="text/event-stream")
    except BaseException:
        slot.give_back()
        raise


def position(ctx: Context, event_id: str | None) -> Position:
    """Where a listener goes on: behind the last message it has, or at the newest block."""
    block, _, mark = (event_id or "").partition("-")
    with ctx.reading() as connection:
        branch = branch_marked(connection, mark) if mark else newest_branch(connection)
        tip = newest_tip(connection)
        first = events_from(connection)
    if block and int(block) + 1 < first:
        raise HTTPException(
            HTTPStatus.GONE, f"events before block {first} are no longer kept here: start at {first - 1}"
        )
    if block:
        return Position(int(block), branch)
    return Position(tip.block if tip else 0, branch, ctx.status.head)


async def messages(ctx: Context, at: Position, limit: int = 0) -> AsyncIterator[bytes]:
    """Events, rollbacks and `at`, without end or `limit` of them."""
    sent = 0
    while True:
        moved = ctx.status.moved
        news = await asyncio.to_thread(_news, ctx, at)
        for message in _written(ctx, news):
            yield message
            sent += 1
            if limit and sent >= limit:
                return
        at = news.at
        if news.undone or news.events:
            continue
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                await moved.wait()
        except TimeoutError:
            yield b": still here\n\n"


def _news(ctx: Context, at: Position) -> News:
    with ctx.reading() as connection:
        if at.branch is None:
            return News(Position(0, newest_branch(connection)), undone=True)
        tip = newest_tip(connection)
        last = tip.block if tip else 0
        found = events_between(connection, max(at.block, at.quiet), last, EVENT_BATCH_SIZE)
        # Asked last: a rollback in between makes what was found doubtful.
        back = taken_back(connection, at.branch)
    if back is not None:
        block, branch = back
        if block >= at.block:
            return _news(ctx, Position(at.block, branch, at.quiet))
        return News(Position(block, branch), undone=True)
    if last < at.block:
        # An index that is being read anew, or another that is behind: it is as far as it says.
        return News(Position(last, at.branch), undone=True)
    return News(Position(found[-1]["block"] if found else last, at.branch, at.quiet), False, tuple(found))


def _written(ctx: Context, news: News) -> list[bytes]:
    if news.undone:
        return [_message("rollback", news.at, {"block": news.at.block})]
    if not news.events:
        # Who comes back to an index that is being built is new to it.
        return [_message("at", news.at if news.at.block >= news.at.quiet else None, models.At(**ctx.at()).model_dump())]
    following = [*news.events[1:], None]
    # A block counts as seen with its last event: who resumes in between gets all of it again.
    ends = [n is None or n["block"] != e["block"] for e, n in zip(news.events, following, strict=True)]
    return [
        _message(e["name"], Position(e["block"], news.at.branch) if end else None, models.plain(e))
        for e, end in zip(news.events, ends, strict=True)
    ]


def _message(name: str, at: Position | None, data: Any) -> bytes:
    mark = "" if at is None or at.branch is None else f"id: {at.block}-{at.branch.mark}\n"
    return f"{mark}event: {name}\ndata: {json.dumps(data)}\n\n".encode()
