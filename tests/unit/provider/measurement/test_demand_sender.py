"""What the demand desk is told of the chain: what is open, what is final, what it earns, what nobody can answer."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.demands import Demand, DemandStatus
from assay.chain.contracts.devices import DeviceStatus
from assay.chain.rpc.blocks import Block
from assay.protocol.keccak import keccak
from assay.provider.measurement.demand_rules import Reward
from assay.provider.measurement.demand_sender import DemandSender
from tests.unit.provider.conftest import DEVICES, RENTER
from tests.unit.provider.contracts_fake import FINAL, HEAD, SenderFake

PAYOUT = "0x" + "aa" * 20


def demand(number: int, device: int = 0) -> Demand:
    return Demand(
        keccak(bytes([number])), DEVICES[device].device_id, 5, keccak(b"root"), True, number, 1, 7, 10**6, RENTER,
        DemandStatus.OPEN,
    )  # fmt: skip


class Chain:
    """OpeningDemands and the registry, as far as they are asked."""

    def __init__(self) -> None:
        self.known: dict[bytes, Demand] = {}
        self.slashed: set[bytes] = set()
        self.due = {"latest": 0, "final": 0}
        self.asked: list[str] = []

    async def head(self) -> Block:
        return HEAD

    async def finalised(self) -> Block:
        return FINAL

    async def call(self, contract: str, function: str, *args: Any, at: Any = None) -> Any:
        self.asked.append(function)
        match function:
            case "bondOfDemand":
                return SimpleNamespace(bond=40, reward=self.known[args[0]].index, burned=4)
            case "device":
                status = DeviceStatus.SLASHED if args[0] in self.slashed else DeviceStatus.RETIRED
                return SimpleNamespace(status=int(status))
            case "bondOf":
                return self.due["latest" if at == "latest" else "final"]
            case "demandOf":
                found = self.known.get(args[0])
                if found is None:
                    return SimpleNamespace(status=0)
                return SimpleNamespace(
                    deviceId=found.device_id, epoch=5, resultRoot=found.result_root, isRow=True, index=found.index,
                    t=1, i=7, deadline=found.deadline, demander=RENTER, status=int(found.status),
                    baseFee=100 + found.index,
                )  # fmt: skip
        raise AssertionError(f"{contract}.{function} was not expected")


class Directory:
    """Demands open at the head and at the final block."""

    def __init__(self) -> None:
        self.head: list[Demand] = []
        self.final: list[Demand] = []

    async def open_demands(self, at: Block | None = None) -> list[Demand]:
        return self.head if at == HEAD else self.final


class World:
    def __init__(self) -> None:
        self.chain, self.directory, self.sender = Chain(), Directory(), SenderFake(RENTER)
        parts: Any = (self.chain, self.sender, self.directory)

        async def payout() -> str:
            return PAYOUT

        view: Any = None
        self.demands = DemandSender(parts[0], parts[1], view, parts[2], payout)

    def opened(self, *demands: Demand, final: bool = True) -> None:
        self.directory.head += demands
        self.directory.final += demands if final else ()
        self.chain.known |= {one.demand_id: one for one in demands}


@pytest.fixture
def world() -> World:
    return World()


async def test_open_demands__several_of_several_devices__with_reward_and_finality(world: World) -> None:
    world.opened(demand(1), demand(2, device=1))
    world.opened(demand(3), final=False)
    seen = await world.demands.open_demands()
    assert [(one.demand.index, one.final, one.reward) for one in seen] == [
        (1, True, Reward(1, 101)),
        (2, True, Reward(2, 102)),
        (3, False, Reward(3, 103)),
    ]


async def test_open_demands__asked_again__rewards_of_final_ones_are_remembered(world: World) -> None:
    world.opened(demand(1))
    world.opened(demand(2), final=False)
    for _ in range(3):
        await world.demands.open_demands()
    # That of a demand which is not final could be made again at another base fee.
    assert world.chain.asked.count("bondOfDemand") == 1 + 3


async def test_open_demands__device_slashed_since__cannot_be_answered_and_is_left_out(world: World) -> None:
    world.opened(demand(1), demand(2, device=1))
    world.chain.slashed = {DEVICES[0].device_id}
    assert [one.demand.index for one in await world.demands.open_demands()] == [2]


async def test_is_open__answered_expired_or_about_another_result__is_not(world: World) -> None:
    made = demand(1)
    assert not await world.demands.is_open(made)
    world.opened(made)
    assert await world.demands.is_open(made)
    assert not await world.demands.is_open(replace(made, result_root=keccak(b"other")))
    for status in (DemandStatus.ANSWERED, DemandStatus.EXPIRED):
        world.chain.known[made.demand_id] = replace(made, status=status)
        assert not await world.demands.is_open(made)


@pytest.mark.parametrize(("latest", "final", "collected"), [(5, 5, True), (0, 5, False), (5, 0, False), (0, 0, False)])
async def test_collect__due_at_the_head_and_in_a_final_block__goes_where_rent_goes(
    world: World, latest: int, final: int, collected: bool
) -> None:
    world.chain.due = {"latest": latest, "final": final}
    assert (await world.demands.collect_bonds() is not None) == collected
    assert [call.args for call in world.sender.sent] == [(PAYOUT,)] * collected


async def test_answer__sent_twice__has_one_purpose_and_another_for_another_result(world: World) -> None:
    shown: Any = SimpleNamespace(values=lambda: ())
    for made in (demand(1), demand(1), replace(demand(1), result_root=keccak(b"other")), demand(2)):
        await world.demands.answer_row(made, shown, b"row", ())
    first, again, other, second = world.sender.purposes
    assert first == again and len({first, other, second}) == 3
