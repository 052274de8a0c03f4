"""Holding challenges, starting at a quorum, one commitment an epoch."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
import structlog

from assay.protocol.keccak import keccak
from assay.protocol.messages import Commitment
from assay.protocol.seeds import device_seed, nonce_root
from assay.protocol.signing import address_of
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, Forbidden, NotAuthorised, NotFound, ProviderError, Unavailable
from assay.provider.measurement.challenge_rules import readiness
from assay.provider.measurement.challenge_service import ChallengeService
from assay.provider.measurement.commitments import CommitmentStore
from assay.provider.views import EpochView
from assay.wire.measurement import SignedChallenge
from tests.unit.provider.conftest import DEVICE_ADDRESS, DEVICE_ID, ORACLE, SEED, ChainFake, challenge, key


class Desk:
    """A desk with a prover that counts its work and can be made to fail or to wait."""

    def __init__(
        self, device: OwnDevice, chain: ChainFake, store: CommitmentStore | None = None, hold_s: float = 30
    ) -> None:
        self.store = store or CommitmentStore(open_database(None))
        self.seeds: list[bytes] = []
        self.leased = False
        self.failing = False
        self.desk = ChallengeService(
            {device.device_id: device},
            chain,
            self.idle,
            self.prove,
            self.store,
            ORACLE,
            grace_s=0.05,
            hold_s=hold_s,
        )

    async def idle(self, _device: bytes) -> bool:
        return not self.leased

    async def prove(self, _device: OwnDevice, _view: EpochView, seed: bytes) -> bytes:
        self.seeds.append(seed)
        if self.failing:
            raise RuntimeError("the card fell off the bus")
        return keccak(b"root" + seed)

    async def all(self, *signed: SignedChallenge) -> list[str]:
        return list(await asyncio.gather(*(self.desk.answer(one) for one in signed)))


@pytest.fixture
def desk(device: OwnDevice, chain: ChainFake) -> Desk:
    return Desk(device, chain)


@pytest.fixture
def impatient(device: OwnDevice, chain: ChainFake) -> Desk:
    """One that gives up soon."""
    return Desk(device, chain, hold_s=0.2)


async def test_answer__all_seats__one_commitment_over_all_nonces_ascending(desk: Desk) -> None:
    sent = [challenge(n) for n in range(4)]
    answers = await desk.all(*sent)
    assert len(set(answers)) == 1
    body = json.loads(answers[0])
    used, signature = body.pop("challenges"), bytes.fromhex(body.pop("signature")[2:])
    assert Commitment.from_json(body).recover_signer(ORACLE, signature) == DEVICE_ADDRESS
    accounts = [int(one["validator"], 16) for one in used]
    assert accounts == sorted(accounts) and len(accounts) == 4
    root = nonce_root([(one["validator"], bytes.fromhex(one["nonce"][2:])) for one in used])
    assert body["nonceRoot"] == "0x" + root.hex()
    assert desk.seeds == [device_seed(SEED, DEVICE_ID, 9, root)]


async def test_answer__quorum_only__starts_after_the_grace(desk: Desk) -> None:
    answers = await desk.all(*(challenge(n) for n in range(3)))
    assert len(json.loads(answers[0])["challenges"]) == 3


async def test_answer__fourth_within_the_grace__is_used(desk: Desk) -> None:
    waiting = asyncio.gather(*(desk.desk.answer(challenge(n)) for n in range(3)))
    await asyncio.sleep(0)
    await desk.desk.answer(challenge(3))
    assert len(json.loads((await waiting)[0])["challenges"]) == 4


async def test_answer__less_than_a_quorum__is_unavailable_and_can_be_retried(
    impatient: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable, match=r"within 0 s: [12] of 4 seats have asked, which is no quorum"):
        await impatient.desk.answer(challenge(0))
    assert impatient.seeds == []
    monkeypatch.setattr(impatient.desk._rounds, "_hold_s", 30)
    answers = await impatient.all(*(challenge(n) for n in (0, 1, 2)))
    assert len(json.loads(answers[0])["challenges"]) == 3


async def test_answer__after_the_commitment__same_bytes_for_everyone(desk: Desk) -> None:
    first = (await desk.all(*(challenge(n) for n in range(3))))[0]
    assert await desk.desk.answer(challenge(3)) == first
    assert await desk.desk.answer(challenge(0)) == first
    assert len(desk.seeds) == 1


async def test_answer__after_a_restart__resends_what_was_stored(
    desk: Desk, device: OwnDevice, chain: ChainFake
) -> None:
    first = (await desk.all(*(challenge(n) for n in range(4))))[0]
    restarted = Desk(device, chain, desk.store)
    assert await restarted.desk.answer(challenge(1)) == first
    assert restarted.seeds == []


async def test_answer__second_nonce_of_a_seat__is_refused(impatient: Desk) -> None:
    waiting = asyncio.create_task(impatient.desk.answer(challenge(0)))
    await asyncio.sleep(0)
    with pytest.raises(Conflict, match="another nonce"):
        await impatient.desk.answer(challenge(0, nonce=keccak(b"other")))
    with pytest.raises(Unavailable):
        await waiting


async def test_answer__leased_device__is_refused_before_any_work(desk: Desk) -> None:
    desk.leased = True
    with pytest.raises(Conflict, match="leased"):
        await desk.desk.answer(challenge(0))
    assert desk.seeds == []


async def test_answer__work_fails__nothing_is_signed_and_a_retry_works(desk: Desk) -> None:
    desk.failing = True
    with pytest.raises(Unavailable, match="could not do the work"):
        await desk.all(*(challenge(n) for n in range(4)))
    assert desk.store.get(DEVICE_ID, 5, SEED) is None
    desk.failing = False
    assert len(await desk.all(*(challenge(n) for n in range(4)))) == 4


async def test_answer__work_fails_as_often_as_validators_ask__is_told_once(desk: Desk) -> None:
    desk.failing = True
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await desk.all(*(challenge(n) for n in range(4)))
    assert [one["error"] for one in logged if one["log_level"] == "error"] == ["the card fell off the bus"]
    assert len(desk.seeds) == 3


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"epoch": 6}, Conflict),
        ({"epoch_seed": keccak(b"another")}, Conflict),
        ({"device_id": keccak(b"stranger")}, NotFound),
        ({"validator": address_of(key("nobody"))}, Forbidden),
        ({"validator": address_of(key("account 1"))}, NotAuthorised),
    ],
)
async def test_answer__challenge_that_is_not_a_seats_own__is_refused(
    desk: Desk, changes: dict[str, object], error: type[ProviderError]
) -> None:
    with pytest.raises(error):
        await desk.desk.answer(challenge(0, **changes))
    assert desk.seeds == []


async def test_answer__epoch_sealed__is_refused(desk: Desk, chain: ChainFake, view: EpochView) -> None:
    chain.view = replace(view, challenges_open=False)
    with pytest.raises(Conflict, match="no more commitments"):
        await desk.desk.answer(challenge(0))


async def test_answer__garbage_signature__is_not_authorised(desk: Desk) -> None:
    with pytest.raises(NotAuthorised):
        await desk.desk.answer(replace(challenge(0), signature=bytes(64)))


def test_readiness__counts__follow_the_quorum() -> None:
    seats = ["a", "b", "c", "d"]
    assert [readiness(seats[:n], 4) for n in range(5)] == ["wait", "wait", "wait", "grace", "start"]


def test_store__second_commitment_of_an_epoch__is_refused(desk: Desk) -> None:
    from assay.provider.measurement.commitments import StoredCommitment

    desk.store.put(StoredCommitment(DEVICE_ID, 5, SEED, 9, bytes(32), "first"))
    with pytest.raises(Conflict):
        desk.store.put(StoredCommitment(DEVICE_ID, 5, SEED, 9, bytes(32), "second"))
    assert desk.store.get(DEVICE_ID, 5, SEED).answer == "first"  # type: ignore[union-attr]


async def test_answer__device_takes_too_long__says_so(impatient: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(impatient.desk, "_prove", never)
    answers = await asyncio.gather(*(impatient.desk.answer(challenge(n)) for n in range(4)), return_exceptions=True)
    assert all(isinstance(one, Unavailable) and "the device is still at it" in str(one) for one in answers), answers
