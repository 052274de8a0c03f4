"""The stream of events: whole blocks, resumed anywhere, and told when something is undone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection

from assay.market.api import stream_routes
from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.api.stream_routes import messages, position
from assay.market.events.lease_events import LeaseToppedUp
from assay.market.events.record import Event
from assay.market.follow.chain_follower import ChainFollower
from assay.market.follow.index import MarketIndex
from assay.market.queries.events import events_between
from assay.market.queries.search import SearchTable
from assay.market.store.database import open_database
from tests.cases import deep_but
from tests.unit.market.follow.test_chain_follower import ChainFake, caught_up
from tests.unit.market.scenario import RENTER, batch, founding, opened, timestamp, tip

OPENED = (6, opened(1))
SHARED: list[tuple[int, Event]] = [*founding(), OPENED]


def branch(amount: int, *blocks: int) -> list[tuple[int, Event]]:
    return [*SHARED, *((b, LeaseToppedUp(1, amount + b, timestamp(90))) for b in blocks)]


class Listener:
    """Holds what it was told, as the documentation says, from the newest block on or from its last message's id."""

    def __init__(self) -> None:
        self.last: str | None = None
        self.held: dict[tuple[int, int], Any] = {}
        self.went_back: list[int] = []

    def take(self, text: str) -> str:
        """Takes one message and returns its kind."""
        fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
        data = json.loads(fields["data"])
        self.last = fields.get("id", self.last)
        if fields["event"] == "rollback":
            self.went_back.append(data["block"])
            self.held = {place: e for place, e in self.held.items() if place[0] <= data["block"]}
        elif fields["event"] != "at":
            place = data["block"], data["log_index"]
            assert place not in self.held, "told twice"
            self.held[place] = data["arguments"]
        return fields["event"]

    async def up_to_now(self, stream: AsyncIterator[bytes]) -> None:
        while self.take((await anext(stream)).decode()) != "at":
            pass

    async def once(self, context: Context) -> None:
        """Connects, listens until there is nothing more, and goes away."""
        stream = messages(context, position(context, self.last))
        await self.up_to_now(stream)
        await stream.aclose()


class Market:
    """A chain, an index in a file that follows it, and what answers from that."""

    def __init__(self, folder: Path) -> None:
        self.index = MarketIndex(open_database(str(folder / "market.sqlite3")), max_age=2)
        self.chain = ChainFake(branch(100, 8, 9), 5)
        self.follower = ChainFollower(self.index, self.chain, 1)
        self.restart()

    def restart(self) -> None:
        self.context = Context(self.index.engine, Status("test", 31337), SearchTable(self.index.engine))

    async def follow(self, head: int) -> None:
        self.chain.head = head
        await caught_up(self.follower)
        self.context.status.move(self.index.tip(), head)

    async def reorganise(
        self, history: Sequence[tuple[int, Event]], fork: int, head: int, name: str = " again"
    ) -> None:
        self.chain.fork, self.chain.history = (fork, name), list(history)
        await self.follow(head)

    def holds(self) -> dict[tuple[int, int], Any]:
        with self.index.engine.connect() as connection:
            found = events_between(connection, 0, 1 << 40, 1 << 20)
        return {(e["block"], e["log_index"]): e["arguments"] for e in found}


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    market = Market(tmp_path)
    yield market
    market.index.engine.dispose()


@pytest.fixture
def listener() -> Listener:
    listener = Listener()
    listener.last = "0-0"  # from the first block on
    return listener


@pytest.mark.parametrize(("head", "connected"), deep_but([(8, False), (10, True)], product([8, 9, 10], [True, False])))
async def test_listener__of_a_chain_reorganised_to_below_at_or_above_its_height__holds_what_the_index_holds(
    market: Market, listener: Listener, head: int, connected: bool
) -> None:
    for known in (5, 7, 9):
        await market.follow(known)
    stream = messages(market.context, position(market.context, listener.last))
    await listener.up_to_now(stream)
    assert listener.held == market.holds()
    if not connected:
        await stream.aclose()
    await market.reorganise(branch(200, 7, 8), 7, head)
    if connected:
        await listener.up_to_now(stream)
        await stream.aclose()
    else:
        await listener.once(market.context)
    assert listener.went_back == [5]
    assert listener.held == market.holds()
    assert listener.held[7, 0]["amount"] == "207" and (9, 0) not in listener.held


