"""What a renter believes: lines proven against the root, offers and handovers with the right signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device
from assay.network.origins import Endpoint
from assay.proof.engines import engine
from assay.proof.sampling import samples
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, device_tree
from assay.protocol.messages import Handover, Offer
from assay.protocol.profile import Profile
from assay.protocol.seeds import handover_rho, handover_seed
from assay.protocol.signing import Domain, address_of
from assay.renter.errors import ProofRejected, Unreachable
from assay.renter.lease.handover import Expected, check_opening, check_signed, opening_length, signed_handover
from assay.renter.market.offers import ANYONE, OFFERS_A_DEVICE, Offers, node_of, parse_answer, parse_offer
from assay.wire.limits import MAX_OFFERS
from assay.wire.lines import ReportLineError, parse_report_line

ESCROW = Domain(31337, "0x" + "22" * 20)
SEED = keccak(b"epoch seed")
PROFILE = Profile(9, M=8, N=32, K=64, T=2, chunk=32, k=4, W=1, deadline_ms=1, credit=1, max_gops=10, stake=1)
PROVIDER_KEY, DEVICE_KEY = keccak(b"provider"), keccak(b"device")
PROVIDER, DEVICE_ADDRESS = address_of(PROVIDER_KEY), address_of(DEVICE_KEY)
DEVICE_ID = device_id_of(PROVIDER, DEVICE_ADDRESS)
DEVICE = Device(DEVICE_ID, PROVIDER, DEVICE_ADDRESS, 9, bytes(32), endpoint="http://p")
EXPECTED = Expected(3, DEVICE, PROFILE, SEED, keccak(b"x"))


def entries() -> tuple[bytes, list[dict[str, Any]]]:
    leaves = [DeviceLeaf(7, bytes([n]) * 32, n, 1, 10 * n, 64, 10_000, 1, keccak(bytes([n]))) for n in range(1, 6)]
    tree = device_tree(leaves)
    listed = [
        {
            "leaf": {
                "epoch": leaf.epoch,
                "deviceId": "0x" + leaf.device_id.hex(),
                "sealIndex": leaf.seal_index,
                "profile": leaf.profile,
                "scoreGops": leaf.score_gops,
                "memoryMiB": leaf.memory_mib,
                "uptimeBps": leaf.uptime_bps,
                "flags": leaf.flags,
                "resultRoot": "0x" + leaf.result_root.hex(),
            },
            "proof": ["0x" + node.hex() for node in tree.proof(n)],
        }
        for n, leaf in enumerate(leaves)
    ]
    return tree.root, listed


def test_entry__of_the_report__is_believed() -> None:
    root, listed = entries()
    assert [parse_report_line(entry, root).leaf.score_gops for entry in listed] == [10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("field", "value"),
    [("scoreGops", 11), ("flags", 3), ("uptimeBps", 9_999), ("memoryMiB", 65), ("epoch", 8),
     ("deviceId", "0x" + "09" * 32),
     ("scoreGops", "10"), ("scoreGops", -1), ("scoreGops", 1 << 64), ("resultRoot", "0x12"), ("flags", None)],
)  # fmt: skip
def test_entry__anything_changed_by_a_validator__is_not_believed(field: str, value: Any) -> None:
    root, listed = entries()
    listed[0]["leaf"][field] = value
    with pytest.raises(ReportLineError):
        parse_report_line(listed[0], root)


@pytest.mark.parametrize("entry", [None, {}, [], {"leaf": {}, "proof": []}, {"leaf": None, "proof": 3}])
def test_entry__malformed__is_not_believed(entry: Any) -> None:
    with pytest.raises(ReportLineError):
        parse_report_line(entry, entries()[0])


def test_entry__proof_of_another_line_or_too_long__is_not_believed() -> None:
    root, listed = entries()
    with pytest.raises(ReportLineError):
        parse_report_line({"leaf": listed[0]["leaf"], "proof": listed[1]["proof"]}, root)
    with pytest.raises(ReportLineError, match="at most"):
        parse_report_line({"leaf": listed[0]["leaf"], "proof": ["0x" + "00" * 32] * 65}, root)


OPERATOR_KEY = keccak(b"operator")
OPERATOR = address_of(OPERATOR_KEY)
OFFER = Offer(PROVIDER, ZERO_ADDRESS, (DEVICE_ID,), "0x" + "33" * 20, 10**18, 60, 3600, 2000, 1, ANYONE, 0)


def offer(message: Offer = OFFER, key: bytes = PROVIDER_KEY, **changes: Any) -> dict[str, Any]:
    return {**message.to_json(), "signature": "0x" + message.sign(ESCROW, key).hex(), **changes}


def test_offer__signed_by_its_provider__is_believed() -> None:
    assert parse_offer(offer(), ESCROW).offer == OFFER


def test_offer__signed_by_the_operator_that_it_names_and_nobody_else__is_believed() -> None:
    by_operator = replace(OFFER, operator=OPERATOR)
    assert parse_offer(offer(by_operator, OPERATOR_KEY), ESCROW).offer == by_operator
    for message, key in ((by_operator, PROVIDER_KEY), (OFFER, OPERATOR_KEY)):
        with pytest.raises(Unreachable, match="did not sign"):
            parse_offer(offer(message, key), ESCROW)


@pytest.mark.parametrize(
    "changes",
    [{"rate": "1"}, {"provider": "0x" + "44" * 20}, {"validUntil": 3000}, {"signature": "0x" + "00" * 64},
     {"signature": "0x12"}, {"extra": 1}, {"rate": "x"}, {"notice": 60}, {"deviceIds": []},
     {"deviceIds": ["0x" + "01" * 32] * 2}, {"deviceIds": "0x" + "01" * 32}],
)  # fmt: skip
def test_offer__changed_or_malformed__is_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreachable):
        parse_offer(offer(**changes), ESCROW)


@pytest.mark.parametrize(
    "ids", [(bytes([2]) * 32, bytes([1]) * 32), (DEVICE_ID,) * 2, tuple(bytes([n]) * 32 for n in range(1, 18))]
)
def test_offer__devices_unsorted_repeated_or_too_many__is_not_believed_though_signed(ids: tuple[bytes, ...]) -> None:
    with pytest.raises(Unreachable, match="deviceIds"):
        parse_offer(offer(replace(OFFER, device_ids=ids)), ESCROW)


def device_at(number: int, endpoint: str = "http://p", **changes: Any) -> Device:
    made = Device(bytes([number]) * 32, PROVIDER, DEVICE_ADDRESS, 9, bytes(32), endpoint=endpoint)
    return replace(made, **changes)


@pytest.mark.parametrize(
    "second",
    [None, device_at(2, "http://q"), device_at(2, provider="0x" + "44" * 20), device_at(2, tls_fingerprint=b"x" * 32)],
)
def test_node__a_device_unknown_of_another_provider_or_elsewhere__is_none(second: Device | None) -> None:
    node = replace(OFFER, device_ids=(bytes([1]) * 32, bytes([2]) * 32))
    known = {one.device_id: one for one in (device_at(1), second) if one is not None}
    assert node_of(node, known) is None
    known[bytes([2]) * 32] = device_at(2)
    assert node_of(node, known) == (device_at(1), device_at(2))


RIGHT = b"\1" * 32


class Served:
    """Providers by their endpoints; counts what is asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, list[Endpoint]()

    async def json_of(self, method: str, endpoint: Endpoint, path: str, **options: Any) -> Any:
        self.asked.append(endpoint)
        answer = self.answers[endpoint.url.removeprefix("http://")]
        if callable(answer):
            return answer(endpoint)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_offers__of_one_that_floods_or_offers_what_is_elsewhere__are_few_and_its_own() -> None:
    many = [offer(replace(OFFER, device_ids=(bytes([1]) * 32,), nonce=n)) for n in range(OFFERS_A_DEVICE + 5)]
    others = offer(replace(OFFER, device_ids=(bytes([2]) * 32,), rate=1))
    http = Served(p={"offers": [*many[:1], *many, others]}, q={"offers": []}, dead=Unreachable("gone"))
    known = {one.device_id: one for one in (device_at(1), device_at(2, "http://q"), device_at(3, "http://dead"))}
    found, _ = await Offers(http, ESCROW).of_devices(known)  # type: ignore[arg-type]
    assert [one.offer.nonce for one in found] == list(range(OFFERS_A_DEVICE))
    assert {one.offer.device_ids for one in found} == {(bytes([1]) * 32,)}


