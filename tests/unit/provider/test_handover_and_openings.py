"""Handover proofs and openings, with the reference engine at a tiny size and the real verifier."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from assay.chain.leases import Lease, LeaseStatus
from assay.proof.engines import engine
from assay.proof.sampling import samples
from assay.proof.verification import Verifier
from assay.protocol.keccak import keccak
from assay.protocol.messages import Handover
from assay.protocol.seeds import device_seed, handover_rho, handover_seed
from assay.provider.challenge_desk import ChallengeDesk
from assay.provider.commitments import CommitmentStore
from assay.provider.database import open_database
from assay.provider.device import Device
from assay.provider.errors import Conflict, Forbidden, NotFound, ProviderError, Unavailable
from assay.provider.handover_desk import HandoverDesk
from assay.provider.openings_desk import OpeningsDesk
from assay.provider.prover import Prover, Task
from assay.provider.views import EpochView

from .conftest import DEVICE_ADDRESS, DEVICE_ID, ESCROW, ORACLE, PROFILE, SEED, ChainFake, challenge

X = keccak(b"secret")
RHO = keccak(b"rho")


@dataclass
class Provider:
    """The desks of one process over one prover."""

    prover: Prover
    challenges: ChallengeDesk
    openings: OpeningsDesk
    handovers: HandoverDesk


@pytest.fixture
async def provider(device: Device, chain: ChainFake) -> AsyncIterator[Provider]:
    database = open_database(None)
    prover = Prover(lambda: engine("reference"), kept_proofs=2)
    store = CommitmentStore(database)
    devices = {device.device_id: device}

    async def idle(_device: bytes) -> bool:
        return True

    async def root_of(task: Task) -> bytes:
        return (await prover.prove(task)).result_root

    async def prove(one: Device, view: EpochView, seed: bytes) -> bytes:
        return await root_of(Task(one.profile, view.epoch_seed, seed))

    yield Provider(
        prover,
        ChallengeDesk(devices, chain, idle, prove, store, ORACLE, grace_s=0),
        OpeningsDesk(devices, chain, store, root_of, prover.open),
        HandoverDesk(database, devices, chain, root_of, prover.open, ESCROW),
    )
    prover.close()


async def committed(provider: Provider, chain: ChainFake) -> dict[str, str]:
    """The device's commitment; ρ is drawn after it."""
    import asyncio

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
    provider: Provider, chain: ChainFake, device: Device
) -> None:
    await committed(provider, chain)
    first = await provider.openings.sampled(DEVICE_ID, 5, RHO)
    provider.prover._proofs.clear()
    provider.openings._sampled.clear()
    assert await provider.openings.sampled(DEVICE_ID, 5, RHO) == first


async def test_sampled__before_the_draw_or_for_another_rho__is_refused(provider: Provider, chain: ChainFake) -> None:
    import asyncio

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
        device_seed(SEED, DEVICE_ID, PROFILE.id, root), bytes.fromhex(commitment["resultRoot"][2:]), opening,
        [divmod(row, PROFILE.M) for row in rows],
    )  # fmt: skip
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


async def test_handover__pending_lease__signed_proof_verifies_with_the_renters_samples(
    provider: Provider, lease: Lease
) -> None:
    answer = json.loads(await provider.handovers.handover(lease, keccak(X)))
    fields = {k: v for k, v in answer.items() if k not in ("epoch", "epochSeed", "signature")}
    message = Handover.from_json(fields)
    assert message.recover_signer(ESCROW, bytes.fromhex(answer["signature"][2:])) == DEVICE_ADDRESS
    rho = handover_rho(X, message.result_root)
    opening = await provider.handovers.opening(lease, X)
    seed = handover_seed(SEED, DEVICE_ID, PROFILE.id, keccak(X), 3)
    verdict = Verifier(PROFILE, SEED, rho).verify(seed, message.result_root, opening, samples(rho, DEVICE_ID, PROFILE))
    assert verdict.valid


async def test_handover__asked_again__same_bytes_and_no_second_nonce(provider: Provider, lease: Lease) -> None:
    first = await provider.handovers.handover(lease, keccak(X))
    assert await provider.handovers.handover(lease, keccak(X)) == first
    with pytest.raises(Conflict, match="another nonce"):
        await provider.handovers.handover(lease, keccak(b"other"))


async def test_opening__wrong_x_or_none_yet__is_refused(provider: Provider, lease: Lease) -> None:
    with pytest.raises(NotFound):
        await provider.handovers.opening(lease, X)
    await provider.handovers.handover(lease, keccak(X))
    with pytest.raises(Conflict, match="does not hash"):
        await provider.handovers.opening(lease, keccak(b"guess"))


async def test_handover__lease_that_runs_or_of_another_device__is_refused(provider: Provider, lease: Lease) -> None:
    with pytest.raises(Conflict, match="active"):
        await provider.handovers.handover(replace(lease, status=LeaseStatus.ACTIVE), keccak(X))
    with pytest.raises(NotFound):
        await provider.handovers.handover(replace(lease, device_id=bytes(32)), keccak(X))
