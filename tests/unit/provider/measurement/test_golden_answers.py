"""What a provider signs and answers to validators and renters: golden bytes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import ProbeNonce
from assay.protocol.signing import address_of, sign_compact
from assay.provider.cards.tasks import Task
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.leasing.handover_service import HandoverService
from assay.provider.measurement import liveness
from assay.provider.measurement.challenge_service import ChallengeService
from assay.provider.measurement.commitments import CommitmentStore
from assay.provider.measurement.lane_commitments import LaneCommitmentStore
from assay.provider.measurement.probe_service import ProbeService
from assay.provider.offers.offers import OfferMaker, Price
from assay.provider.views import EpochView
from tests.unit.provider.conftest import (
    DEVICE_ID,
    DEVICES,
    ESCROW,
    OFFER,
    OPERATOR,
    ORACLE,
    PROVIDER,
    SEED,
    TOKEN,
    ChainFake,
    challenge,
    key,
    lease_on,
)

from .test_probe_service import nonce

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_answers.json").read_text())


def check(name: str, found: object) -> None:
    assert found == GOLDEN[name]


async def idle(_device: bytes) -> bool:
    return True


async def prove(_device: OwnDevice, _view: EpochView, seed: bytes) -> bytes:
    return keccak(b"root" + seed)


async def walk(task: Task, challenge_: bytes) -> tuple[bytes, bytes]:
    return keccak(b"root" + task.seed), keccak(b"lanes" + challenge_)


async def no_rows(*_: object) -> bytes:
    return b""


async def test_commitment_and_lanes__signed_over_fixed_nonces__are_the_bytes_they_always_were(
    device: OwnDevice, chain: ChainFake
) -> None:
    database = open_database(None)
    store, devices = CommitmentStore(database), {device.device_id: device}
    desk = ChallengeService(devices, chain, idle, prove, store, ORACLE, grace_s=0)
    probes = ProbeService(devices, chain, store, LaneCommitmentStore(database), walk, no_rows, ORACLE, grace_s=0)
    commitment = (await asyncio.gather(*(desk.answer(challenge(n)) for n in range(4))))[0]
    check("commitment", commitment)
    kept = store.get(DEVICE_ID, 5, SEED)
    assert kept is not None
    lanes = (await asyncio.gather(*(probes.answer(nonce(n, kept.result_root)) for n in range(4))))[0]
    check("lanes", lanes)


async def test_handover__of_a_pending_lease__is_the_bytes_it_always_was(device: OwnDevice, chain: ChainFake) -> None:
    async def root_of(task: Task) -> bytes:
        return keccak(b"root" + task.seed)

    desk = HandoverService(open_database(None), {device.device_id: device}, chain, root_of, no_rows, ESCROW)
    check("handover", await desk.handover(lease_on(OFFER), OFFER, DEVICE_ID, keccak(b"x")))


def test_offer__of_a_node__is_what_it_always_was() -> None:
    def sign(digest: bytes) -> bytes:
        return sign_compact(digest, key("operator"))

    offers = OfferMaker(PROVIDER, OPERATOR, ESCROW, sign, lambda: 1_700_000_000.0)
    made = offers.offer(tuple(one.device_id for one in DEVICES), Price(TOKEN, 10**15, notice=600), 3)
    check("offer", json.dumps(made))


def test_sign_of_life__over_a_fixed_nonce__is_what_it_always_was(device: OwnDevice) -> None:
    check("liveness", json.dumps(liveness.answer({DEVICE_ID: device}, DEVICE_ID, keccak(b"nonce"))))


@pytest.mark.parametrize("number", range(2))
def test_request__of_a_seat__has_the_digest_it_always_had(number: int) -> None:
    message = ProbeNonce(5, SEED, DEVICE_ID, keccak(b"root"), address_of(key(f"account {number}")), keccak(b"nonce"))
    digests = [challenge(number).message.digest(ORACLE), message.digest(ORACLE)]
    check(f"requests {number}", [to_hex(digest) for digest in digests])