async def test_offers__address_announced_by_another_under_a_wrong_certificate__are_asked_for_all_the_same() -> None:
    def under_the_right_one(asked: Endpoint) -> Any:
        if asked.tls_fingerprint != RIGHT:
            raise Unreachable("another certificate")
        return {"offers": [offer(replace(OFFER, device_ids=(bytes([1]) * 32,)))]}

    http = Served(p=under_the_right_one)
    attacker = replace(device_at(2), tls_fingerprint=bytes(31) + b"\2")
    victim = replace(device_at(1), tls_fingerprint=RIGHT)
    for known in ([attacker, victim], [victim, attacker]):
        found, _ = await Offers(http, ESCROW).of_devices({one.device_id: one for one in known})  # type: ignore[arg-type]
        assert [one.offer.device_ids for one in found] == [(victim.device_id,)]


async def test_quote__of_other_devices_another_renter_or_provider__is_refused() -> None:
    me = "0x" + "77" * 20
    for changes in ({}, {"device_ids": (bytes([2]) * 32,), "renter": me}):
        http = Served(p=offer(replace(OFFER, **changes)))
        with pytest.raises(Unreachable, match="something else"):
            await Offers(http, ESCROW).quote([device_at(1)], me, 60)  # type: ignore[arg-type]
    mine = replace(OFFER, renter=me, device_ids=(bytes([1]) * 32,))
    signed = await Offers(Served(p=offer(mine)), ESCROW).quote([device_at(1)], me, 60)  # type: ignore[arg-type]
    assert signed.offer == mine


