"""What strangers ask of a provider costs its node a bounded number of calls a block."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from assay.chain.client import Chain
from assay.chain.contract_signatures import contract_accepts
from assay.chain.errors import EndpointFault, UnreachableChain
from assay.chain.rpc_pool import EndpointPool
from assay.protocol.epochs import Phase
from assay.provider.chain_view import ChainView
from tests.unit.renter.leased import PROVIDER, RENTER, STRANGER
from tests.unit.renter.test_call_counts import ANSWERS
from tests.unit.renter.year_node import DEPLOYMENT, YearNode, lease_values

COUNT, NOW_EPOCH = 50, 1_000


class Clock:
    """Moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def lease_of(arguments: bytes) -> Any:
    mine = int.from_bytes(arguments[:32], "big") == 7
    return lease_values(renter=RENTER, provider=PROVIDER if mine else STRANGER, status=2)


def view_of(phase: Phase = Phase.OPEN) -> tuple[ChainView, YearNode, Clock]:
    state = (int(phase), 1, 4, 0, 0, 0, 0, 0, 0, *([bytes(32)] * 6), 0, bytes(32))
    answers = {
        **ANSWERS, "lease": lease_of, "leaseCount": lambda _: COUNT, "epochState": lambda _: state,
        "seatsOf": lambda _: [(RENTER, STRANGER)],
    }  # fmt: skip
    node, clock = YearNode(answers, []), Clock()
    chain = Chain(EndpointPool([node], 31_337, monotonic=clock), DEPLOYMENT)
    return ChainView(chain, PROVIDER, for_strangers=True), node, clock


async def test_lease__the_same_a_thousand_times__asked_for_once_a_block() -> None:
    view, node, _ = view_of()
    await asyncio.gather(*(view.lease(7) for _ in range(1_000)))
    assert node.calls <= 8, node.asked


async def test_lease__numbers_that_are_no_leases__no_call_of_their_own() -> None:
    view, node, _ = view_of()
    assert await view.lease(COUNT + 1) is None
    before = node.calls
    assert [await view.lease(n) for n in (0, COUNT + 1, 10**9, 1 << 255, 1 << 300)] == [None] * 5
    assert node.calls == before


async def test_lease__with_another_provider__read_once_for_all_blocks() -> None:
    view, node, clock = view_of()
    assert (await view.lease(9)).provider == STRANGER  # type: ignore[union-attr]
    before = node.calls
    clock.now += 60
    await view.lease(9)
    assert node.calls == before


async def test_epoch__far_ahead__no_call_of_its_own() -> None:
    view, node, _ = view_of()
    assert await view.epoch(NOW_EPOCH) is not None
    before = node.calls
    assert [await view.epoch(NOW_EPOCH + n) for n in (1, 2, 1 << 60)] == [None] * 3
    assert node.calls == before


async def test_epoch__past_or_now__asked_for_once_a_block() -> None:
    view, node, _ = view_of(Phase.REPORTED)
    for _ in range(3):
        await view.epoch(NOW_EPOCH - 5)
        await view.epoch(NOW_EPOCH)
        await view.latest()
    assert node.asked["eth_call"] == 4  # the current number, two states, the seats


async def test_recent_final__node_down__asked_once_a_second_and_well_again_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view, node, clock = view_of()
    ask = node.request

    async def down(method: str, params: Any) -> Any:
        node.asked[method] += 1
        raise EndpointFault(node.url, "connection refused")

    monkeypatch.setattr(node, "request", down)
    for _ in range(50):
        with pytest.raises(UnreachableChain):
            await view.time()
    assert node.calls <= 4
    monkeypatch.setattr(node, "request", ask)
    clock.now += 2
    assert await view.time() > 0


async def test_contract_accepts__account_without_code__one_question_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    _, node, clock = view_of()
    monkeypatch.setattr(YearNode, "eth_getCode", lambda self, account, at: "0x", raising=False)
    chain = Chain(EndpointPool([node], 31_337, monotonic=clock), DEPLOYMENT)
    for n in range(50):
        assert not await contract_accepts(chain, RENTER, bytes(32), bytes([n]) * 65)
    assert node.asked["eth_getCode"] == 1
    assert node.asked["eth_call"] == 0
