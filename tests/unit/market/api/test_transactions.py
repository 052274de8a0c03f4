"""What wallets are given to sign: encoded from what the index has proven, for whoever asks."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context, ContractTimes, Links, Token
from assay.market.api.status import Status
from assay.market.events.device_events import OperatorSet, PayoutSet
from assay.market.events.lease_events import DowntimeRefunded, LeaseOpened, LeaseStarted, OfferTerms
from assay.market.events.record import Address, Event
from assay.market.events.reward_events import GuardianSuspended, RewardsVetoed
from assay.market.follow.content_follower import ContentFollower
from assay.market.follow.index import MarketIndex
from assay.market.projection.lease_money import EscrowTerms
from assay.market.projection.listings import listing_id
from assay.market.queries.search import SearchTable
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, device_tree, reward_tree
from assay.protocol.messages import Offer
from assay.protocol.rates import cost
from tests.unit.market.follow.test_content import Served, body_of, reward_content
from tests.unit.market.follow.test_offers import offer_line
from tests.unit.market.projection.test_nodes import take
from tests.unit.market.scenario import (
    DEVICES,
    GENESIS,
    NOBODY,
    OPERATOR,
    ORACLE,
    PROVIDERS,
    RENTER,
    TOKEN,
    VALIDATORS,
    account,
    batch,
    epoch_events,
    founding,
    h,
    opened,
    reward_leaves,
    timestamp,
)

ESCROW = account("escrow")
NODE = tuple(sorted((DEVICES[0], DEVICES[2])))
EPOCH_S = 48  # four blocks
CONTRACTS = ("EpochOracle", "DeviceRegistry", "StakeManager", "NetworkToken")
TERMS = EscrowTerms(holdback=240, max_downtime=60, forfeit_hold=600)
DEADLINES = ContractTimes(GENESIS, EPOCH_S, 24, 1_000)


def leaves_of(epoch: int, uptime: dict[bytes, int], flags: int = 1) -> list[DeviceLeaf]:
    """Report leaves of all devices, with an uptime of their own where one is given."""
    return [
        DeviceLeaf(epoch, d, n, 1, 100 + n, 16 + n, uptime.get(d, 10_000), flags, h(f"result {epoch} {n}"))
        for n, d in enumerate(sorted(DEVICES))
    ]


def report(index: MarketIndex, leaves: list[DeviceLeaf], block: int, *more: tuple[int, Event]) -> None:
    """An epoch with these leaves in blocks `block` to `block + 3`, and its contents."""
    epoch = leaves[0].epoch
    index.apply(batch([*epoch_events(epoch, block, leaves), *more], block + 3))
    follower = ContentFollower(index, Served(), ORACLE)
    roots = {"epoch": epoch, "devices_root": device_tree(leaves).root}
    follower.take(roots, "devices", body_of(leaves))
    follower.take(
        {"epoch": epoch, "rewards_root": reward_tree(reward_leaves(epoch)).root},
        "rewards",
        json.dumps(reward_content(epoch)).encode(),
    )


@pytest.fixture
def market(index: MarketIndex) -> MarketIndex:
    """A node of two on offer; epoch 1 has passed both."""
    index.apply(batch(founding(), 4, seats=True))
    report(index, leaves_of(1, {}), 5)
    take(index, offer_line(0, 2, rate=10**19, nonce=7, notice=60), offer_line(0, rate=10**19))
    return index


def client_of(index: MarketIndex, block: int) -> TestClient:
    """A market whose wallet transactions show what they were made of."""
    status = Status("test", 31337, clock=lambda: timestamp(block))
    status.move(index.tip(), block)
    contracts = {name: account(name) for name in CONTRACTS} | {"LeaseEscrow": ESCROW}
    sent: list[Any] = []

    def encode(contract: str, function: str, arguments: tuple[Any, ...]) -> tuple[str, bytes]:
        sent.append((contract, function, *arguments))
        return contracts.get(contract, contract), h(function)

    links = Links(contracts=contracts, encode=encode)
    table = SearchTable(index.engine)
    context = Context(index.engine, status, table, links=links, terms=TERMS, deadlines=DEADLINES)
    app = create_app(context, rate=1e9, burst=1 << 30)
    app.state.sent = sent
    return TestClient(app)


def steps(client: TestClient, path: str) -> list[Any]:
    """What the wallet is to send, as it was encoded."""
    sent: list[Any] = client.app.state.sent  # type: ignore[attr-defined]
    sent.clear()
    answer = client.get(f"/send/{path}")
    assert answer.status_code == 200, answer.text
    assert [s["function"] for s in answer.json()["steps"]] == [f"{made[0]}.{made[1]}" for made in sent]
    return list(sent)


def offer_of(sent: Any) -> Offer:
    """The offer of an argument."""
    return Offer(*(tuple(value) if isinstance(value, list) else value for value in sent))  # type: ignore[arg-type]


def test_open__with_a_permit__is_one_transaction_with_its_deadline_and_signature(market: MarketIndex) -> None:
    client, path = client_of(market, 9), f"open/{to_hex(listing_id(NODE))}?seconds=100"
    asked = client.get(f"/send/{path}").json()
    assert asked["permit"] == {"token": TOKEN, "spender": ESCROW, "value": asked["deposit"]}
    _, plain = steps(client, path)
    signature = "0x" + "11" * 65
    (opening,) = steps(client, f"{path}&deadline=2000&signature={signature}")
    assert opening[:2] == ("LeaseEscrow", "openWithPermit")
    assert opening[2:] == (*plain[2:], (2000, bytes.fromhex(signature[2:])))


@pytest.mark.parametrize(
    "more",
    ["deadline=2000", f"signature=0x{'11' * 65}", "deadline=0&signature=0x" + "11" * 65, "deadline=1&signature=0x1122",
     "deadline=1&signature=0x" + "11" * 1025, f"deadline={1 << 63}&signature=0x{'11' * 65}"],
)  # fmt: skip
def test_open__with_half_a_permit_or_one_off_its_form__is_refused(market: MarketIndex, more: str) -> None:
    answer = client_of(market, 9).get(f"/send/open/{to_hex(listing_id(NODE))}?seconds=100&{more}")
    assert answer.status_code == 422 and answer.json()["error"]


def test_open__of_a_node__brings_the_offer_and_a_proven_pass_of_each_device_in_one_epoch(market: MarketIndex) -> None:
    approve, opening = steps(client_of(market, 9), f"open/{to_hex(listing_id(NODE))}?seconds=100")
    assert approve == (TOKEN, "approve", ESCROW, 1_000)
    contract, function, offer, signature, deposit, leaves, proofs, min_score, min_memory = opening
    assert (contract, function, deposit) == ("LeaseEscrow", "open", cost(10**19, 100))
    line = offer_line(0, 2, rate=10**19, nonce=7, notice=60)
    expected = Offer.from_json({name: value for name, value in line.items() if name != "signature"})
    assert offer_of(offer) == expected
    assert to_hex(signature) == line["signature"]
    assert [leaf[1] for leaf in leaves] == list(NODE) and {leaf[0] for leaf in leaves} == {1}
    assert (min_score, min_memory) == (min(leaf[4] for leaf in leaves), min(leaf[5] for leaf in leaves))
    assert len(proofs) == 2 and all(proofs)


@pytest.mark.parametrize(("seconds", "paid"), [(1, 60), (61, 61), (3_600, 3_600)])
def test_open__for_less_than_the_least__pays_the_least(market: MarketIndex, seconds: int, paid: int) -> None:
    _, opening = steps(client_of(market, 9), f"open/{to_hex(DEVICES[0])}?seconds={seconds}")
    assert opening[4] == 10 * paid


def test_open__of_devices_that_are_not_on_offer_together__is_refused(market: MarketIndex) -> None:
    client = client_of(market, 9)
    other = listing_id(tuple(sorted((DEVICES[0], DEVICES[1]))))
    for listing in (other, DEVICES[2], h("nothing")):
        assert client.get(f"/send/open/{to_hex(listing)}?seconds=100").status_code == 404
    assert client.get(f"/send/open/{to_hex(DEVICES[0])}?seconds=3600000000").status_code == 422


def test_open__at_a_price_that_no_deposit_holds__is_refused(market: MarketIndex) -> None:
    take(market, offer_line(0, rate=2**128 - 1, min_duration=2**31, max_duration=2**31))
    answer = client_of(market, 9).get(f"/send/open/{to_hex(DEVICES[0])}?seconds=60")
    assert (answer.status_code, "more than the escrow holds" in answer.text) == (400, True)


TERMS_OF = OfferTerms(PROVIDERS[0], OPERATOR, NODE, TOKEN, 10**19, 60, 3_600, timestamp(30), 2**64 - 1, NOBODY, 60)
OPENED = LeaseOpened(4, RENTER, PROVIDERS[0], h("offer hash"), TERMS_OF, 36_000)


@pytest.fixture
def leased(market: MarketIndex) -> MarketIndex:
    """The node is leased from the middle of epoch 2 on; it was down in parts of epochs 2, 3 and 4."""
    start = timestamp(10)
    started = LeaseStarted(4, h("roots"), start, start + 3_600, 600)
    market.apply(batch([(9, OPENED), (10, started)], 10))
    a, b = NODE
    for epoch, uptime, block in ((2, {a: 5_000, b: 9_000}, 11), (3, {a: 9_900, b: 2_500}, 15), (4, {b: 0}, 19)):
        report(market, leaves_of(epoch, uptime, flags=2), block)
    return market


def test_downtime__of_a_node__is_submitted_epoch_by_epoch_with_the_worst_device_and_the_whole_offer(
    leased: MarketIndex,
) -> None:
    found = steps(client_of(leased, 22), "refund-downtime/4")
    assert [(contract, function, lease) for contract, function, lease, *_ in found] == [
        ("LeaseEscrow", "refundDowntime", 4)
    ] * 3
    assert [(leaf[0], leaf[1]) for _, _, _, _, leaf, _ in found] == [(2, NODE[0]), (3, NODE[1]), (4, NODE[1])]
    for _, _, _, offer, _, proof in found:
        assert offer_of(offer) == Offer(*astuple(TERMS_OF))
        assert proof
    page = client_of(leased, 22).get("/leases/4").text
    # The lease began with 24 of epoch 2's 48 seconds left.
    assert [f'<td class="n">{n}</td>' in page for n in (12, 36, 48)] == [True, True, True]


def test_downtime__credited_or_too_old_or_not_over__is_not_submitted(leased: MarketIndex) -> None:
    leased.apply(batch([(23, DowntimeRefunded(4, 3, NODE[1], 360, 36))], 23))
    assert [leaf[0] for *_, leaf, _ in steps(client_of(leased, 23), "refund-downtime/4")] == [2, 4]
    # What is of epoch 2 has to come within the holdback of 240 s from the start on.
    assert [leaf[0] for *_, leaf, _ in steps(client_of(leased, 30), "refund-downtime/4")] == [2, 4]
    leased.apply(batch([], 31))
    assert [leaf[0] for *_, leaf, _ in steps(client_of(leased, 31), "refund-downtime/4")] == [4]
    leased.apply(batch([], 90))
    answer = client_of(leased, 90).get("/send/refund-downtime/4")
    assert (answer.status_code, "No report attests" in answer.text) == (404, True)


def test_downtime__of_an_epoch_that_is_not_over__waits(leased: MarketIndex) -> None:
    report(leased, leaves_of(6, {NODE[0]: 0}, flags=2), 23)  # reported in block 26, before its end in block 28
    assert [leaf[0] for *_, leaf, _ in steps(client_of(leased, 27), "refund-downtime/4")] == [2, 3, 4]
    leased.apply(batch([], 28))
    assert [leaf[0] for *_, leaf, _ in steps(client_of(leased, 28), "refund-downtime/4")] == [2, 3, 4, 6]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("end/4", ("end", 4)),
        ("cancel/4", ("cancel", 4)),
        ("give-notice/4", ("giveNotice", 4)),
        ("release/4", ("release", 4)),
        ("settle-forfeit/4", ("settleForfeit", 4)),
        (f"refund/4?account={RENTER}", ("refund", 4, RENTER)),
        (f"claim/4?account={PROVIDERS[0].lower()}", ("claim", 4, PROVIDERS[0])),
        # Whatever an operator claims goes to where its provider is paid: the escrow refuses anything else.
        (f"claim/4?account={OPERATOR}", ("claim", 4, account("payout"))),
        (f"return-bond/4?account={OPERATOR}", ("returnBond", 4, account("payout"))),
        (f"refunder?agent={OPERATOR.lower()}", ("nameRefunder", OPERATOR, True)),
        (f"refunder?agent={OPERATOR}&may=false", ("nameRefunder", OPERATOR, False)),
        ("top-up/4?seconds=30", ("topUp", 4, 300)),
    ],
)
def test_action__on_a_lease__is_encoded_for_whoever_asks(leased: MarketIndex, path: str, sent: tuple[Any, ...]) -> None:
    payout = PayoutSet(PROVIDERS[0], account("payout"))
    leased.apply(batch([(23, OperatorSet(PROVIDERS[0], OPERATOR, 31, timestamp(99))), (23, payout)], 23))
    assert steps(client_of(leased, 23), path)[-1] == ("LeaseEscrow", *sent)


@pytest.mark.parametrize("path", ["refunder", "explode/4", "end/99", "refund-downtime/99"])
def test_action__that_there_is_none_of__is_refused(leased: MarketIndex, path: str) -> None:
    assert client_of(leased, 23).get(f"/send/{path}").status_code in (404, 422)


def claimed_epoch(index: MarketIndex, block: int) -> int | None:
    index.apply(batch([], block))
    answer = client_of(index, block).get(f"/send/rewards/{VALIDATORS[0]}")
    if answer.status_code == 404:
        return None
    return int(steps(client_of(index, block), f"rewards/{VALIDATORS[0]}")[0][2])


def test_claim__of_rewards__is_against_the_newest_report_whose_delay_is_over(market: MarketIndex) -> None:
    # Reported in block 8; the delay is 24 seconds, two blocks.
    assert [claimed_epoch(market, block) for block in (9, 10, 11)] == [None, None, 1]


def test_claim__against_a_report_made_while_the_guardian_is_suspended__waits_for_the_long_delay(
    market: MarketIndex,
) -> None:
    suspended: tuple[int, Event] = (12, GuardianSuspended(timestamp(12), timestamp(90)))
    report(market, leaves_of(2, {}), 12, suspended)
    report(market, leaves_of(3, {}), 88)
    # Epoch 2 was reported in block 15, within the suspension; epoch 3 in block 91, after it.
    assert [claimed_epoch(market, block) for block in (92, 94)] == [1, 3]
    market.roll_back(90)
    assert [claimed_epoch(market, block) for block in (98, 99)] == [1, 2]
    market.apply(batch([(100, RewardsVetoed(2, h("root")))], 100))
    assert claimed_epoch(market, 101) == 1


def test_claim__of_an_account__is_what_its_leaf_says(market: MarketIndex) -> None:
    market.apply(batch([], 20))
    receiver = Address(account("elsewhere"))
    (claim,) = steps(client_of(market, 20), f"rewards/{VALIDATORS[0]}?account={receiver}")
    leaf = next(leaf for leaf in reward_leaves(1) if leaf.account == VALIDATORS[0])
    assert isinstance(leaf, RewardLeaf)
    assert claim[:2] == ("RewardsDistributor", "claim")
    assert (claim[2], claim[3], claim[5]) == (1, leaf.cumulative, receiver)


def test_race__for_a_device__is_told_to_who_lost_it_and_one_pending_lease_is_enough(market: MarketIndex) -> None:
    start = LeaseStarted(2, h("result"), timestamp(13), timestamp(60), 60)
    market.apply(batch([(12, opened(1)), (12, opened(2))], 12))
    client = client_of(market, 12)
    assert "began first" not in client.get("/leases/1").text
    again = client.get(f"/send/open/{to_hex(DEVICES[0])}?seconds=60&account={RENTER}")
    assert (again.status_code, "at /leases/2" in again.json()["error"]) == (409, True)
    node = client.get(f"/send/open/{to_hex(listing_id(NODE))}?seconds=60&account={RENTER}")
    assert node.status_code == 409
    assert client.get(f"/send/open/{to_hex(DEVICES[0])}?seconds=60&account={PROVIDERS[0]}").status_code == 200
    market.apply(batch([(13, start)], 13))
    page = client_of(market, 13).get("/leases/1").text
    assert "began first" in page and "/leases/2" in page
    assert "Check the device and start" not in page and "/send/cancel/1" in page


def test_pending_leases__of_a_renter__are_all_cancelled_the_newest_first(market: MarketIndex) -> None:
    start = LeaseStarted(2, h("result"), timestamp(13), timestamp(60), 60)
    market.apply(batch([(12, opened(1)), (12, opened(2)), (12, opened(3, 1)), (13, start)], 13))
    client = client_of(market, 13)
    assert steps(client, f"cancel-all?account={RENTER}") == [
        ("LeaseEscrow", "cancel", 3),
        ("LeaseEscrow", "cancel", 1),
    ]
    assert client.get(f"/send/cancel-all?account={PROVIDERS[0]}").status_code == 404
    assert client.get("/send/cancel-all").status_code == 422


def test_faucet__of_a_local_network__gives_test_tokens_and_no_others(market: MarketIndex) -> None:
    client = client_of(market, 9)
    context = client.app.state.context  # type: ignore[attr-defined]
    context.links = replace(context.links, tokens={TOKEN: Token("TST", 6)})
    taken = steps(client, f"faucet/{TOKEN}?account={RENTER}")
    assert taken == [(TOKEN, "mint", RENTER, 1_000 * 10**6)]
    assert client.get(f"/send/faucet/{RENTER}?account={RENTER}").status_code == 404
    assert client.get(f"/send/faucet/{TOKEN}").status_code == 422
    context.status.chain_id = 1
    assert client.get(f"/send/faucet/{TOKEN}?account={RENTER}").status_code == 404
