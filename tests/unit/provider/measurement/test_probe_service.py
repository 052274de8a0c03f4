"""The memory probe on the provider's side, with the reference engine at a tiny size and the real verifier."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine as Database

from assay.proof.engines import engine
from assay.proof.openings import decode
from assay.proof.probe.result import ProbeResult
from assay.proof.probe.verification import verify_device_lanes
from assay.proof.proof import KeptRows, Proof
from assay.proof.sampling import samples
from assay.protocol.keccak import keccak
from assay.protocol.messages import LaneCommitment, ProbeNonce
from assay.protocol.profile import Profile
from assay.protocol.seeds import device_seed, nonce_root
from assay.protocol.signing import address_of
from assay.provider.cards.tasks import Task
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, Forbidden, NotAuthorised, NotFound, Unavailable
from assay.provider.measurement.challenge_service import ChallengeService
from assay.provider.measurement.commitments import CommitmentStore
from assay.provider.measurement.lane_commitments import LaneCommitmentStore
from assay.provider.measurement.probe_service import ProbeService
from assay.provider.views import EpochView
from assay.wire.measurement import SignedProbeNonce
from tests.unit.provider.conftest import DEVICE_ADDRESS, DEVICE_ID, ORACLE, PROFILE, SEED, ChainFake, challenge, key
from tests.unit.provider.in_thread import ThreadWorker

RHO = keccak(b"rho")


@dataclass
class Provider:
    """The desks of one process over one prover."""

    prover: ThreadWorker
    challenges: ChallengeService
    probes: ProbeService
    database: Database


def provider_on(database: Database, prover: ThreadWorker, device: OwnDevice, chain: ChainFake) -> Provider:
    store, devices = CommitmentStore(database), {device.device_id: device}

    async def idle(_device: bytes) -> bool:
        return True

    async def prove(one: OwnDevice, view: EpochView, seed: bytes) -> bytes:
        return (await prover.prove(Task(one.profile, view.epoch_seed, seed))).result_root

    async def walk(task: Task, pi: bytes) -> tuple[bytes, bytes]:
        walked = await prover.probe(task, pi)
        return walked.result_root, walked.lane_root

    lanes = LaneCommitmentStore(database)
    return Provider(
        prover,
        ChallengeService(devices, chain, idle, prove, store, ORACLE, grace_s=0),
        ProbeService(devices, chain, store, lanes, walk, prover.open_lanes, ORACLE, grace_s=0.05, hold_s=1.5),
        database,
    )


@pytest.fixture
async def provider(device: OwnDevice, chain: ChainFake) -> AsyncIterator[Provider]:
    prover = ThreadWorker(lambda: engine("reference"), 2)
    yield provider_on(open_database(None), prover, device, chain)
    await prover.close()


async def result_root(provider: Provider) -> bytes:
    answers = await asyncio.gather(*(provider.challenges.answer(challenge(n)) for n in range(4)))
    return bytes.fromhex(json.loads(answers[0])["resultRoot"][2:])


def nonce(number: int, root: bytes, **changes: object) -> SignedProbeNonce:
    account, fresh = address_of(key(f"account {number}")), keccak(f"probe {number}".encode())
    message = replace(ProbeNonce(5, SEED, DEVICE_ID, root, account, fresh), **changes)  # type: ignore[arg-type]
    return SignedProbeNonce.of(message, message.sign(ORACLE, key(f"signer {number}")))


async def probed(provider: Provider, *numbers: int) -> list[dict[str, object]]:
    root = await result_root(provider)
    answers = await asyncio.gather(*(provider.probes.answer(nonce(n, root)) for n in numbers))
    return [json.loads(answer) for answer in answers]


async def test_probe__all_seats__one_answer_signed_over_the_hash_of_all_nonces(provider: Provider) -> None:
    answers = await probed(provider, 3, 1, 0, 2)
    assert all(answer == answers[0] for answer in answers)
    body = answers[0]
    nonces, signature = body.pop("nonces"), bytes.fromhex(str(body.pop("signature"))[2:])
    message = LaneCommitment.from_json(body)
    assert message.recover_signer(ORACLE, signature) == DEVICE_ADDRESS
    used = [(one["validator"], bytes.fromhex(one["nonce"][2:])) for one in nonces]
    assert len(used) == 4 and message.challenge == nonce_root(used)


async def test_lanes__after_the_draw__verify_against_the_lane_root_that_was_signed(
    provider: Provider, chain: ChainFake
) -> None:
    (body,) = {json.dumps(answer) for answer in await probed(provider, 0, 1, 2)}
    message = LaneCommitment.from_json({k: v for k, v in json.loads(body).items() if k not in ("nonces", "signature")})
    assert chain.view is not None
    with pytest.raises(Conflict, match="not drawn"):
        await provider.probes.lanes(DEVICE_ID, 5, RHO)
    chain.view = replace(chain.view, rho=RHO, challenges_open=False)
    with pytest.raises(Conflict, match="not drawn"):
        await provider.probes.lanes(DEVICE_ID, 5, keccak(b"another rho"))
    lanes = await provider.probes.lanes(DEVICE_ID, 5, RHO)

    stored = CommitmentStore(provider.database).get(DEVICE_ID, 5, SEED)
    assert stored is not None
    task = Task(PROFILE, SEED, device_seed(SEED, DEVICE_ID, PROFILE.id, stored.nonce_root))
    rows = samples(RHO, DEVICE_ID, PROFILE)
    roots = decode(await provider.prover.open(task, rows), PROFILE, len(rows)).round_roots

    def verdict(challenge_: bytes, root: bytes) -> bool:
        return verify_device_lanes(PROFILE, RHO, DEVICE_ID, roots, challenge_, root, lanes).valid

    assert verdict(message.challenge, message.lane_root)
    assert not verdict(keccak(b"other nonces"), message.lane_root)
    assert not verdict(message.challenge, keccak(b"other lanes"))


async def test_probe__restarted_after_its_answer__sends_the_same_and_opens_it(
    provider: Provider, device: OwnDevice, chain: ChainFake
) -> None:
    first = (await probed(provider, 0, 1, 2, 3))[0]
    prover = ThreadWorker(lambda: engine("reference"), 2)
    again = provider_on(provider.database, prover, device, chain)
    root = bytes.fromhex(str(first["resultRoot"])[2:])
    assert json.loads(await again.probes.answer(nonce(2, root, nonce=keccak(b"a nonce that comes late")))) == first
    assert chain.view is not None
    chain.view = replace(chain.view, rho=RHO)
    assert await again.probes.lanes(DEVICE_ID, 5, RHO) == await provider.probes.lanes(DEVICE_ID, 5, RHO)
    await prover.close()


@dataclass(frozen=True)
class CardRows:
    """Rows of a card that has room for one window: of an earlier proof none is left."""

    rows: KeptRows
    window: bool = True

    def read(self, indices: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
        return self.rows.read(indices)

    def without_window(self) -> CardRows:
        return replace(self, window=False)


class Card:
    """The reference engine as a card would keep its windows; counts proofs."""

    name = "card"

    def __init__(self) -> None:
        self._engine = engine("reference")
        self.proofs = 0

    def prepare(self, profile: Profile, epoch_seed: bytes) -> None:
        self._engine.prepare(profile, epoch_seed)

    def prove(self, device_seed: bytes) -> Proof:
        self.proofs += 1
        proof = self._engine.prove(device_seed)
        assert isinstance(proof.rows, KeptRows)
        return replace(proof, rows=CardRows(proof.rows))

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def probe(self, proof: Proof, challenge_: bytes) -> ProbeResult:
        assert isinstance(proof.rows, CardRows) and proof.rows.window, "its window made way for another proof"
        return self._engine.probe(replace(proof, rows=proof.rows.rows), challenge_)


async def test_prover__after_another_proof__makes_the_first_again_to_probe_it() -> None:
    card = Card()
    prover = ThreadWorker(lambda: card, 4)
    first, second = (Task(PROFILE, SEED, keccak(name)) for name in (b"first", b"second"))
    before = await prover.probe(first, keccak(b"pi"))
    opened = await prover.open_lanes(first, keccak(b"pi"), [0, 3])
    await prover.prove(second)
    assert card.proofs == 2
    assert await prover.open_lanes(first, keccak(b"pi"), [0, 3]) == opened
    assert card.proofs == 3 and (await prover.probe(first, keccak(b"pi"))).lane_root == before.lane_root
    await prover.open(second, [(0, 0)])
    assert card.proofs == 3  # rows need no window
    await prover.close()


async def test_probe__of_what_was_not_committed__is_refused(provider: Provider) -> None:
    with pytest.raises(Conflict, match="has not committed"):
        await provider.probes.answer(nonce(0, keccak(b"before any commitment")))
    root = await result_root(provider)
    with pytest.raises(Conflict, match="has not committed"):
        await provider.probes.answer(nonce(0, keccak(b"another result")))
    with pytest.raises(Unavailable, match="no lane commitment"):
        await provider.probes.answer(nonce(0, root))  # no quorum


async def test_probe__of_strangers__is_refused(provider: Provider, device: OwnDevice, chain: ChainFake) -> None:
    root = await result_root(provider)
    forged = replace(nonce(0, root), signature=nonce(1, root).signature)
    with pytest.raises(NotAuthorised):
        await provider.probes.answer(forged)
    with pytest.raises(Forbidden):
        await provider.probes.answer(nonce(0, root, validator=address_of(key("nobody"))))
    with pytest.raises(NotFound):
        await provider.probes.answer(nonce(0, root, device_id=keccak(b"somebody else's")))
    with pytest.raises(Conflict, match="has the seed"):
        await provider.probes.answer(nonce(0, root, epoch_seed=keccak(b"reorganised")))
    plain = replace(device, profile=replace(PROFILE, W=0))
    without = provider_on(open_database(None), provider.prover, plain, chain)
    with pytest.raises(NotFound, match="no memory probe"):
        await without.probes.answer(nonce(0, root))
    with pytest.raises(NotFound, match="no memory probe"):
        await without.probes.lanes(DEVICE_ID, 5, RHO)


async def test_lanes__of_a_device_that_answered_no_probe__are_not_there(provider: Provider, chain: ChainFake) -> None:
    await result_root(provider)
    assert chain.view is not None
    chain.view = replace(chain.view, rho=RHO)
    with pytest.raises(NotFound, match="answered no probe"):
        await provider.probes.lanes(DEVICE_ID, 5, RHO)
