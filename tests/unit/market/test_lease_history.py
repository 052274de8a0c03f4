"""All that the contracts said of a lease, in the API and on its page."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.events.lease_events import (
    BondForfeited,
    BondReturned,
    DowntimeRefunded,
    LeaseCancelled,
    LeaseClaimed,
    LeaseEnded,
    LeaseOpened,
    LeaseRefunded,
    LeaseStarted,
    LeaseToppedUp,
)
from assay.market.events.record import Event
from assay.market.events.registry import RECORDS
from assay.market.follow.index import Index
from assay.market.queries.search import SearchTable

from .scenario import DEVICES, PROVIDERS, RENTER, TOKEN, account, batch, founding, h, timestamp

LEASE, LAST = 11, 200
PROVIDER, ELSEWHERE = PROVIDERS[0], account("receiver")
COIN = 10**6
RATE = 10**6 * 10**18 // 3_600  # one coin an hour
LIFE: list[tuple[int, Event]] = [
    (30, LeaseOpened(LEASE, RENTER, PROVIDER, DEVICES[0], TOKEN, RATE, 50 * COIN)),
    (31, LeaseStarted(LEASE, h("result"), timestamp(31), timestamp(60), 7 * COIN)),
    (32, LeaseToppedUp(LEASE, 20 * COIN, timestamp(70))),
    (36, DowntimeRefunded(LEASE, 3, 4 * COIN)),
    (36, BondForfeited(LEASE, 6 * COIN)),
    (40, LeaseEnded(LEASE, PROVIDER, timestamp(39), 5 * COIN)),
    (41, LeaseClaimed(LEASE, ELSEWHERE, 31 * COIN, 2 * COIN)),
    (42, LeaseRefunded(LEASE, RENTER, 33 * COIN)),
    (43, BondReturned(LEASE, PROVIDER, 1 * COIN)),
]
OTHERS: list[tuple[int, Event]] = [
    (30, LeaseOpened(1, RENTER, PROVIDERS[1], DEVICES[1], TOKEN, RATE, 51 * COIN)),
    (32, LeaseToppedUp(1, 300 * COIN, timestamp(70))),
    (33, LeaseCancelled(1, 351 * COIN)),
]
# What the page says of each event of LIFE, in its order.
SAID = (
    r"50 TST deposited, at 1\.00 TST/h\.",
    r"7 TST of the provider's bonded; paid until 14 Nov 2023, 22:25:20 UTC\.",
    r"20 TST more; paid until 14 Nov 2023, 22:27:20 UTC\.",
    r"4 TST credited to the renter for epoch 3\.",
    r"6 TST of the bond, for too long a downtime\.",
    r"Ended by 0x\w+…\w+ \(the provider\); streamed until 14 Nov 2023, 22:21:08 UTC; 5 TST of the bond forfeited\.",
    r"31 TST to 0x\w+…\w+, after a fee of 2 TST\.",
    r"33 TST to 0x\w+…\w+ \(the renter\)\.",
    r"1 TST to 0x\w+…\w+ \(the provider\)\.",
)


def client_of(index: Index) -> TestClient:
    status = Status("test", 31337, clock=lambda: timestamp(LAST))
    status.move(index.tip(), LAST)
    links = {"contracts": {"LeaseEscrow": account("escrow")}, "tokens": {TOKEN: {"symbol": "TST", "decimals": 6}}}
    context = Context(index.engine, status, SearchTable(index.engine), links={"rpc": ""} | links)
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
def client(index: Index) -> TestClient:
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
    assert happened(client, 1)[0] == ("LeaseCancelled", "351 TST for the renter to take back.")


def test_page__of_a_lease__knows_every_event_that_the_contracts_have_of_one() -> None:
    of_a_lease = {kind for kind in RECORDS.values() if "lease_id" in {f.name for f in fields(kind)}}  # type: ignore[arg-type]
    assert of_a_lease == {type(event) for _, event in LIFE + OTHERS}


def test_page__of_a_lease_with_more_events_than_it_shows__says_so_and_where_the_rest_is(index: Index) -> None:
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
STREAMED, DOWN, DEPOSIT, BOND = 1_000 * RAN, 8_000, 500_000, 9_000
TO_RENTER, TO_PROVIDER = DEPOSIT - STREAMED + DOWN, STREAMED - DOWN


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
    index: Index, settled: list[Event], left: list[str]
) -> None:
    life: list[tuple[int, Event]] = [
        (30, LeaseOpened(3, RENTER, PROVIDER, DEVICES[0], TOKEN, 10**21, DEPOSIT)),
        (31, LeaseStarted(3, h("result"), timestamp(31), timestamp(90), BOND)),
        (36, DowntimeRefunded(3, 3, DOWN)),
        (41, LeaseEnded(3, RENTER, timestamp(40), 0)),
        *((50, event) for event in settled),
    ]
    index.apply(batch([*founding(), *life], LAST))
    page = client_of(index).get("/leases/3").text
    assert re.findall(r'data-send="/send/([\w-]+)/3"', page) == left
    assert ("Settled:" in page) == (not left)


def test_page__of_a_cancelled_lease__offers_the_deposit_until_it_is_paid_back(index: Index) -> None:
    opened = LeaseOpened(3, RENTER, PROVIDER, DEVICES[0], TOKEN, 10**21, DEPOSIT)
    life: list[tuple[int, Event]] = [(30, opened), (33, LeaseCancelled(3, DEPOSIT))]
    index.apply(batch([*founding(), *life], 100))
    assert 'data-send="/send/refund/3"' in client_of(index).get("/leases/3").text
    index.apply(batch([(110, LeaseRefunded(3, RENTER, DEPOSIT))], LAST))
    page = client_of(index).get("/leases/3").text
    assert "data-send" not in page and "Settled:" in page
