"""One of each body that crosses between processes, all from fixed keys."""

from __future__ import annotations

from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, ObservationLeaf, RewardLeaf, SealedLeaf
from assay.protocol.signing import Domain, address_of, sign_compact
from assay.wire.fields import Record, Wire
from assay.wire.gossip import (
    BatchMessage,
    InstantBody,
    InstantMessage,
    InventoryBody,
    InventoryEntry,
    InventoryMessage,
    NamedBatch,
    ReportProposal,
    SealProposal,
)
from assay.wire.leaves import DevicesBody, RewardsBody, SealedBody
from assay.wire.measurement import (
    LanesRequest,
    OpeningRequest,
    RowsContent,
    SignedChallenge,
    SignedCommitment,
    SignedLanes,
    SignedNonce,
)
from assay.wire.statements import SignedReport, SignedSeal

ORACLE = Domain(31337, "0x" + "11" * 20)


def h(name: str) -> bytes:
    return keccak(name.encode())


SEATS = sorted(address_of(h(f"account {n}")) for n in range(4))
SIGNATURE = sign_compact(h("anything"), h("key"))
SEED, RHO = h("seed"), h("rho")
SEALED = tuple(
    SealedLeaf(h(f"device {n}"), h("job"), h("nonces"), h(f"root {n}"), h(f"lanes {n}"), h("r"), h("vs"))
    for n in range(2)
)
OBSERVED = (
    ObservationLeaf(h("device 0"), h("root 0"), 123_456, 1, 10_000),
    ObservationLeaf(h("device 1"), bytes(32), 0, 32, 0),
)
DEVICES = (
    DeviceLeaf(7, h("device 0"), 0, 3, 2**62, 81_920, 9_999, 129, h("root 0")),
    DeviceLeaf(7, h("device 1"), 2**32 - 1, 3, 0, 0, 0, 32, bytes(32)),
)
REWARDS = tuple(RewardLeaf(account, 10**27 + n) for n, account in enumerate(SEATS[:2]))


def bodies() -> dict[str, Wire | Record]:
    seal = SealProposal(
        epoch=7, set_id=2, round=1, seat=SEATS[1], epoch_seed=SEED, seal_root=h("seal"), count=2,
        leaves=SEALED, commitments=(h("c 0"), h("c 1")),
        lanes=(h("l 0"), bytes(32)), signature=SIGNATURE,
    )  # fmt: skip
    report = ReportProposal(
        epoch=7, set_id=2, round=0, seat=SEATS[0], rho=RHO, devices_root=h("devices"), rewards_root=h("rewards"),
        rewards_total=10**27, data_hash=h("data"),
        batches=(NamedBatch(seat=SEATS[0], digest=h("digest"), content=h("content")),), signature=SIGNATURE,
    )  # fmt: skip
    challenge = SignedChallenge(
        epoch=7, epoch_seed=SEED, device_id=h("device 0"), validator=SEATS[0], nonce=h("nonce"), signature=SIGNATURE
    )
    inventory = InventoryBody(
        epoch_seed=SEED,
        entries=(
            InventoryEntry(device_id=h("device 0"), digest=h("c 0"), lanes=h("l 0")),
            InventoryEntry(device_id=h("device 1"), digest=h("c 1")),
        ),
    )
    instant = InstantBody(epoch_seed=SEED, start_ms=1_700_000_000_123)
    scope = {"epoch": 7, "set_id": 2, "seat": SEATS[0]}
    return {
        "instant": InstantMessage.model_validate({**scope, "content": instant, "signature": SIGNATURE}),
        "probe instant": InstantMessage.model_validate(
            {**scope, "kind": "probe-instant", "content": instant, "signature": SIGNATURE}
        ),
        "inventory": InventoryMessage.model_validate({**scope, "content": inventory, "signature": SIGNATURE}),
        "challenge": challenge,
        "commitment": SignedCommitment(
            epoch=7, job_hash=h("job"), device_id=h("device 0"), nonce_root=h("nonces"), result_root=h("root 0"),
            challenges=(challenge,), signature=SIGNATURE,
        ),
        "lanes": SignedLanes(
            epoch=7, epoch_seed=SEED, device_id=h("device 0"), result_root=h("root 0"), challenge=h("pi"),
            lane_root=h("lanes 0"), nonces=(SignedNonce(validator=SEATS[0], nonce=h("n"), signature=SIGNATURE),),
            signature=SIGNATURE,
        ),
        "lanes request": LanesRequest(epoch=7, device_id=h("device 0"), rho=RHO),
        "sealed": SealedBody(epoch=7, leaves=seal.leaves),
        "seal proposal": seal,
        "seal statement": SignedSeal.of(seal, SEATS[2], SIGNATURE),
        "batch": BatchMessage(
            epoch=7, set_id=2, seat=SEATS[0], rho=RHO, leaves=OBSERVED,
            signature=SIGNATURE,
        ),
        "report proposal": report,
        "report statement": SignedReport.of(report, SEATS[2], SIGNATURE),
        "devices": DevicesBody(epoch=7, leaves=DEVICES),
        "rewards": RewardsBody(
            epoch=7, leaves=REWARDS
        ),
        "sampled rows": RowsContent(device_id=h("device 0"), rho=RHO),
        "secret rows": RowsContent(device_id=h("device 0"), rows=(0, 5, 2**40)),
        "opening request": OpeningRequest.model_validate(
            {**scope, "content": RowsContent(device_id=h("device 0"), rho=RHO), "signature": SIGNATURE}
        ),
    }  # fmt: skip
