"""What a key may do for its provider, and whether the bonds are there: by the final block and the head alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assay.chain.contracts.leases import LeaseStatus
from assay.chain.contracts.operators import ALL_SCOPES, OperatorScope
from assay.protocol.rates import cost
from assay.provider.account.authority import NOTHING, Authority, scope_names
from assay.provider.errors import Conflict, Unavailable
from assay.provider.leasing.escrow_sender import EscrowSender
from assay.provider.leasing.lease_starts import StartConditions
from assay.provider.offers.bonds import Bonds
from tests.unit.provider.conftest import DEVICES, NODE, OFFER, OPERATOR, PROVIDER, TOKEN, lease_on
from tests.unit.provider.contracts_fake import FINAL, HEAD, ContractsFake, SenderFake

START, CLAIM = OperatorScope.START, OperatorScope.CLAIM
OF_OPERATOR = replace(NODE, operator=OPERATOR)


def authority(chain: ContractsFake, signer: str = OPERATOR) -> Authority:
    stand_in: Any = chain
    return Authority(stand_in, PROVIDER, signer)


def escrow(chain: ContractsFake, signer: str, receiver: str | None = None) -> tuple[EscrowSender, SenderFake]:
    sender, stand_in = SenderFake(signer), chain
    anything: Any = (stand_in, sender)
    return EscrowSender(anything[0], anything[1], authority(chain, signer), receiver), sender


async def test_lacking__providers_own_key__nothing_and_nobody_is_asked() -> None:
    chain = ContractsFake()
    own = authority(chain, PROVIDER.lower())
    assert (await own.lacking(), own.is_operator, own.operator) == (NOTHING, False, "0x" + "00" * 20)
    assert chain.asked == []


@pytest.mark.parametrize(
    ("final", "latest", "lacking"),
    [
        ((31, HEAD.timestamp), (31, HEAD.timestamp), NOTHING),
        ((31, HEAD.timestamp), (0, 0), ALL_SCOPES),  # revoked at the head: counts at once
        ((0, 0), (31, HEAD.timestamp), ALL_SCOPES),  # appointed at the head only: may be reorganised away
        ((31, HEAD.timestamp), (31 & ~8, HEAD.timestamp), CLAIM),
        ((31, HEAD.timestamp - 1), (31, HEAD.timestamp - 1), ALL_SCOPES),  # over
        ((31, FINAL.timestamp - 1), (31, HEAD.timestamp), ALL_SCOPES),
    ],
)
async def test_lacking__operator__has_what_final_block_and_head_both_give(
    final: tuple[int, int], latest: tuple[int, int], lacking: OperatorScope
) -> None:
    chain = ContractsFake()
    chain.final.operators, chain.latest.operators = {OPERATOR: final}, {OPERATOR: latest}
    assert await authority(chain).lacking() == lacking


async def test_require__scope_missing__says_which_and_what_it_has() -> None:
    chain = ContractsFake()
    chain.both(operators={OPERATOR: (int(ALL_SCOPES & ~START), 2_000)})
    await authority(chain).require(CLAIM, "claim rent")
    with pytest.raises(Unavailable, match=r"lacks the scope start \(appointed for offer,end,claim,endpoint until 2000"):
        await authority(chain).require(START | CLAIM, "start leases")
    assert scope_names(NOTHING) == "none"


@pytest.mark.parametrize(
    ("rate", "seconds", "bond"), [(10**18, 60, 60), (1, 60, 1), (10**18 + 1, 60, 61), (5 * 10**17, 3, 2)]
)
def test_bond__rent_of_the_least_duration__rounded_up(rate: int, seconds: int, bond: int) -> None:
    assert cost(rate, seconds) == bond


@pytest.mark.parametrize(
    ("final", "latest", "available"),
    [
        ((100, 50, 50), (100, 50, 50), 50),
        ((40, 50, 50), (40, 50, 50), 40),
        ((100, 50, 50), (70, 50, 20), 20),  # a start under way has taken of it
        ((0, 50, 50), (100, 50, 50), 0),  # filled in a block that is not final
        ((100, 0, 0), (100, 0, 0), 0),  # no limit was set: nothing may be taken
    ],
)
async def test_available__operator__is_the_least_of_credit_and_limit_in_both_blocks(
    final: tuple[int, int, int], latest: tuple[int, int, int], available: int
) -> None:
    chain = ContractsFake()
    chain.final.credit, chain.latest.credit = final, latest
    stand_in: Any = chain
    bonds = Bonds(stand_in, authority(chain))
    assert await bonds.available(TOKEN) == available
    assert await bonds.shortfall(TOKEN, available) is None
    with pytest.raises(Unavailable, match="the bond is 0"):
        await bonds.require(TOKEN, available + 1)


async def test_shortfall__operator__names_credit_limit_and_what_is_needed() -> None:
    chain = ContractsFake()
    chain.both(credit=(5_000_000, 2_000_000, 1_500_000))
    stand_in: Any = chain
    told = await Bonds(stand_in, authority(chain)).shortfall(TOKEN, 3_000_000)
    assert told is not None
    for part in ("the bond is 3 USD", f"{PROVIDER} has 5 of bond credit", "take 1.5 now", "2 a day"):
        assert part in told


async def test_shortfall__providers_own_key__is_what_its_account_lacks() -> None:
    chain = ContractsFake()
    chain.latest.balance = 2_000_000
    stand_in: Any = chain
    bonds = Bonds(stand_in, authority(chain, PROVIDER))
    assert await bonds.shortfall(TOKEN, 2_000_000) is None
    assert await bonds.shortfall(TOKEN, 2_000_001) == f"the bond is 2.000001 USD, {PROVIDER} holds 2"


async def test_start__by_the_provider__lets_the_escrow_take_the_bond_first() -> None:
    sends, sender = escrow(ContractsFake(), PROVIDER)
    await sends.start(lease_on(NODE), NODE, bytes(32), 99, b"word")
    assert sender.approved == [cost(NODE.rate, NODE.min_duration)]
    (call,) = sender.sent
    assert (call.function, call.args[0], call.args[1][2]) == ("start", 3, NODE.device_ids)


async def test_start__by_an_operator__approves_nothing_and_needs_the_scope() -> None:
    chain = ContractsFake()
    sends, sender = escrow(chain, OPERATOR)
    with pytest.raises(Unavailable, match="may not start leases"):
        await sends.start(lease_on(NODE), NODE, bytes(32), 99, b"word")
    chain.both(operators={OPERATOR: (int(START), 2_000)})
    await sends.start(lease_on(NODE), NODE, bytes(32), 99, b"word")
    assert (sender.approved, len(sender.sent)) == ([], 1)


@pytest.mark.parametrize(
    ("signer", "receiver", "paid"),
    [
        (PROVIDER, None, "0x" + "aa" * 20),
        (PROVIDER, "0x" + "bb" * 20, "0x" + "bb" * 20),
        (OPERATOR, None, "0x" + "aa" * 20),
        (OPERATOR, "0x" + "bb" * 20, "0x" + "aa" * 20),  # the escrow pays an operator's claims to nobody else
    ],
)
async def test_claim__by_whom__goes_to_the_payout_address_unless_the_provider_says_otherwise(
    signer: str, receiver: str | None, paid: str
) -> None:
    chain = ContractsFake()
    chain.both(operators={OPERATOR: (int(CLAIM), 2_000)}, payout="0x" + "aa" * 20)
    sends, sender = escrow(chain, signer, receiver)
    await sends.claim(3)
    await sends.return_bond(3)
    assert [call.args for call in sender.sent] == [(3, paid), (3, paid)]


@pytest.mark.parametrize("function", ["end", "give_notice", "release"])
async def test_end_notice_release__asked_twice__one_purpose_and_another_for_a_lease_on_another_offer(
    function: str,
) -> None:
    chain = ContractsFake()
    sends, sender = escrow(chain, OPERATOR)
    with pytest.raises(Unavailable, match="scope end"):
        await getattr(sends, function)(lease_on(NODE))
    chain.both(operators={OPERATOR: (int(OperatorScope.END), 2_000)})
    for offer in (NODE, NODE, OFFER):
        await getattr(sends, function)(lease_on(offer))
    assert sender.purposes[0] == sender.purposes[1] != sender.purposes[2]


async def test_claimable__paid_in_a_block_that_is_not_final__is_not_asked_for_again() -> None:
    chain = ContractsFake()
    chain.final.claimable = 7
    sends, _ = escrow(chain, PROVIDER)
    assert await sends.claimable(3) == 0


def conditions(chain: ContractsFake, signer: str = OPERATOR) -> StartConditions:
    stand_in: Any = chain
    chain.both(operators={OPERATOR: (int(ALL_SCOPES), 2_000)}, credit=(10**9, 10**9, 10**9), balance=10**9)
    return StartConditions(stand_in, authority(chain, signer), Bonds(stand_in, authority(chain, signer)))


async def test_conditions__all_met__nothing_is_raised() -> None:
    await conditions(ContractsFake())(3, OF_OPERATOR)
    await conditions(ContractsFake(), PROVIDER)(3, NODE)


async def test_conditions__one_device_of_the_node_leased_or_retired__says_which() -> None:
    chain = ContractsFake()
    looked = conditions(chain)
    held = lease_on(OFFER, 8, status=LeaseStatus.ACTIVE, stop=1_900)
    chain.latest.leased = {DEVICES[1].device_id: held}
    with pytest.raises(Conflict, match=f"{DEVICES[1].name} is leased until 1900 .lease 8."):
        await looked(3, OF_OPERATOR)
    chain.latest.leased = {DEVICES[1].device_id: replace(held, left_early=True)}
    await looked(3, OF_OPERATOR)  # its start releases the other
    chain.latest.inactive = {DEVICES[2].device_id}
    with pytest.raises(Conflict, match="NotActive.*" + DEVICES[2].device_id.hex()):
        await looked(3, OF_OPERATOR)


async def test_conditions__lease_itself_has_started_at_the_head__the_repeated_request_goes_on() -> None:
    chain = ContractsFake()
    looked = conditions(chain)
    chain.latest.leased = dict.fromkeys(NODE.device_ids, lease_on(NODE, 3, status=LeaseStatus.ACTIVE))
    chain.latest.credit = (0, 0, 0)  # its bond has been taken
    await looked(3, OF_OPERATOR)


async def test_conditions__bond_or_scope_missing__is_refused_with_values() -> None:
    chain = ContractsFake()
    looked = conditions(chain)
    chain.latest.credit = (10**9, 10, 10)
    with pytest.raises(Unavailable, match="the bond is"):
        await looked(3, OF_OPERATOR)
    chain.latest.operators = {OPERATOR: (int(ALL_SCOPES & ~START), 2_000)}
    with pytest.raises(Unavailable, match="may not start leases"):
        await looked(3, OF_OPERATOR)


async def test_conditions__operator_that_signed_the_offer_was_revoked__nobody_can_start_it() -> None:
    chain = ContractsFake()
    looked = conditions(chain, PROVIDER)
    chain.both(operators={})
    with pytest.raises(Unavailable, match=f"{OPERATOR}, who signed the offer"):
        await looked(3, OF_OPERATOR)