async def test_listener__that_comes_back_after_two_reorganisations_and_a_restart__holds_what_the_index_holds(
    market: Market, listener: Listener
) -> None:
    for known in (5, 7, 9):
        await market.follow(known)
    await listener.once(market.context)
    await market.reorganise(branch(200, 8), 9, 9, " b")
    await market.reorganise(branch(300, 7, 9), 6, 9, " c")
    market.restart()
    await listener.once(market.context)
    assert listener.went_back == [5]
    assert listener.held == market.holds()
    await listener.once(market.context)
    assert listener.went_back == [5]


async def test_listener__that_has_nothing_of_what_was_undone__is_not_sent_back(
    market: Market, listener: Listener
) -> None:
    for known in (5, 7):
        await market.follow(known)
    await listener.once(market.context)
    await market.follow(9)
    await market.reorganise(branch(200, 8), 8, 9)
    await listener.once(market.context)
    assert listener.went_back == []
    assert listener.held == market.holds()


async def test_listener__of_an_index_that_was_emptied__begins_anew(market: Market, listener: Listener) -> None:
    await market.follow(9)
    await listener.once(market.context)
    market.index.roll_back(0)
    await listener.once(market.context)
    assert (listener.went_back, listener.held) == ([0], {})
    await market.reorganise(branch(200, 8), 1, 9)
    await listener.once(market.context)
    assert listener.held == market.holds() != {}


async def test_listener__that_comes_from_another_index__begins_anew(market: Market, listener: Listener) -> None:
    await market.follow(9)
    listener.last = "9-0123456789abcdef"
    await listener.once(market.context)
    assert listener.went_back == [0]
    assert listener.held == market.holds()


async def test_listener__further_than_the_index__is_sent_back_to_where_that_is(
    market: Market, listener: Listener
) -> None:
    await market.follow(9)
    listener.last = "12-0"
    await listener.once(market.context)
    assert listener.went_back == [9]