def test_answer__with_specifications__keeps_those_that_are_some() -> None:
    documents = [{"model": "CPU only: x", "memoryMiB": 5, "region": "eu-de"}, "text", {"model": 3, "region": "a\nb"}]
    answer = parse_answer({"offers": [offer()], "specifications": documents}, ESCROW, "http://p")
    assert [(one.model, one.memory_mib, one.region) for one in answer.specifications] == [
        ("CPU only: x", 5, "eu-de"),
        ("", 0, "ab"),
    ]
    assert len({one.spec_hash for one in answer.specifications}) == 2


@pytest.mark.parametrize("answer", [{}, {"offers": {}}, {"offers": [offer()] * (MAX_OFFERS + 1)}, {"offers": [{}]}])
def test_answer__without_a_list_of_signed_offers__is_not_believed(answer: dict[str, Any]) -> None:
    with pytest.raises(Unreachable):
        parse_answer(answer, ESCROW, "http://p")


def proven(expected: Expected = EXPECTED) -> tuple[Handover, bytes]:
    """A device's honest handover and its opening."""
    one = engine("reference")
    one.prepare(PROFILE, SEED)
    proof = one.prove(handover_seed(SEED, DEVICE_ID, PROFILE.id, expected.nonce, expected.lease_id))
    message = Handover(expected.lease_id, PROFILE.job_hash(SEED), DEVICE_ID, expected.nonce, proof.result_root)
    rho = handover_rho(expected.x, proof.result_root)
    return message, one.open(proof, samples(rho, DEVICE_ID, PROFILE))


def test_handover__honest__convinces() -> None:
    message, opening = proven()
    check_signed(message, message.sign(ESCROW, DEVICE_KEY), EXPECTED, ESCROW)
    assert len(opening) == opening_length(EXPECTED)
    check_opening(message.result_root, opening, EXPECTED)


@pytest.mark.parametrize(
    "changes",
    [{"lease_id": 4}, {"device_id": bytes(32)}, {"nonce": keccak(b"earlier")}, {"job_hash": bytes(32)}],
)
def test_handover__for_anything_else__is_rejected_though_signed(changes: dict[str, Any]) -> None:
    message = replace(proven()[0], **changes)
    with pytest.raises(ProofRejected):
        check_signed(message, message.sign(ESCROW, DEVICE_KEY), EXPECTED, ESCROW)


def test_handover__signed_by_another_key_or_in_another_domain__is_rejected() -> None:
    message = proven()[0]
    for signature in (
        message.sign(ESCROW, PROVIDER_KEY),
        message.sign(Domain(1, "0x" + "22" * 20), DEVICE_KEY),
    ):
        with pytest.raises(ProofRejected, match="not signed"):
            check_signed(message, signature, EXPECTED, ESCROW)


def test_handover__work_of_another_lease__does_not_verify() -> None:
    """A proof made for one lease cannot be shown again for the next."""
    other, _ = proven(replace(EXPECTED, lease_id=4))
    one = engine("reference")
    one.prepare(PROFILE, SEED)
    stale = one.prove(handover_seed(SEED, DEVICE_ID, PROFILE.id, EXPECTED.nonce, 4))
    rho = handover_rho(EXPECTED.x, other.result_root)
    with pytest.raises(ProofRejected, match="does not verify"):
        check_opening(other.result_root, one.open(stale, samples(rho, DEVICE_ID, PROFILE)), EXPECTED)


def test_handover__a_wrong_row__does_not_verify() -> None:
    message, opening = proven()
    position = 32 * PROFILE.T + 5
    damaged = opening[:position] + bytes([opening[position] ^ 1]) + opening[position + 1 :]
    for bad in (damaged, opening[:-1], opening + b"\x00", b""):
        with pytest.raises(ProofRejected):
            check_opening(message.result_root, bad, EXPECTED)


@pytest.mark.parametrize("answer", [{}, {"leaseId": 1}, {"signature": "0x"}])
def test_signed_handover__malformed__is_rejected(answer: dict[str, Any]) -> None:
    with pytest.raises(ProofRejected):
        signed_handover(answer)
