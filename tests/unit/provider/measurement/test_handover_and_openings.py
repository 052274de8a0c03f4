"""Handover proofs and openings, with the reference engine at a tiny size and the real verifier."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.proof.engines import engine
from assay.proof.sampling import samples
from assay.proof.verification import Verifier
from assay.protocol.keccak import keccak
from assay.protocol.messages import Handover
from assay.protocol.seeds import device_seed, handover_rho, handover_seed
from assay.provider.cards.tasks import Flush, Task, Urgency, Walk
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, Forbidden, NotFound, ProviderError, Unavailable
from assay.provider.leasing.handover_service import HandoverService
from assay.provider.measurement.challenge_service import ChallengeService
from assay.provider.measurement.commitments import CommitmentStore
from assay.provider.measurement.openings_service import OpeningsService
from assay.provider.views import EpochView
from tests.unit.provider.conftest import (
    DEVICE_ADDRESS,
    DEVICE_ID,
    DEVICES,
    ESCROW,
    NODE,
    OFFER,
    ORACLE,
    PROFILE,
    SEED,
    ChainFake,
    challenge,
    lease_on,
)
from tests.unit.provider.in_thread import ThreadLink, ThreadWorker

X = keccak(b"secret")
RHO = keccak(b"rho")


@dataclass
class Provider:
    """The desks of one process over one prover."""

    prover: ThreadWorker
    challenges: ChallengeService
    openings: OpeningsService
    handovers: HandoverService


@pytest.fixture
async def provider(device: OwnDevice, chain: ChainFake) -> AsyncIterator[Provider]:
    database = open_database(None)
    prover = ThreadWorker(lambda: engine("reference"), 2)
    store = CommitmentStore(database)
    devices = {one.device_id: one for one in (device, *DEVICES)}

    async def idle(_device: bytes) -> bool:
        return True

    async def root_of(task: Task) -> bytes:
        return (await prover.prove(task)).result_root

    async def prove(one: OwnDevice, view: EpochView, seed: bytes) -> bytes:
        return await root_of(Task(one.profile, view.epoch_seed, seed))

    yield Provider(
        prover,
        ChallengeService(devices, chain, idle, prove, store, ORACLE, grace_s=0),
        OpeningsService(devices, chain, store, root_of, prover.open),
        HandoverService(database, devices, chain, root_of, prover.open, ESCROW),
    )
    await prover.close()


async def committed(provider: Provider, chain: ChainFake) -> dict[str, str]:
    """The device's commitment; ρ is drawn after it."""
    answers = await asyncio.gather(*(provider.challenges.answer(challenge(n)) for n in range(4)))
    assert chain.view is not None
    chain.view = replace(chain.view, rho=RHO, challenges_open=False)
    commitment: dict[str, str] = json.loads(answers[0])
    return commitment


async def test_sampled__after_the_draw__verifies(provider: Provider, chain: ChainFake) -> None:
    commitment = await committed(provider, chain)
    opening = await provider.openings.sampled(DEVICE_ID, 5, RHO)
    verdict = Verifier(PROFILE, SEED, RHO).verify_device(
        DEVICE_ID,
        bytes.fromhex(commitment["nonceRoot"][2:]),
        bytes.fromhex(commitment["resultRoot"][2:]),
        opening,
    )
    assert verdict.valid


async def test_sampled__proof_forgotten_after_a_restart__is_made_again(
    provider: Provider, chain: ChainFake, device: OwnDevice
) -> None:
    await committed(provider, chain)
    first = await provider.openings.sampled(DEVICE_ID, 5, RHO)
    provider.prover.proofs.clear()
    provider.openings._sampled._made.clear()
    assert await provider.openings.sampled(DEVICE_ID, 5, RHO) == first


