"""All that the contracts said of a lease, in the API and on its page."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context, Links, Token
from assay.market.api.status import Status
from assay.market.events.lease_events import (
    BondForfeited,
    BondReturned,
    DeviceOfLeaseSlashed,
    DowntimeRefunded,
    ForfeitForgiven,
    ForfeitSettled,
    LeaseCancelled,
    LeaseClaimed,
    LeaseEnded,
    LeaseRefunded,
    LeaseReleased,
    LeaseStarted,
    LeaseToppedUp,
    NoticeGiven,
)
from assay.market.events.record import Event
from assay.market.events.registry import RECORDS
from assay.market.events.treasury_events import BondCreditUsed
from assay.market.follow.index import MarketIndex
from assay.market.projection.lease_money import EscrowTerms
from assay.market.queries.search import SearchTable
from assay.protocol.hexadecimal import to_hex
from tests.unit.market.scenario import (
    DEVICES,
    NOBODY,
    PROVIDERS,
    RENTER,
    TOKEN,
    account,
    batch,
    founding,
    h,
    opened,
    timestamp,
)

LEASE, LAST = 11, 200
PROVIDER, ELSEWHERE = PROVIDERS[0], account("receiver")
COIN = 10**6
RATE = 10**6 * 10**18 // 3_600  # one coin an hour
LIFE: list[tuple[int, Event]] = [
    (30, opened(LEASE, 0, 2, rate=RATE, deposit=50 * COIN, notice=60, minimum=300)),
    (31, LeaseStarted(LEASE, h("result"), timestamp(31), timestamp(60), 7 * COIN)),
    (31, BondCreditUsed(PROVIDER, TOKEN, LEASE, 7 * COIN, 3 * COIN)),
    (32, LeaseToppedUp(LEASE, 20 * COIN, timestamp(70))),
    (33, NoticeGiven(LEASE, timestamp(38))),
    (35, DeviceOfLeaseSlashed(LEASE, DEVICES[2])),
    (36, DowntimeRefunded(LEASE, 3, DEVICES[0], 4 * COIN, 75)),
    (36, BondForfeited(LEASE, 6 * COIN)),
    (37, ForfeitForgiven(LEASE, 2 * COIN)),
    (40, LeaseEnded(LEASE, PROVIDER, timestamp(39), 5 * COIN)),
    (41, LeaseReleased(LEASE, timestamp(39))),
    (41, LeaseClaimed(LEASE, ELSEWHERE, 31 * COIN, 2 * COIN)),
    (42, LeaseRefunded(LEASE, RENTER, 33 * COIN)),
    (43, BondReturned(LEASE, PROVIDER, 1 * COIN)),
    (44, ForfeitSettled(LEASE, 4 * COIN)),
]
OTHERS: list[tuple[int, Event]] = [
    (30, opened(1, 1, rate=RATE, deposit=51 * COIN)),
    (32, LeaseToppedUp(1, 300 * COIN, timestamp(70))),
    (33, LeaseCancelled(1, 351 * COIN)),
]
# What the page says of each event of LIFE, in its order.
SAID = (
    r"50\.00 TST deposited for 2 devices, at 1\.00 TST/h\.",
    r"7\.00 TST of the provider's bonded; paid until 14 Nov 2023, 22:25:20 UTC\.",
    r"The bond of 7\.00 TST came out of the provider's credit; 3\.00 TST of that are left\.",
    r"20\.00 TST more; paid until 14 Nov 2023, 22:27:20 UTC\.",
    r"The provider may end the lease for nothing from 14 Nov 2023, 22:20:56 UTC on, the renter at once\.",
    r"Device 0x\w+…\w+ was slashed: the renter may leave for nothing\.",
    r"4\.00 TST credited to the renter for epoch 3, in which device 0x\w+…\w+ was down; 1 min 15 s in all\.",
    r"6\.00 TST of the bond forfeited to the network, as it stood then\.",
    r"Governance left 2\.00 TST of the bond to the provider\.",
    r"Ended by 0x\w+…\w+ \(the provider\); streamed until 14 Nov 2023, 22:21:08 UTC; "
    r"5\.00 TST of the bond are the renter's\.",
    r"The provider let the renter go, who had left early; streamed until 14 Nov 2023, 22:21:08 UTC\.",
    r"31\.00 TST to 0x\w+…\w+, after a fee of 2\.00 TST\.",
    r"33\.00 TST to 0x\w+…\w+ \(the renter\)\.",
    r"1\.00 TST to 0x\w+…\w+ \(the provider\)\.",
    r"4\.00 TST of the bond are among the network's fees\.",
)
TERMS = EscrowTerms(holdback=120, max_downtime=60, forfeit_hold=600)


def client_of(index: MarketIndex, block: int = LAST) -> TestClient:
    status = Status("test", 31337, clock=lambda: timestamp(block))
    status.move(index.tip(), block)
    links = Links(contracts={"LeaseEscrow": account("escrow")}, tokens={TOKEN: Token("TST", 6)})
    context = Context(index.engine, status, SearchTable(index.engine), links=links, terms=TERMS)
    return TestClient(create_app(context, rate=1e9, burst=1 << 30))


def happened(client: TestClient, lease: int) -> list[tuple[str, str]]:
    """(event, what is said of it) in the order of the page."""
    answer = client.get(f"/leases/{lease}")
    assert answer.status_code == 200, answer.text
    shown = answer.text.split('<ul class="timeline">')[1].split("</ul>")[0]
    plain = [re.sub(r"<[^>]+>", "", part.split("<p>")[1].split("</p>")[0]) for part in shown.split("<li>")[1:]]
    said = [text.replace("&#39;", "'") for text in plain]
    return list(zip(re.findall(r"<li><b>(\w+)</b>", shown), said, strict=True))


@pytest.fixture
def client(index: MarketIndex) -> TestClient:
    index.apply(batch([*founding(), *LIFE, *OTHERS], LAST))
    return client_of(index)


def test_history__of_a_lease__has_each_of_its_events_newest_first_and_no_other_lease_s(client: TestClient) -> None:
    found = client.get(f"/v1/leases/{LEASE}/events").json()
    assert [event["name"] for event in found["data"]] == [type(event).__name__ for _, event in reversed(LIFE)]
    assert {event["arguments"]["leaseId"] for event in found["data"]} == {str(LEASE)}
    assert found["next"] is None


def test_history__in_pages__goes_on_where_the_one_before_ended(client: TestClient) -> None:
    names, cursor = [], ""
    while cursor is not None:
        found = client.get(f"/v1/leases/{LEASE}/events?limit=2&cursor={cursor}").json()
        names += [event["name"] for event in found["data"]]
        cursor = found["next"]
    assert names == [type(event).__name__ for _, event in reversed(LIFE)]


def test_history__of_a_lease_that_was_not_opened__is_a_404(client: TestClient) -> None:
    assert client.get("/v1/leases/12/events").status_code == 404


def test_page__of_a_lease__says_of_each_event_what_was_paid_to_whom(client: TestClient) -> None:
    shown = happened(client, LEASE)
    assert [name for name, _ in shown] == [type(event).__name__ for _, event in reversed(LIFE)]
    for (_, said), expected in zip(shown, reversed(SAID), strict=True):
        assert re.fullmatch(expected, said), said


def test_page__of_a_cancelled_lease__says_what_can_be_taken_back(client: TestClient) -> None:
    assert happened(client, 1)[0] == ("LeaseCancelled", "351.00 TST for the renter to take back.")


def test_page__of_a_lease__knows_every_event_that_the_contracts_have_of_one() -> None:
    of_a_lease = {kind for kind in RECORDS.values() if "lease_id" in {f.name for f in fields(kind)}}  # type: ignore[arg-type]
    assert of_a_lease == {type(event) for _, event in LIFE + OTHERS}


def test_page__of_a_lease_with_more_events_than_it_shows__says_so_and_where_the_rest_is(index: MarketIndex) -> None:
    opened = LIFE[:2]
    top_ups: list[tuple[int, Event]] = [(32 + n, LeaseToppedUp(LEASE, n + 1, timestamp(70))) for n in range(101)]
    index.apply(batch([*founding(), *opened, *top_ups[:98]], LAST))
    client = client_of(index)
    assert len(happened(client, LEASE)) == 100
    assert "The newest 100" not in client.get(f"/leases/{LEASE}").text
    index.roll_back(0)
    index.apply(batch([*founding(), *opened, *top_ups], LAST))
    assert {name for name, _ in happened(client, LEASE)} == {"LeaseToppedUp"}
    text = client.get(f"/leases/{LEASE}").text
    assert "The newest 100" in text
    rest = client.get(re.findall(r'href="(/v1/leases/11/events[^"]+)"', text)[0].replace("&amp;", "&")).json()["data"]
    assert [e["name"] for e in rest] == ["LeaseToppedUp", "LeaseStarted", "LeaseOpened"]


RAN = timestamp(40) - timestamp(31)  # a lease of 1,000 base units a second
STREAMED, DOWN, DEPOSIT, BOND = 1_000 * RAN, 8_000, 500_000, 60_000
TO_RENTER, TO_PROVIDER = DEPOSIT - STREAMED + DOWN, STREAMED - DOWN
OPENED = opened(3, rate=10**21, deposit=DEPOSIT)


@pytest.mark.parametrize(
    ("settled", "left"),
    [
        ([], ["refund", "claim", "return-bond"]),
        ([LeaseRefunded(3, RENTER, TO_RENTER)], ["claim", "return-bond"]),
        ([LeaseRefunded(3, RENTER, TO_RENTER - 1)], ["refund", "claim", "return-bond"]),
        ([LeaseClaimed(3, PROVIDER, TO_PROVIDER - 100, 100)], ["refund", "return-bond"]),
        ([LeaseClaimed(3, PROVIDER, TO_PROVIDER - 101, 100)], ["refund", "claim", "return-bond"]),
        ([BondReturned(3, PROVIDER, BOND)], ["refund", "claim"]),
        (
            [
                LeaseRefunded(3, RENTER, TO_RENTER),
                LeaseClaimed(3, PROVIDER, TO_PROVIDER, 0),
                BondReturned(3, PROVIDER, BOND),
            ],
            [],
        ),
    ],
)
def test_page__of_an_ended_lease__offers_what_is_still_owed_and_no_more(
    index: MarketIndex, settled: list[Event], left: list[str]
) -> None:
    life: list[tuple[int, Event]] = [
        (30, OPENED),
        (31, LeaseStarted(3, h("result"), timestamp(31), timestamp(90), BOND)),
        (36, DowntimeRefunded(3, 3, DEVICES[0], DOWN, 8)),
        (40, LeaseEnded(3, RENTER, timestamp(40), 0)),
        *((50, event) for event in settled),
    ]
    index.apply(batch([*founding(), *life], LAST))
    page = client_of(index).get("/leases/3").text
    assert re.findall(r'data-send="/send/([\w-]+)/3"', page) == left
    assert ("Settled:" in page) == (not left)


def test_page__of_a_cancelled_lease__offers_the_deposit_until_it_is_paid_back(index: MarketIndex) -> None:
    life: list[tuple[int, Event]] = [(30, OPENED), (33, LeaseCancelled(3, DEPOSIT))]
    index.apply(batch([*founding(), *life], 100))
    assert 'data-send="/send/refund/3"' in client_of(index).get("/leases/3").text
    index.apply(batch([(110, LeaseRefunded(3, RENTER, DEPOSIT))], LAST))
    page = client_of(index).get("/leases/3").text
    assert "data-send" not in page and "Settled:" in page


START = LeaseStarted(4, h("result"), timestamp(31), timestamp(900), 3_600_000)
NODE = opened(4, 0, 2, rate=10**21, deposit=10**7, minimum=3_600, notice=120)


@pytest.mark.parametrize(
    ("happened", "block", "actions", "words"),
    [
        ([], 40, ["top-up", "end", "give-notice", "end", "refunder"], "paid to the minimum, until"),
        ([], 340, ["top-up", "end", "give-notice", "end", "refunder"], "what has not streamed becomes refundable"),
        (
            [NoticeGiven(4, timestamp(50))],
            45,
            ["top-up", "end", "end", "refunder"],
            "for nothing: the renter is not bound",
        ),
        (
            [DeviceOfLeaseSlashed(4, DEVICES[2])],
            45,
            ["top-up", "end", "give-notice", "end", "refunder"],
            "was</strong>",
        ),
        (
            [DowntimeRefunded(4, 3, DEVICES[2], 61_000, 61)],
            45,
            ["top-up", "end", "give-notice", "end", "refunder", "refund"],
            "for nothing: the renter is not bound",
        ),
        ([LeaseEnded(4, RENTER, timestamp(331), 0)], 45, ["release", "refunder"], "Bound until"),
        (
            [LeaseEnded(4, RENTER, timestamp(331), 0), DowntimeRefunded(4, 3, DEVICES[2], 61_000, 61)],
            45,
            ["end", "release", "refunder", "refund"],
            "It pays to the minimum",
        ),
    ],
)
def test_page__of_a_running_lease__offers_each_side_what_it_can_do_and_says_what_that_costs(
    index: MarketIndex, happened: list[Event], block: int, actions: list[str], words: str
) -> None:
    life: list[tuple[int, Event]] = [(30, NODE), (31, START), *((40, event) for event in happened)]
    index.apply(batch([*founding(), *life], block))
    page = client_of(index, block).get("/leases/4").text
    found = [name for name in re.findall(r'data-send="/send/([\w-]+)', page) if name != "claim"]
    assert found == actions
    assert words.replace("was</strong>", "was slashed.</strong>") in page


def test_page__of_a_node_s_lease__shows_each_device_and_which_was_slashed(index: MarketIndex) -> None:
    life: list[tuple[int, Event]] = [(30, NODE), (31, START), (35, DeviceOfLeaseSlashed(4, DEVICES[2]))]
    index.apply(batch([*founding(), *life], 40))
    page = client_of(index, 40).get("/leases/4").text
    table = page.split('aria-label="Devices of the lease"')[1].split("</table>")[0]
    lines = {bytes.fromhex(re.findall(r"/devices/0x(\w+)", line)[0]): line for line in table.split("<tr>")[2:]}
    assert lines.keys() == {DEVICES[0], DEVICES[2]}
    assert "slashed" in lines[DEVICES[2]] and "slashed" not in lines[DEVICES[0]]


def test_lease__that_nobody_ended__is_over_at_its_stop_for_the_page_and_the_api(index: MarketIndex) -> None:
    life: list[tuple[int, Event]] = [(30, OPENED), (31, LeaseStarted(3, h("r"), timestamp(31), timestamp(40), BOND))]
    index.apply(batch([*founding(), *life], 39))
    before = client_of(index, 39)
    assert before.get("/v1/leases/3").json()["data"]["status"] == 2
    assert [len(before.get(f"/v1/leases?status={n}").json()["data"]) for n in (2, 3)] == [1, 0]
    index.apply(batch([], 40))
    after = client_of(index, 40)
    data = after.get("/v1/leases/3").json()["data"]
    assert (data["status"], data["refundable"], data["streamed"]) == (3, str(DEPOSIT - STREAMED), str(STREAMED))
    assert [len(after.get(f"/v1/leases?status={n}").json()["data"]) for n in (2, 3)] == [0, 1]
    assert after.get("/v1/network").json()["data"]["activeLeases"] == 0
    assert 'data-send="/send/refund/3"' in after.get("/leases/3").text


def test_api__of_a_lease__has_the_whole_offer_and_finds_it_by_any_of_its_devices(index: MarketIndex) -> None:
    index.apply(batch([*founding(), (30, NODE)], 40))
    client = client_of(index, 40)
    data = client.get("/v1/leases/4").json()["data"]
    assert data["deviceIds"] == [to_hex(device_id) for device_id in NODE.offer.device_ids]
    assert (data["offerHash"], data["offerRenter"], data["notice"]) == (to_hex(NODE.offer_hash), NOBODY, 120)
    for device, count in ((0, 1), (2, 1), (1, 0)):
        assert len(client.get(f"/v1/leases?device={to_hex(DEVICES[device])}").json()["data"]) == count