async def test_listener__while_the_chain_is_reorganised_under_the_reading__is_told_nothing_doubtful(
    market: Market, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in (5, 7, 9):
        await market.follow(known)
    undone = []

    def read_and_undo(connection: Connection, *arguments: Any) -> Any:
        found = events_between(connection, *arguments)
        connection.rollback()
        if not undone:
            undone.append(market.index.roll_back(7))
        return found

    monkeypatch.setattr(stream_routes, "events_between", read_and_undo)
    listener.last = "7-0"
    await listener.once(market.context)
    assert len(undone) == 1
    assert (listener.held, listener.went_back) == ({}, [])


async def test_newcomer__after_a_reorganisation__is_told_of_none_and_begins_at_the_newest_block(
    market: Market,
) -> None:
    for known in (5, 7, 9):
        await market.follow(known)
    await market.reorganise(branch(200, 7, 8), 7, 9)
    newcomer, from_plain_block = Listener(), Listener()
    await newcomer.once(market.context)
    assert (newcomer.held, newcomer.went_back) == ({}, [])
    from_plain_block.last = "6"
    await from_plain_block.once(market.context)
    assert [place for place in from_plain_block.held] == [(7, 0), (8, 0)]
    assert from_plain_block.went_back == []


@pytest.fixture
def client(index: MarketIndex) -> TestClient:
    index.apply(batch([*founding(), (13, OPENED[1])], 14))
    status = Status("test", 31337, clock=lambda: timestamp(15))
    status.move(tip(14), 14)
    return TestClient(create_app(Context(index.engine, status, SearchTable(index.engine)), pages=False))


def events_of(text: str) -> list[tuple[str | None, str, Any]]:
    found = []
    for message in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in message.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
    return found


def test_stream__from_a_block_on__sends_each_event_with_its_block(client: TestClient) -> None:
    with client.stream("GET", "/v1/stream?limit=2", headers={"last-event-id": "12"}) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert lines[:2] == ["id: 13-0", "event: LeaseOpened"]
    assert json.loads(lines[2].removeprefix("data: "))["arguments"]["renter"] == RENTER
    assert lines[3:5] == ["id: 14-0", "event: at"]


def test_stream__from_far_back__brings_every_event_and_marks_only_whole_blocks(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_routes, "EVENT_BATCH_SIZE", 3)
    founded = len(founding())
    text = client.get(f"/v1/stream?limit={founded + 1}", headers={"last-event-id": "0"}).text
    got = events_of(text)[:founded]
    places = [(data["block"], data["log_index"]) for _, _, data in got]
    assert len(got) == founded
    assert places == sorted(set(places))
    # Only the last event of a block moves the place that a listener resumes from.
    for (mark, _, data), following in zip(got, [*got[1:], None], strict=True):
        whole = following is None or following[2]["block"] != data["block"]
        assert mark == (f"{data['block']}-0" if whole else None)


@pytest.mark.parametrize("mark", ["-1", "7-", "7-xyz", "7-0123", "seven"])
def test_stream__from_what_is_no_place__is_refused(client: TestClient, mark: str) -> None:
    assert client.get("/v1/stream?limit=1", headers={"last-event-id": mark}).status_code == 422


async def test_listener__that_comes_while_the_index_is_built__is_told_only_what_is_newer_than_itself(
    market: Market,
) -> None:
    listener = Listener()
    market.context.status.move(market.index.tip(), 8)
    stream = messages(market.context, position(market.context, None))
    await listener.up_to_now(stream)
    assert (listener.last, listener.held) == (None, {})
    for known in (5, 7):
        await market.follow(known)
        market.context.status.head = 8
        await listener.up_to_now(stream)
    assert (listener.last, listener.held) == (None, {})
    await market.follow(8)
    await listener.up_to_now(stream)
    assert listener.held == {} and listener.last is not None
    await market.follow(9)
    await listener.up_to_now(stream)
    await stream.aclose()
    assert [place[0] for place in listener.held] == [9]


async def test_listener__on_an_index_being_built__is_told_of_a_reorganisation_of_newer_blocks(market: Market) -> None:
    listener = Listener()
    market.context.status.move(market.index.tip(), 7)
    stream = messages(market.context, position(market.context, None))
    for known in (7, 9):
        await market.follow(known)
        await listener.up_to_now(stream)
    assert [place[0] for place in listener.held] == [8, 9]
    await market.reorganise(branch(200, 8), 9, 10)
    await listener.up_to_now(stream)
    await stream.aclose()
    (back,) = listener.went_back
    assert listener.held == {place: e for place, e in market.holds().items() if place[0] > back}
    assert (9, 0) not in listener.held


def test_streams__of_one_address_beyond_its_share__are_refused_while_others_get_theirs(client: TestClient) -> None:
    streams = client.app.state.context.streams  # type: ignore[attr-defined]
    held = [streams.take("testclient") for _ in range(streams.most_each)]
    refused = client.get("/v1/stream?limit=1")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert "testclient" in refused.json()["error"]
    streams.take("192.0.2.9")
    held[0].give_back()
    assert client.get("/v1/stream?limit=1").status_code == 200
    assert streams.taken == streams.most_each


def test_streams__when_there_are_as_many_as_there_may_be__are_refused_and_all_are_given_back(
    client: TestClient,
) -> None:
    streams = client.app.state.context.streams  # type: ignore[attr-defined]
    held = [streams.take(f"2001:db8:{n:x}::/64") for n in range(streams.most)]
    assert client.get("/v1/stream?limit=1").status_code == 503
    for slot in held:
        slot.give_back()
        slot.give_back()
    assert client.get("/v1/stream?limit=1").status_code == 200
    assert client.get("/v1/stream?limit=1", headers={"last-event-id": "x"}).status_code == 422
    assert streams.taken == 0