async def test_sampled__of_an_old_epoch__is_what_was_kept_and_no_proof_is_made(
    provider: Provider, chain: ChainFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    await committed(provider, chain)
    first = await provider.openings.sampled(DEVICE_ID, 5, RHO)
    provider.prover.proofs.clear()
    old = chain.view
    assert old is not None

    async def epoch(_number: int) -> EpochView:
        return old

    monkeypatch.setattr(chain, "epoch", epoch)
    chain.view = replace(old, epoch=7)
    assert await provider.openings.sampled(DEVICE_ID, 5, RHO) == first
    provider.openings._sampled._made.clear()
    with pytest.raises(NotFound, match="no longer kept"):
        await provider.openings.sampled(DEVICE_ID, 5, RHO)
    assert not provider.prover.proofs
    chain.view = replace(old, epoch=6)
    assert await provider.openings.sampled(DEVICE_ID, 5, RHO) == first


async def test_sampled__asked_for_by_many_at_once__is_made_once(
    provider: Provider, chain: ChainFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    await committed(provider, chain)
    made = []

    async def opening(task: Task, rows: object) -> bytes:
        made.append(task)
        await asyncio.sleep(0)
        return b"opening"

    monkeypatch.setattr(provider.openings, "_open", opening)
    asked = [asyncio.ensure_future(provider.openings.sampled(DEVICE_ID, 5, RHO)) for _ in range(20)]
    await asyncio.sleep(0)
    asked[0].cancel()
    assert await asyncio.gather(*asked[1:]) == [b"opening"] * 19 and len(made) == 1


async def test_worker__challenge_behind_others_work__is_done_first_and_what_nobody_waits_for_not_at_all() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    class Slow:
        """Notes what it is asked, and is at the first for long."""

        def do(self, request: Any) -> None:
            if isinstance(request, Flush):
                begun.set()
                assert go_on.wait(10)
            else:
                done.append(request.challenge.decode())

    worker = ThreadWorker(lambda: engine("reference"), 2)
    worker._launch = lambda order, started: asyncio.sleep(0, ThreadLink(Slow()))  # type: ignore[assignment]
    running = asyncio.ensure_future(worker.ask(Flush()))
    await asyncio.to_thread(begun.wait, 10)
    task = Task(PROFILE, SEED, keccak(b"seed"))
    waiting = [
        asyncio.ensure_future(worker.ask(Walk(task, name.encode()), urgency))
        for name, urgency in (
            ("demand", Urgency.LATER),
            ("opening", Urgency.ORDINARY),
            ("gone", Urgency.ORDINARY),
            ("challenge", Urgency.CHALLENGE),
            ("handover", Urgency.ORDINARY),
        )
    ]
    await asyncio.sleep(0)
    waiting[2].cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(running, *waiting, return_exceptions=True)
    await worker.close()
    assert done == ["challenge", "opening", "handover", "demand"]


async def test_sampled__before_the_draw_or_for_another_rho__is_refused(provider: Provider, chain: ChainFake) -> None:
    await asyncio.gather(*(provider.challenges.answer(challenge(n)) for n in range(4)))
    with pytest.raises(Conflict, match="not drawn"):
        await provider.openings.sampled(DEVICE_ID, 5, RHO)
    await committed(provider, chain)
    with pytest.raises(Conflict, match="has rho"):
        await provider.openings.sampled(DEVICE_ID, 5, keccak(b"my own choice"))


async def test_secret__rows_of_a_seat__one_list_an_epoch(provider: Provider, chain: ChainFake) -> None:
    commitment = await committed(provider, chain)
    assert chain.view is not None
    seat = chain.view.seats[1]
    rows = [0, 15, 7, 7]
    opening = await provider.openings.secret(DEVICE_ID, 5, seat.account, rows)
    root = bytes.fromhex(commitment["nonceRoot"][2:])
    verdict = Verifier(PROFILE, SEED, RHO).verify(
        device_seed(SEED, DEVICE_ID, PROFILE.id, root),
        bytes.fromhex(commitment["resultRoot"][2:]),
        opening,
        [divmod(row, PROFILE.M) for row in rows],
    )
    assert verdict.valid
    assert await provider.openings.secret(DEVICE_ID, 5, seat.account, rows) == opening
    with pytest.raises(Conflict, match="other rows"):
        await provider.openings.secret(DEVICE_ID, 5, seat.account, [1])
    with pytest.raises(Forbidden):
        await provider.openings.secret(DEVICE_ID, 5, "0x" + "99" * 20, rows)


@pytest.mark.parametrize("rows", [[], [*range(16), 0], [16], [-1]])
async def test_secret__too_many_none_or_outside__is_refused(
    provider: Provider, chain: ChainFake, rows: list[int]
) -> None:
    await committed(provider, chain)
    assert chain.view is not None
    with pytest.raises(ProviderError):
        await provider.openings.secret(DEVICE_ID, 5, chain.view.seats[0].account, rows)


async def test_sampled__engine_that_cannot_repeat_itself__opens_nothing(
    provider: Provider, chain: ChainFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    await committed(provider, chain)

    async def other(_task: Task) -> bytes:
        return keccak(b"another root")

    monkeypatch.setattr(provider.openings, "_prove", other)
    with pytest.raises(Unavailable, match="made again"):
        await provider.openings.sampled(DEVICE_ID, 5, RHO)


def handover_of(answer: str) -> tuple[Handover, bytes]:
    fields = json.loads(answer)
    signature = bytes.fromhex(fields.pop("signature")[2:])
    return Handover.from_json({k: v for k, v in fields.items() if k not in ("epoch", "epochSeed")}), signature


async def test_handover__pending_lease__signed_proof_verifies_with_the_renters_samples(
    provider: Provider, lease: Lease
) -> None:
    message, signature = handover_of(await provider.handovers.handover(lease, OFFER, DEVICE_ID, keccak(X)))
    assert message.recover_signer(ESCROW, signature) == DEVICE_ADDRESS
    rho = handover_rho(X, message.result_root)
    opening = await provider.handovers.opening(lease, OFFER, DEVICE_ID, X)
    seed = handover_seed(SEED, DEVICE_ID, PROFILE.id, keccak(X), 3)
    verdict = Verifier(PROFILE, SEED, rho).verify(seed, message.result_root, opening, samples(rho, DEVICE_ID, PROFILE))
    assert verdict.valid
    assert provider.handovers.roots(lease, OFFER) == message.result_root


async def test_handover__node__each_device_proves_itself_over_the_one_nonce(provider: Provider) -> None:
    lease, ids = lease_on(NODE), NODE.device_ids
    asked = (provider.handovers.handover(lease, NODE, device_id, keccak(X)) for device_id in ids)
    made = [handover_of(answer) for answer in await asyncio.gather(*asked)]
    assert [message.recover_signer(ESCROW, signature) for message, signature in made] == [d.address for d in DEVICES]
    roots = [message.result_root for message, _ in made]
    assert len(set(roots)) == 3
    assert provider.handovers.roots(lease, NODE) == keccak(b"".join(roots))
    for device_id, root in zip(ids, roots, strict=True):
        rho = handover_rho(X, root)
        opening = await provider.handovers.opening(lease, NODE, device_id, X)
        seed = handover_seed(SEED, device_id, PROFILE.id, keccak(X), 3)
        rows = samples(rho, device_id, PROFILE)
        assert Verifier(PROFILE, SEED, rho).verify(seed, root, opening, rows).valid


async def test_roots__one_device_of_a_node_has_not_proven_itself__is_refused(provider: Provider) -> None:
    lease = lease_on(NODE)
    for device_id in NODE.device_ids[:2]:
        await provider.handovers.handover(lease, NODE, device_id, keccak(X))
    with pytest.raises(NotFound, match=NODE.device_ids[2].hex()):
        provider.handovers.roots(lease, NODE)


async def test_handover__another_nonce_for_another_device_of_the_lease__is_refused(provider: Provider) -> None:
    lease, (first, second, _) = lease_on(NODE), NODE.device_ids
    both = (
        provider.handovers.handover(lease, NODE, first, keccak(X)),
        provider.handovers.handover(lease, NODE, second, keccak(b"other")),
    )
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(answers[0], str) and isinstance(answers[1], Conflict)
    with pytest.raises(Conflict, match="another nonce"):
        await provider.handovers.handover(lease, NODE, second, keccak(b"third"))


async def test_handover__engine_fails__another_nonce_is_taken_later(
    provider: Provider, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_task: Task) -> bytes:
        raise RuntimeError("the card fell off the bus")

    with monkeypatch.context() as broken:
        broken.setattr(provider.handovers, "_prove", lost)
        with pytest.raises(RuntimeError):
            await provider.handovers.handover(lease, OFFER, DEVICE_ID, keccak(X))
    assert await provider.handovers.handover(lease, OFFER, DEVICE_ID, keccak(b"other"))


async def test_handover__asked_again__same_bytes_and_no_second_nonce(provider: Provider, lease: Lease) -> None:
    first = await provider.handovers.handover(lease, OFFER, DEVICE_ID, keccak(X))
    assert await provider.handovers.handover(lease, OFFER, DEVICE_ID, keccak(X)) == first
    with pytest.raises(Conflict, match="another nonce"):
        await provider.handovers.handover(lease, OFFER, DEVICE_ID, keccak(b"other"))
    active = replace(lease, status=LeaseStatus.ACTIVE)
    assert await provider.handovers.handover(active, OFFER, DEVICE_ID, keccak(X)) == first


async def test_handover__two_requests_at_once__one_answer(provider: Provider, lease: Lease) -> None:
    asked = (provider.handovers.handover(lease, OFFER, DEVICE_ID, keccak(X)) for _ in range(2))
    first, second = await asyncio.gather(*asked)
    assert first == second


async def test_opening__wrong_x_or_none_yet__is_refused(provider: Provider, lease: Lease) -> None:
    with pytest.raises(NotFound):
        await provider.handovers.opening(lease, OFFER, DEVICE_ID, X)
    await provider.handovers.handover(lease, OFFER, DEVICE_ID, keccak(X))
    with pytest.raises(Conflict, match="does not hash"):
        await provider.handovers.opening(lease, OFFER, DEVICE_ID, keccak(b"guess"))


async def test_handover__lease_that_runs_or_of_another_device__is_refused(provider: Provider, lease: Lease) -> None:
    with pytest.raises(Conflict, match="active"):
        await provider.handovers.handover(replace(lease, status=LeaseStatus.ACTIVE), OFFER, DEVICE_ID, keccak(X))
    with pytest.raises(NotFound, match="none of lease"):
        await provider.handovers.handover(lease, OFFER, DEVICES[0].device_id, keccak(X))
    elsewhere = replace(OFFER, device_ids=(bytes(32),))
    with pytest.raises(NotFound, match="not served here"):
        await provider.handovers.handover(lease, elsewhere, bytes(32), keccak(X))
