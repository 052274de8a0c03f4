"""Following a chain that lags, grows and changes its mind."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from assay.chain.rpc.blocks import Block
from assay.market.events.record import Event
from assay.market.events.registry import RawLog
from assay.market.follow.chain_follower import ChainFollower
from assay.market.follow.index import MarketIndex
from assay.market.store.database import INDEX_TABLES
from assay.market.store.rows import table_rows
from assay.market.store.tables import set_seats, stakes
from tests.unit.market.scenario import PROVIDERS, SEATS, epoch_events, founding, h, logs_of, timestamp
from tests.unit.market.scenario import device_leaves as leaves_of

from .test_index import new_index


class ChainFake:
    """A chain whose blocks from `fork` on carry another name."""

    def __init__(self, history: Sequence[tuple[int, Event]], head: int) -> None:
        self.history = list(history)
        self.head = head
        self.fork: tuple[int, str] = (1 << 60, "")
        self.asked: list[tuple[int, int]] = []

    def _block(self, number: int) -> Block:
        name = self.fork[1] if number >= self.fork[0] else ""
        return Block(number, h(f"block {number}{name}"), b"", timestamp(number), 0)

    async def finalised(self) -> Block:
        return self._block(self.head)

    async def block(self, number: int) -> Block | None:
        return self._block(number) if number <= self.head else None

    async def logs(self, first: int, last: Block) -> Sequence[RawLog]:
        self.asked.append((first, last.number))
        return logs_of([pair for pair in self.history if first <= pair[0] <= last.number])

    async def seats(self, set_id: int, at: Block) -> Sequence[tuple[str, str]]:
        return SEATS

    async def calldata(self, transaction: bytes) -> tuple[str, bytes]:
        return PROVIDERS[0], b"proof of " + transaction


def dump(index: MarketIndex) -> list[str]:
    with index.engine.connect() as connection:
        return list(table_rows(connection, INDEX_TABLES))


async def caught_up(follower: ChainFollower) -> None:
    while await follower.step():
        pass


async def test_follower__started_again__goes_on_behind_the_last_batch(index: MarketIndex) -> None:
    chain = ChainFake(founding(), 5)
    await caught_up(ChainFollower(index, chain, 1))
    chain.head = 9
    await caught_up(ChainFollower(index, chain, 1))
    await caught_up(ChainFollower(index, chain, 1))
    assert chain.asked == [(1, 5), (6, 9)]
    with index.engine.connect() as connection:
        assert len(connection.execute(select(set_seats)).all()) == 4


async def test_follower__of_a_node_that_lags__changes_nothing(index: MarketIndex) -> None:
    chain = ChainFake(founding(), 5)
    follower = ChainFollower(index, chain, 1)
    await caught_up(follower)
    chain.head = 9
    await caught_up(follower)
    before = dump(index)
    chain.head = 7
    await caught_up(follower)
    assert dump(index) == before
    assert index.tip() is not None and index.tip().block == 9  # type: ignore[union-attr]


async def test_follower__of_a_reorganised_chain__equals_one_that_never_saw_the_first_branch(
    index: MarketIndex,
) -> None:
    chain = ChainFake(founding() + epoch_events(1, 6, leaves_of(1)), 5)
    follower = ChainFollower(index, chain, 1)
    for head in (5, 7, 9, 11):
        chain.head = head
        await caught_up(follower)
    chain.fork = (7, " again")
    chain.history = founding() + epoch_events(1, 6, leaves_of(1, flags=(4, 4, 1, 1)), signers=0b1011)
    chain.head = 12
    await caught_up(follower)
    expected = new_index()
    await caught_up(ChainFollower(expected, ChainFake(chain.history, 12), 1))
    assert dump(index) == dump(expected)
    assert (6, 12) in chain.asked


async def test_follower__of_another_chain_altogether__begins_anew(index: MarketIndex) -> None:
    chain = ChainFake(founding(), 5)
    await caught_up(ChainFollower(index, chain, 1))
    chain.fork = (0, " elsewhere")
    chain.history = founding()[:2]
    await caught_up(ChainFollower(index, chain, 1))
    with index.engine.connect() as connection:
        assert PROVIDERS[0] not in set(connection.execute(select(stakes.c.account)).scalars())
