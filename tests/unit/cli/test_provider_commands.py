"""The provider's commands: what they send, ask and say, over contracts that only remember."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import LeaseStatus
from assay.chain.errors import JournalInUse
from assay.protocol.epochs import Timing
from assay.protocol.leases import MAX_DEVICES
from assay.provider.account import finality, standing
from assay.provider.account.authority import Authority
from assay.provider.connection import Sending
from assay.provider.offers.offers import Price
from assay.provider.offers.terms import ProviderTerms, TermsFile
from tests.unit.provider.conftest import DEVICES, NODE, OPERATOR, PROVIDER, TOKEN, lease_on
from tests.unit.provider.contracts_fake import HEAD, ContractsFake, SenderFake

from .conftest import Ran

Assay = Callable[..., Ran]


class World:
    """The chain as the commands see it, the key at hand, and what was sent with it."""

    def __init__(self, folder: Path) -> None:
        self.chain: Any = ContractsFake()
        self.signer = PROVIDER
        self.sender = SenderFake(PROVIDER)
        self.devices: list[dict[str, Any]] = [row(one.name) for one in DEVICES]
        self.operators: list[dict[str, Any]] = []
        self.journal_in_use = False
        self.coming: dict[str, int] = {}  # enrolled in blocks that are not final yet
        self.looked = 0
        self.terms = TermsFile(folder)
        self.terms.write(ProviderTerms({DEVICES[0].name: Price(TOKEN, 10**18)}))

    @property
    def authority(self) -> Authority:
        return Authority(self.chain, PROVIDER, self.signer)

    def runs(self, **changes: Any) -> None:
        """Lease 7 of the node runs since 1,000, for 600 s at least, with a bond of 600 and a notice of 600 s."""
        running = {
            "status": LeaseStatus.ACTIVE,
            "rate": 10**18,
            "start": 1_000,
            "stop": 5_000,
            "min_duration": 600,
            "bond": 600_000,
            "notice": 600,
            "devices": 3,
        }
        self.chain.both(leases={7: lease_on(NODE, 7, **{**running, **changes})})

    def calls(self) -> list[tuple[Any, ...]]:
        return [(call.function, *call.args) for call in self.sender.sent]


def row(name: str, **changes: Any) -> dict[str, Any]:
    fields = {
        "deviceId": name,
        "status": "active",
        "profile": 1,
        "endpoint": "http://h:1",
        "host": {"cores": 7, "memoryMiB": 61_440, "diskMiB": 512_000},
        "lease": None,
        "leasedUntil": None,
        "leftEarly": False,
        "offerNonceFloor": 0,
    }
    return {**fields, **changes}


@pytest.fixture
def world(assay: Assay, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    made = World(tmp_path)
    monkeypatch.setattr("assay.chain.contracts.erc20.Erc20", Erc20)  # in place of the renter's stand-in
    monkeypatch.setenv("ASSAY_DATA_DIR", str(tmp_path))

    @asynccontextmanager
    async def reading(settings: Any) -> AsyncIterator[Authority]:
        yield made.authority

    @asynccontextmanager
    async def sending(settings: Any) -> AsyncIterator[Sending]:
        if made.journal_in_use:
            raise JournalInUse("another process sends with this key")
        sender: Any = made.sender
        yield Sending(made.chain, sender, made.authority)

    async def devices_of(authority: Any, kept: Any = None) -> list[dict[str, Any]]:
        return made.devices

    async def operators_of(chain: Any, provider: str) -> list[dict[str, Any]]:
        return made.operators

    monkeypatch.setattr("assay.provider.reading.reading", reading)
    monkeypatch.setattr("assay.provider.connection.sending", sending)
    monkeypatch.setattr(standing, "devices_of", devices_of)

    async def not_yet_final(authority: Any) -> dict[str, int]:
        made.looked += 1
        if made.looked > 2:
            made.devices += [row(name) for name in made.coming]
            made.coming = {}
        return made.coming

    monkeypatch.setattr(standing, "operators_of", operators_of)
    monkeypatch.setattr(finality, "not_yet_final", not_yet_final)
    monkeypatch.setattr(finality, "LOOK_S", 0)
    monkeypatch.setattr("assay.chain.contracts.epochs.read_timing", timing)
    return made


async def timing(chain: Any) -> Timing:
    """Epochs of 100 s since second 24, a proof window of ten."""
    return Timing(24, 100, 5, 55, 65, 150, 1, 1_000)


def provider(assay: Assay, line: str, status: int = 0) -> Ran:
    ran = assay("provider", *line.split())
    assert ran.status == status, (ran.out, ran.err)
    return ran


def printed(ran: Ran) -> dict[str, Any]:
    return dict(json.loads(ran.out))


def test_list__several_devices__has_one_header(assay: Assay, world: World) -> None:
    world.devices[0] |= {"lease": 7, "leasedUntil": 1_900_000_000, "leftEarly": True}
    assert len(provider(assay, "list -o csv").out.splitlines()) == 4
    shown = provider(assay, "list").out
    assert shown.count("endpoint") == 1 and "2030-03-17" in shown


def test_list__no_device__says_how_to_enter_one(assay: Assay, world: World) -> None:
    world.devices.clear()
    ran = provider(assay, "list")
    assert f"{PROVIDER} has no device" in ran.err and "enrol" in ran.err


@pytest.mark.parametrize(
    "line",
    ["drain", f"price {DEVICES[0].name} 2 --token {TOKEN}", f"node set rack 2 {DEVICES[0].name} --token {TOKEN}"],
)
def test_terms__folder_that_is_not_there__is_not_made(assay: Assay, world: World, tmp_path: Path, line: str) -> None:
    missing = tmp_path / "mistyped"
    ran = provider(assay, f"{line} --data-dir {missing}", 2)
    assert f"{missing}: no such folder" in ran.err
    assert not missing.exists()


@pytest.mark.parametrize(
    "line", ["price 0x777777 2 --token {token}", "node set rack 2 0x777777 --token {token}", "retire 0x777777 --yes"]
)
def test_commands__device_enrolled_a_moment_ago__wait_until_it_is_final(assay: Assay, world: World, line: str) -> None:
    world.coming = {"0x" + "77" * 32: 11}
    ran = provider(assay, line.format(token=TOKEN))
    assert "waiting for block 11 to be final, which enrols 0x7777" in ran.err and world.looked == 3


def test_price__device_of_another__is_refused(assay: Assay, world: World) -> None:
    before = world.terms.read()
    assert "has no device 0x222222" in provider(assay, f"price 0x222222 2 --token {TOKEN}", 2).err
    assert world.terms.read() == before


def test_price__cancelled__asks_for_the_floor_of_the_key_that_signs(assay: Assay, world: World) -> None:
    world.signer = OPERATOR
    world.chain.latest.floors = {(DEVICES[0].device_id, OPERATOR): 4, (DEVICES[0].device_id, PROVIDER): 9}
    provider(assay, f"price {DEVICES[0].name} 3.6 --notice 600 --cancel")
    terms = world.terms.read()
    assert (terms.prices[DEVICES[0].name].rate, terms.prices[DEVICES[0].name].notice) == (10**3 * 10**18, 600)
    assert terms.nonce_floors == {DEVICES[0].name: 5}


def test_node__set_listed_and_removed__stands_in_the_terms_sorted(assay: Assay, world: World) -> None:
    names = " ".join(one.name[:12] for one in reversed(DEVICES))
    made = printed(provider(assay, f"node set rack 7.2 {names} --notice 3600 --cancel -o json"))
    assert made["deviceIds"] == [one.name for one in DEVICES]
    node = world.terms.read().nodes["rack"]
    assert (node.device_ids, node.price.rate, node.price.notice) == (NODE.device_ids, 2 * 10**3 * 10**18, 3600)
    assert world.terms.read().nonce_floors == {one.name: 1 for one in DEVICES}
    listed = printed(provider(assay, "node list -o json"))["nodes"]
    assert [(one["name"], one["devices"]) for one in listed] == [("rack", [one.name for one in DEVICES])]
    provider(assay, "node remove rack")
    assert "no node is on offer" in provider(assay, "node list").err
    assert "no node 'rack'" in provider(assay, "node remove rack", 1).err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"node set rack 2 {DEVICES[0].name} {DEVICES[0].name}", "must strictly ascend"),
        ("node set rack 2 0x222222", "has no device"),
        (f"node set rack 2 {' '.join([DEVICES[0].name] * (MAX_DEVICES + 1))}", "17 devices"),
        (f"node set rack 0 {DEVICES[0].name}", "must be above zero"),
        (f"node set rack 2 {DEVICES[0].name} --notice 59", "at least 60"),
    ],
)
def test_node__that_nobody_could_lease__is_refused(assay: Assay, world: World, line: str, said: str) -> None:
    ran = assay("provider", *line.split())
    assert ran.status in (1, 2) and said in ran.err
    assert world.terms.read().nodes == {}


def test_operator__added__asks_then_sends_scopes_and_the_last_second(assay: Assay, world: World) -> None:
    line = f"operator add {OPERATOR} --scopes offer,start --until 2d"
    assert "pass --yes" in provider(assay, line, 7).err
    assert world.sender.sent == []
    now = int(time.time())
    shown = printed(provider(assay, f"{line} --yes -o json"))
    ((function, operator, scopes, until),) = world.calls()
    assert (function, operator, scopes) == ("setOperator", OPERATOR, 3)
    assert now + 2 * 86_400 <= until <= now + 2 * 86_400 + 60
    assert (shown["scopes"], shown["until"], shown["transactions"][0]["name"]) == (
        "offer,start",
        until,
        "DeviceRegistry.setOperator",
    )


def test_operator__added_until_a_day__is_its_last_second(assay: Assay, world: World) -> None:
    provider(assay, f"operator add {OPERATOR} --until 2030-12-31 --yes")
    assert world.calls()[0][2:] == (31, 1_924_991_999)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--scopes stake", "some of offer,start,end,claim,endpoint"),
        ("--scopes ,", "at least one of"),
        ("--until 2001-01-01", "is over already"),
        ("--until soon", "expected such as 90d"),
        ("--until 2030-02-31", "expected such as 90d"),
        ("--until 999999999d", "beyond what the registry holds"),
    ],
)
def test_operator__scopes_or_day_off_their_form__is_refused(
    assay: Assay, world: World, options: str, said: str
) -> None:
    assert said in provider(assay, f"operator add {OPERATOR} --yes {options}", 2).err
    assert world.sender.sent == []


def test_operator__that_is_the_provider_itself__is_refused(assay: Assay, world: World) -> None:
    assert "has a key of its own" in provider(assay, f"operator add {PROVIDER} --yes", 2).err


PROVIDERS_OWN = [
    f"operator add {OPERATOR}",
    "payout --reset",
    "credit fill 5",
    "credit limit 0",
    f"retire {DEVICES[0].name}",
]


@pytest.mark.parametrize("line", PROVIDERS_OWN)
def test_providers_own__with_an_operators_key__sends_nothing(assay: Assay, world: World, line: str) -> None:
    # Sent from there, the call would be about the operator's own account.
    world.signer = OPERATOR
    ran = provider(assay, f"{line} --yes", 2)
    assert f"{OPERATOR} is not {PROVIDER}" in ran.err and "--dry-run" in ran.err
    assert world.sender.sent == []


@pytest.mark.parametrize("line", PROVIDERS_OWN)
def test_providers_own__dry_run__prints_the_transactions_for_a_key_elsewhere(
    assay: Assay, world: World, line: str
) -> None:
    world.signer = OPERATOR
    planned = printed(provider(assay, f"{line} --dry-run -o json"))["transactions"]
    assert planned and all(one["to"] and one["calldata"].startswith("0x") for one in planned)
    assert [one["name"] for one in planned][:1] == (["ERC20.approve"] if "fill" in line else [planned[-1]["name"]])
    assert world.sender.sent == []


def test_operator__removed__counts_at_once_and_only_where_there_is_one(assay: Assay, world: World) -> None:
    assert "is no operator of" in provider(assay, f"operator remove {OPERATOR} --yes", 2).err
    world.chain.latest.operators = {OPERATOR: (31, HEAD.timestamp)}
    provider(assay, f"operator remove {OPERATOR} --yes")
    assert world.calls() == [("setOperator", OPERATOR, 0, 0)]


def test_operators__listed__say_who_may_act(assay: Assay, world: World) -> None:
    assert "has no operator" in provider(assay, "operator list").err
    world.operators = [
        {"operator": OPERATOR, "scopes": "offer,start", "until": 1_900_000_000, "valid": True},
        {"operator": TOKEN, "scopes": "none", "until": 0, "valid": False},
    ]
    shown = provider(assay, "operator list").out
    assert "2030-03-17" in shown and "revoked" in shown
    assert printed(provider(assay, "operator list -o json"))["operators"] == world.operators


def test_payout__shown_set_and_reset__is_the_providers_word(assay: Assay, world: World) -> None:
    assert printed(provider(assay, "payout -o json"))["payout"] == PROVIDER
    provider(assay, f"payout {TOKEN} --yes")
    provider(assay, "payout --reset --yes")
    assert world.calls() == [("setPayout", TOKEN), ("setPayout", "0x" + "00" * 20)]
    assert "not both" in provider(assay, f"payout {TOKEN} --reset --yes", 2).err


def test_credit__filled_limited_and_drained__in_whole_tokens_of_the_priced_one(assay: Assay, world: World) -> None:
    world.chain.both(credit=(7_000_000, 0, 0))
    provider(assay, "credit fill 5 --yes")
    provider(assay, "credit limit 2.5 --yes")
    provider(assay, "credit limit 0 --yes")
    provider(assay, "credit drain all --yes")
    assert world.sender.approved == [5_000_000]
    assert world.calls() == [
        ("fillBondCredit", TOKEN, 5_000_000),
        ("setBondLimit", TOKEN, 2_500_000),
        ("setBondLimit", TOKEN, 0),
        ("drainBondCredit", TOKEN, 7_000_000, PROVIDER),
    ]


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("credit fill 0", 2, "above zero"),
        ("credit fill -1", 2, "No such option"),
        ("credit fill 1.1234567", 2, "at most 6 digits"),
        ("credit limit x", 2, "above zero"),
        ("credit drain 8", 1, "8 USD asked for, the bond credit of"),
        ("credit fill 1 --token 0x12", 2, "--token"),
    ],
)
def test_credit__amount_off_its_form_or_beyond_what_is_there__is_refused(
    assay: Assay, world: World, line: str, status: int, said: str
) -> None:
    world.chain.both(credit=(7_000_000, 0, 0))
    assert said in provider(assay, f"{line} --yes", status).err
    assert world.sender.sent == []


def test_credit__several_tokens_priced__asks_which(assay: Assay, world: World) -> None:
    other = Price("0x" + "55" * 20, 1)
    world.terms.write(replace(world.terms.read(), prices={"0x" + "01" * 32: other, DEVICES[0].name: Price(TOKEN, 1)}))
    assert "2 have a price" in provider(assay, "credit fill 1 --yes", 2).err


def test_notice__of_a_lease_that_has_one__is_given(assay: Assay, world: World) -> None:
    world.runs()
    shown = printed(provider(assay, "notice 7 --yes -o json"))
    assert world.calls() == [("giveNotice", 7)]
    assert (shown["leaseId"], shown["byDaemon"], len(shown["transactions"])) == (7, False, 1)


@pytest.mark.parametrize(("line", "kind"), [("notice 7", "notices"), ("end 7", "ends"), ("release 7", "releases")])
def test_lease_orders__daemon_runs_with_the_key__are_left_to_it(
    assay: Assay, world: World, line: str, kind: str
) -> None:
    world.runs(left_early="release" in line)
    world.journal_in_use = True
    ran = provider(assay, f"{line} --yes -o json")
    assert printed(ran)["byDaemon"] is True and "next block" in ran.err
    assert getattr(world.terms.read(), kind) == (7,)
    assert world.sender.sent == []


def test_others__daemon_runs_with_the_key__say_so(assay: Assay, world: World) -> None:
    world.journal_in_use = True
    assert "another process sends" in provider(assay, "credit limit 1 --yes", 1).err


@pytest.mark.parametrize(
    ("line", "changes", "said"),
    [
        ("notice 7", {"notice": 0}, "without a notice"),
        ("notice 7", {"notice_at": 1_010}, "it can end from 1610"),
        ("notice 7", {"status": LeaseStatus.ENDED}, "is ended: it must be active"),
        ("notice 7", {"provider": TOKEN}, "is with"),
        ("notice 8", {}, "there is no lease 8"),
        ("end 7", {"status": LeaseStatus.PENDING}, "is pending"),
        ("notice 7", {"left_early": True}, "`assay provider release` ends it"),
        ("end 7", {"left_early": True}, "`assay provider release` ends it"),
        ("release 7", {}, "only one that its renter has left early"),
        ("release 7", {"left_early": True, "stop": HEAD.timestamp}, "is over"),
    ],
)
def test_lease_orders__that_the_escrow_would_refuse__are_not_sent(
    assay: Assay, world: World, line: str, changes: dict[str, Any], said: str
) -> None:
    world.runs(**changes)
    assert said in provider(assay, f"{line} --yes", 1).err
    assert world.sender.sent == []


def test_end__before_the_least_duration__says_what_is_forfeited_and_is_not_an_operators(
    assay: Assay, world: World
) -> None:
    world.runs()  # 24 of 600 s are served at the head
    asked = provider(assay, "end 7", 7).err
    assert "0.576 USD of its bond are forfeited" in asked
    world.signer = OPERATOR
    refused = provider(assay, "end 7 --yes", 1).err
    assert "before 1600 would forfeit 576000" in refused and "give notice" in refused
    world.signer = PROVIDER
    assert printed(provider(assay, "end 7 --yes -o json"))["forfeits"] == "576000"


@pytest.mark.parametrize("changes", [{"start": HEAD.timestamp - 600}, {"notice_at": HEAD.timestamp - 600}])
def test_end__least_duration_served_or_notice_run_out__costs_nothing(
    assay: Assay, world: World, changes: dict[str, Any]
) -> None:
    world.runs(**changes)
    world.signer = OPERATOR
    assert printed(provider(assay, "end 7 --yes -o json"))["forfeits"] == "0"
    assert world.calls() == [("end", 7)]


def test_end__down_for_longer_than_allowed__names_what_the_network_gets(assay: Assay, world: World) -> None:
    world.runs(downtime=301, forfeitable=599_000)
    assert printed(provider(assay, "end 7 --yes -o json"))["forfeits"] == "599000"
    world.runs(downtime=300, forfeitable=599_000)  # by a slash: lost whether the lease ends or not
    assert printed(provider(assay, "end 7 --yes -o json"))["forfeits"] == "576000"


def test_retire__leased__says_which_lease_and_until_when(assay: Assay, world: World) -> None:
    held = lease_on(NODE, 7, status=LeaseStatus.ACTIVE, stop=5_000)
    world.chain.latest.leased = {DEVICES[1].device_id: held}
    said = provider(assay, f"retire {DEVICES[1].name} --yes", 1).err
    assert "is leased until 5000 (lease 7): retire it then" in said
    world.chain.latest.leased = {DEVICES[1].device_id: replace(held, left_early=True)}
    assert "`assay provider release` frees it" in provider(assay, f"retire {DEVICES[1].name} --yes", 1).err
    assert world.sender.sent == []


def test_retire__free__once(assay: Assay, world: World) -> None:
    provider(assay, f"retire {DEVICES[1].name[:12]} --yes")
    assert world.calls() == [("retire", DEVICES[1].device_id)]
    world.chain.latest.inactive = {DEVICES[1].device_id}
    assert "retired already" in provider(assay, f"retire {DEVICES[1].name} --yes", 1).err


def test_retire__all__leaves_the_leased_and_says_when_the_stake_is_free(assay: Assay, world: World) -> None:
    world.chain.latest.leased = {DEVICES[1].device_id: lease_on(NODE, 7, status=LeaseStatus.ACTIVE, stop=5_000)}
    ran = provider(assay, "retire --all --yes -o json")
    assert world.calls() == [("retire", one.device_id) for one in (DEVICES[0], DEVICES[2])]
    assert f"stays: device {DEVICES[1].name} is leased until 5000 (lease 7)" in ran.err
    # At 1,024 epoch 10 is at work: two more epochs, and the window.
    assert printed(ran)["stakeFreeFrom"] == 24 + 12 * 100 + 1_000


@pytest.mark.parametrize("line", ["retire --yes", "retire --all 0x010203 --yes"])
def test_retire__neither_devices_nor_all_or_both__asks_which(assay: Assay, world: World, line: str) -> None:
    assert "which devices?" in provider(assay, line, 2).err
