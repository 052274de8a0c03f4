"""Demands answered from kept proofs and from proofs made again, over a chain that takes only true answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import structlog

from assay.chain.contracts.demands import Demand, DemandStatus
from assay.chain.errors import ChainError
from assay.chain.rpc.blocks import Block
from assay.proof.engines import engine
from assay.proof.fraud import RoundArgument
from assay.proof.proof import Proof
from assay.protocol.encoding import demand_id
from assay.protocol.keccak import keccak
from assay.protocol.merkle import PositionalTree
from assay.protocol.profile import Profile
from assay.protocol.seeds import device_seed
from assay.provider.cards.tasks import Proven, Task
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.measurement.challenge_service import ChallengeService
from assay.provider.measurement.commitments import CommitmentStore
from assay.provider.measurement.demand_rules import HURRY_S, OpenDemand, Reward
from assay.provider.measurement.demand_service import RETRY_S, DemandService
from assay.provider.ports import Mined
from assay.provider.views import EpochView
from tests.unit.provider.conftest import DEVICE_ID, ORACLE, PROFILE, RENTER, SEED, ChainFake, challenge
from tests.unit.provider.in_thread import ThreadWorker

DEADLINE = 1_000_000
Shown = tuple[RoundArgument, bytes, tuple[bytes, ...]]


@dataclass
class DemandsFake:
    """OpeningDemands as the desk sees it: open demands, each closed by an answer."""

    view: EpochView | None
    demands: dict[bytes, Demand] = field(default_factory=dict)
    answers: list[Shown] = field(default_factory=list)
    answered: list[bytes] = field(default_factory=list)
    failing: bool = False
    bond: int = 0
    collected: int = 0
    now: int = DEADLINE - 86_400
    base_fee: int = 10**9

    async def open_demands(self) -> list[OpenDemand]:
        return [OpenDemand(one, True, Reward(10**18, 10**9)) for one in self.demands.values()]

    async def is_open(self, demand: Demand) -> bool:
        return self.demands.get(demand.demand_id) == demand

    async def head(self) -> Block:
        return Block(1, bytes(32), bytes(32), self.now, self.base_fee)

    async def epoch_at_head(self) -> EpochView | None:
        return self.view

    async def profile(self, profile_id: int) -> Profile:
        assert profile_id == PROFILE.id
        return PROFILE

    async def answer_round(self, demand: Demand, shown: RoundArgument) -> Mined:
        assert not demand.is_row
        return await self.answer_row(demand, shown, b"", ())

    async def answer_row(self, demand: Demand, shown: RoundArgument, row: bytes, path: tuple[bytes, ...]) -> Mined:
        if self.failing:
            raise ChainError("out of reach")
        self.answers.append((shown, row, path))
        self.answered.append(demand.demand_id)
        del self.demands[demand.demand_id]
        self.bond += 1
        return Mined("0x", 1)

    async def collect_bonds(self) -> Mined | None:
        if not self.bond:
            return None
        self.collected, self.bond = self.collected + self.bond, 0
        return Mined("0x", 1)


@dataclass
class Provider:
    """A committed device; `restart` forgets all that was not stored."""

    path: Path
    chain: DemandsFake
    proof: Proof
    device: OwnDevice
    now: float = 0.0
    proved: int = 0
    provers: list[ThreadWorker] = field(default_factory=list)

    def restart(self, devices: tuple[bytes, ...] = (DEVICE_ID,)) -> DemandService:
        prover = ThreadWorker(lambda: engine("reference"), 2)
        self.provers.append(prover)

        async def prove(task: Task) -> Proven:
            self.proved += 1
            return await prover.prove(task)

        store = CommitmentStore(open_database(self.path))
        served = {device_id: self.device for device_id in devices}
        return DemandService(served, store, self.chain, prove, prover.open, lambda: self.now)

    def ask(self, is_row: bool, t: int = 1, i: int = 5, index: int = 0, deadline: int = DEADLINE) -> Demand:
        name = demand_id(DEVICE_ID, 5, is_row, index)
        made = Demand(
            name, DEVICE_ID, 5, self.proof.result_root, is_row, index, t, i, deadline, RENTER, DemandStatus.OPEN
        )
        self.chain.demands[name] = made
        return made


@pytest.fixture
async def provider(device: OwnDevice, chain: ChainFake, tmp_path: Path) -> AsyncIterator[Provider]:
    import asyncio

    path = tmp_path / "provider.sqlite"
    worker = engine("reference")
    worker.prepare(PROFILE, SEED)
    made: list[Proof] = []

    async def idle(_device: bytes) -> bool:
        return True

    async def prove(_device: OwnDevice, _view: EpochView, seed: bytes) -> bytes:
        made.append(worker.prove(seed))
        return made[0].result_root

    desk = ChallengeService(
        {DEVICE_ID: device}, chain, idle, prove, CommitmentStore(open_database(path)), ORACLE, grace_s=0
    )
    await asyncio.gather(*(desk.answer(challenge(n)) for n in range(4)))
    assert chain.view is not None
    one = Provider(path, DemandsFake(replace(chain.view, challenges_open=False)), made[0], device)
    yield one
    for prover in one.provers:
        await prover.close()


def leads_to_what_was_committed(proof: Proof, shown: RoundArgument) -> bool:
    tree = proof.result_tree
    at = (shown.t, proof.round_seeds[shown.t], proof.round_roots[shown.t], tuple(tree.path(shown.t)))
    return (shown.t, shown.seed, shown.root, shown.path) == at


async def test_tick__row_demanded__shown_from_what_was_stored_with_the_commitment(provider: Provider) -> None:
    provider.ask(is_row=True, t=1, i=5)
    await provider.restart().tick()
    ((shown, row, path),) = provider.chain.answers
    assert leads_to_what_was_committed(provider.proof, shown)
    assert row == provider.proof.rows.read([(1, 5)])[0].astype("<i4").tobytes()
    assert list(path) == PositionalTree([root.tobytes() for root in provider.proof.row_roots[1]]).path(5)


async def test_tick__round_demanded__its_leaf_is_shown_without_a_row(provider: Provider) -> None:
    provider.ask(is_row=False, t=0)
    await provider.restart().tick()
    ((shown, row, path),) = provider.chain.answers
    assert leads_to_what_was_committed(provider.proof, shown)
    assert (row, path) == (b"", ())


async def test_tick__restarted_between_two_demands__same_bytes(provider: Provider) -> None:
    for _ in range(2):
        provider.ask(is_row=True)
        await provider.restart().tick()
    assert provider.chain.answers[0] == provider.chain.answers[1]


async def test_tick__answered__not_a_second_time_and_the_bond_collected(provider: Provider) -> None:
    desk = provider.restart()
    provider.ask(is_row=False)
    for _ in range(3):
        await desk.tick()
    assert len(provider.chain.answers) == 1
    assert provider.chain.collected == 1
    assert desk.status == {"open": 0, "answered": 1}


async def test_tick__answered_by_somebody_while_it_proved__nothing_sent(provider: Provider) -> None:
    desk = provider.restart()
    provider.ask(is_row=True)
    proven = desk._prove

    async def slow(task: Task) -> Proof:
        provider.chain.demands.clear()
        return await proven(task)

    desk._prove = slow
    await desk.tick()
    assert provider.chain.answers == []
    assert desk.status["answered"] == 0


async def test_tick__device_retired_since__answered_all_the_same(provider: Provider) -> None:
    provider.ask(is_row=True)
    await provider.restart(devices=()).tick()
    assert len(provider.chain.answers) == 1


async def test_tick__chain_refuses__tried_again_after_a_while(provider: Provider) -> None:
    desk = provider.restart()
    provider.ask(is_row=True)
    provider.chain.failing = True
    await desk.tick()
    provider.chain.failing = False
    await desk.tick()
    assert provider.chain.answers == []
    provider.now = RETRY_S
    await desk.tick()
    assert len(provider.chain.answers) == 1


async def test_tick__result_that_was_never_committed_here__nothing_proven(provider: Provider) -> None:
    made = provider.ask(is_row=True)
    provider.chain.demands[made.demand_id] = replace(made, result_root=keccak(b"another"))
    await provider.restart().tick()
    assert (provider.proved, provider.chain.answers) == (0, [])


async def test_tick__proof_does_not_come_out_as_committed__nothing_shown(provider: Provider) -> None:
    desk = provider.restart()
    provider.ask(is_row=True)
    other = engine("reference")
    other.prepare(PROFILE, SEED)
    false = other.prove(device_seed(SEED, DEVICE_ID, PROFILE.id, keccak(b"other nonces")))

    async def prove(_task: Task) -> Proof:
        return false

    desk._prove = prove
    await desk.tick()
    assert provider.chain.answers == []
    assert len(provider.chain.demands) == 1


async def test_tick__challenge_of_the_next_epoch_is_coming__waits_until_it_is_answered(provider: Provider) -> None:
    desk = provider.restart()
    provider.ask(is_row=True)
    sealed = provider.chain.view
    assert sealed is not None
    provider.chain.view = replace(sealed, epoch=6, epoch_seed=keccak(b"next"), challenges_open=True)
    await desk.tick()
    assert (provider.proved, provider.chain.answers) == (0, [])
    provider.chain.view = replace(sealed, challenges_open=True)  # the epoch that it has committed in
    await desk.tick()
    assert len(provider.chain.answers) == 1


async def test_tick__dozens_open_at_once__all_answered_the_most_urgent_first(provider: Provider) -> None:
    desk = provider.restart()
    for n in range(24):
        provider.ask(n % 2 == 0, t=n % 2, i=n % 8, index=n, deadline=DEADLINE + 1_000 * ((5 * n) % 24))
    by_deadline = sorted(provider.chain.demands.values(), key=lambda one: one.deadline)
    await desk.tick()
    assert provider.chain.answered == [one.demand_id for one in by_deadline]
    assert provider.proved == 24 and len(provider.provers[0].proofs) == 1  # one proof, kept
    await desk.tick()
    assert provider.chain.collected == 24


async def test_tick__one_of_several_cannot_be_answered__the_others_are(provider: Provider) -> None:
    desk = provider.restart()
    foreign = provider.ask(True, index=0)
    provider.chain.demands[foreign.demand_id] = replace(foreign, result_root=keccak(b"another"))
    good = provider.ask(True, index=1)
    await desk.tick()
    assert provider.chain.answered == [good.demand_id]
    assert desk.status == {"open": 2, "answered": 1}


async def test_tick__fees_above_what_the_answer_earns__waits_and_pays_only_to_save_the_stake(
    provider: Provider,
) -> None:
    desk = provider.restart()
    provider.ask(is_row=True)
    provider.chain.base_fee = 3 * 10**9
    await desk.tick()
    assert (provider.proved, provider.chain.answers) == (0, [])
    provider.chain.now = DEADLINE - HURRY_S
    with structlog.testing.capture_logs() as logs:
        await desk.tick()
    assert len(provider.chain.answers) == 1
    assert [one["log_level"] for one in logs if "at a loss" in one["event"]] == ["warning"]
