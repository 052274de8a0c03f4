"""Whether the escrow would take an offer, and what a lease is opened with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device, DeviceStatus
from assay.chain.contracts.operators import OperatorScope
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_hex
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.messages import Offer
from assay.renter.lease.planned import Payment, Plan, shown
from assay.renter.market.listing import Evidence
from assay.renter.market.offer_checks import offer_fault
from assay.renter.money.permits import SignedPermit
from assay.renter.money.wallet import LeaseOpening, Minima
from assay.wire.leases import SignedOffer
from assay.wire.lines import Measured
from tests.unit.renter.leased import NODE, OFFER, ONE, PROVIDER, STRANGER, TOKEN, TWO, leased

OPERATOR = "0x" + "66" * 20


class Facts:
    """What the registry and the escrow hold of two devices of a provider."""

    def __init__(self) -> None:
        self.status = {ONE: DeviceStatus.ACTIVE, TWO: DeviceStatus.ACTIVE}
        self.provider = {ONE: PROVIDER, TWO: PROVIDER}
        self.floors: dict[tuple[bytes, str], int] = {}
        self.leases: dict[bytes, int] = {}
        self.left_early = False
        self.scopes = OperatorScope.OFFER
        self.listed = {TOKEN}

    async def call(self, contract: str, function: str, *args: Any, at: Any = None, sender: Any = None) -> Any:
        match function:
            case "tokenAllowed":
                return args[0] in self.listed
            case "mayAct":
                assert args[:2] == (PROVIDER, OPERATOR)
                return self.scopes & args[2] == args[2]
            case "device":
                return SimpleNamespace(provider=self.provider[args[0]], status=int(self.status[args[0]]))
            case "nonceFloor":
                return self.floors.get((args[0], args[1]), 0)
            case "activeLease":
                return self.leases.get(args[0], 0)
        raise AssertionError(function)


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    facts = Facts()

    async def read(*_: Any) -> Any:
        return leased(left_early=facts.left_early)

    monkeypatch.setattr("assay.renter.market.offer_checks.read_lease", read)
    return facts


async def fault(facts: Facts, offer: Offer = NODE) -> str | None:
    return await offer_fault(facts, offer)  # type: ignore[arg-type]


async def test_fault__offer_of_active_free_devices__has_none(facts: Facts) -> None:
    assert await fault(facts) is None
    assert await fault(facts, replace(NODE, operator=OPERATOR)) is None


async def test_fault__operator_revoked_or_appointed_for_something_else__is_named(facts: Facts) -> None:
    """Revoking counts at once, for offers that were signed before too."""
    for scopes in (OperatorScope(0), OperatorScope.START | OperatorScope.CLAIM):
        facts.scopes = scopes
        found = await fault(facts, replace(NODE, operator=OPERATOR))
        assert found is not None and OPERATOR in found
        assert await fault(facts) is None  # what the provider itself signed stands


async def test_fault__nonce_below_the_floor_of_any_device__counts_for_that_signer_only(facts: Facts) -> None:
    facts.floors[TWO, PROVIDER] = NODE.nonce + 1
    found = await fault(facts)
    assert found is not None and to_hex(TWO) in found and "cancelled" in found
    assert await fault(facts, replace(NODE, operator=OPERATOR)) is None
    assert await fault(facts, OFFER) is None
    facts.floors[TWO, PROVIDER] = NODE.nonce
    assert await fault(facts) is None


@pytest.mark.parametrize("status", [DeviceStatus.RETIRED, DeviceStatus.SLASHED, DeviceStatus.NONE])
async def test_fault__one_device_of_a_node_not_active__is_named(facts: Facts, status: DeviceStatus) -> None:
    facts.status[TWO] = status
    found = await fault(facts)
    assert found is not None and to_hex(TWO) in found and status.name.lower() in found


async def test_fault__device_of_another_provider__is_named(facts: Facts) -> None:
    facts.provider[TWO] = STRANGER
    found = await fault(facts)
    assert found is not None and STRANGER in found


async def test_fault__leased_device__is_one_unless_its_renter_has_left_early(facts: Facts) -> None:
    facts.leases[TWO] = 9
    found = await fault(facts)
    assert found is not None and "lease 9" in found
    facts.left_early = True
    assert await fault(facts) is None


async def test_fault__token_that_was_delisted__is_named(facts: Facts) -> None:
    facts.listed = set()
    found = await fault(facts)
    assert found is not None and TOKEN in found


def opening(*ids: bytes) -> LeaseOpening:
    lines = tuple(Measured(DeviceLeaf(7, one, 0, 1, 9, 8, 10_000, 1, bytes(32)), (one,)) for one in ids)
    devices = tuple(Device(one, PROVIDER, STRANGER, 1, bytes(32)) for one in ids)
    offer = replace(NODE, device_ids=ids)
    return LeaseOpening(Evidence(devices, lines, SignedOffer(offer, b"s" * 64)), 500, Minima(5, 24_576))


def test_opening__of_a_node__hands_over_every_line_and_the_minima() -> None:
    call = opening(ONE, TWO).call()
    offer, signature, deposit, leaves, proofs, score, memory = call.args
    assert (call.contract, call.function) == ("LeaseEscrow", "open")
    assert (offer[0], offer[1], offer[2]) == (PROVIDER, ZERO_ADDRESS, (ONE, TWO))
    assert [leaf[1] for leaf in leaves] == [ONE, TWO] and proofs == [[ONE], [TWO]]
    assert (signature, deposit, score, memory) == (b"s" * 64, 500, 5, 24_576)


def test_opening__with_a_permit__passes_the_signature_on_as_bytes_of_any_length() -> None:
    for signature in (b"k" * 65, b"contract wallet" * 20):
        call = opening(ONE).call(SignedPermit(99, signature))
        assert call.function == "openWithPermit" and call.args[-1] == (99, signature)


async def test_planned_opening__allowance_unknown_or_short__approves_first() -> None:
    async def allowance(method: str, params: Any, read: Callable[[Any], Any] = lambda answer: answer) -> Any:
        return read("0x" + (499).to_bytes(32, "big").hex())

    chain: Any = SimpleNamespace(
        deployment=SimpleNamespace(address=lambda name: STRANGER), encode=lambda call: b"\1", rpc=allowance
    )
    one = opening(ONE, TWO)
    plan = Plan((one.call(),), Payment(one.token, one.deposit))
    for holder in (None, OPERATOR):
        planned = await shown(chain, plan, holder)
        assert [one.name.split("(")[0] for one in planned] == ["ERC20.approve", "LeaseEscrow.open"]
