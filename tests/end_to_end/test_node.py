"""A node of two devices, rented, used, given notice and lost: one lease, on the demo's network."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.end_to_end.conftest import START_SECONDS, Demo, Ran, Shell, until
from tests.end_to_end.providers import Provider

MEASURED_SECONDS, KEPT_SECONDS = 180.0, 200.0
MINIMUM, NOTICE = 1_800, 600  # seconds


@dataclass(frozen=True)
class Node:
    """A provider, its node as a search shows it, and how it was rented."""

    provider: Provider
    listing: dict[str, Any]
    rented: Ran

    @property
    def lease(self) -> str:
        return str(self.rented.json["leaseId"])


@pytest.fixture(scope="module")
def provider(demo: Demo, shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Two devices that are leased together or not at all, for half an hour at least, and reclaimed by notice."""
    until("the network", lambda: demo.check() or " daemons" in (demo.folder / "printed").read_text(), START_SECONDS)
    provider = Provider(demo, tmp_path_factory.mktemp("node"))
    devices = [provider.enrol(name) for name in ("first", "second")]
    provider("node", "set", "pair", "2.5", *devices, "--min-duration", str(MINIMUM), "--notice", str(NOTICE))
    provider.start("--runtime", "local")
    yield provider
    provider.stop()


def rent(demo: Demo, shell: Shell, provider: Provider) -> Node:
    listing = provider.offered(demo, shell, MEASURED_SECONDS, "--gpus", "2")
    line = ("rent", listing["shortId"], "--gpus", "2", "--duration", "40m", "--yes")
    return Node(provider, listing, shell(*line, "-o", "json", timeout=KEPT_SECONDS))


@pytest.fixture(scope="module")
def node(demo: Demo, shell: Shell, provider: Provider) -> Node:
    return rent(demo, shell, provider)


def shown(shell: Shell, lease: str) -> Any:
    return shell("lease", "show", lease, "-o", "json").json


def test_rent__node__is_one_lease_of_both_devices_proven_at_once(node: Node, shell: Shell) -> None:
    assert node.rented.status == 0, node.rented.err
    assert "all 2 devices proved themselves" in node.rented.err
    assert node.rented.json["deviceIds"] == node.listing["deviceIds"] and len(node.listing["deviceIds"]) == 2
    lease = shown(shell, node.lease)
    assert (lease["state"], lease["gpus"], lease["notice"]) == ("active", 2, NOTICE)
    assert lease["deviceIds"] == node.listing["deviceIds"] and lease["offerHash"] == node.listing["offerHash"]
    # Taken together: neither is on offer any more.
    assert shell("search", "--provider", node.provider.address, "-o", "json").json["devices"] == []
    ran = shell("run", node.lease, "--", "python3", "-c", "print(6 * 7)")
    assert (ran.status, ran.out) == (0, "42\n"), ran.err


def test_end__bound_to_the_minimum__says_what_it_costs_until_notice_makes_it_free(node: Node, shell: Shell) -> None:
    asked = shell("end", node.lease)
    assert asked.status == 7 and "more is paid" in asked.err
    node.provider("notice", node.lease, "--yes")

    def noticed() -> Any:
        lease = shown(shell, node.lease)
        return lease if lease["noticeAt"] else None

    lease = until("the notice", noticed, 60)
    assert (lease["state"], lease["leavingFree"]) == ("notice given", "the provider has given notice")
    assert lease["providerFreeFrom"] == lease["noticeAt"] + NOTICE
    asked = shell("end", node.lease)
    assert asked.status == 7 and "costs nothing more" in asked.err


def test_keep__node_falls_silent_after_notice__leaves_for_nothing_and_collects_its_downtime(
    node: Node, shell: Shell
) -> None:
    # On a slow machine reports attest more downtime than the escrow allows before the patience is over.
    reasons = ("devices ", "its devices were down for longer")
    node.provider.signal(signal.SIGSTOP)
    try:
        kept = shell("keep", node.lease, "--patience", "20s", "--every", "1", timeout=KEPT_SECONDS)
    finally:
        node.provider.signal(signal.SIGCONT)
    assert kept.status == 6, kept.err
    assert "may end it from" in kept.err, kept.err
    assert any(f"ending lease {node.lease}: {why}" in kept.err for why in reasons), kept.err
    lease = shown(shell, node.lease)
    units = {name: int(value) for name, value in lease["baseUnits"].items()}
    assert (lease["status"], lease["leftEarly"], units["forfeited"]) == ("ended", False, 0)
    # Not a second of the minimum beyond the end is paid, and what reports attest of the silence comes back.
    assert units["deposit"] - units["streamed"] + units["downtimeRefund"] == units["refunded"]
    assert lease["downtime"] > 0 and "of downtime, credited" in kept.err


@pytest.mark.deep
def test_keep__dark_right_after_the_start__loses_no_more_than_the_escrow_allows(
    demo: Demo, shell: Shell, provider: Provider
) -> None:
    again = rent(demo, shell, provider)
    provider.signal(signal.SIGSTOP)
    try:
        kept = shell("keep", again.lease, "--patience", "10s", "--every", "2", timeout=2 * KEPT_SECONDS)
    finally:
        provider.signal(signal.SIGCONT)
    assert kept.status == 6, kept.err
    assert "leaving now would cost" in kept.err and "down for longer than the escrow allows" in kept.err
    lease = shown(shell, again.lease)
    units = {name: int(value) for name, value in lease["baseUnits"].items()}
    lost = units["deposit"] - units["refunded"]
    epoch = json.loads((demo.folder / "parameters.yml").read_text())["epochs"]["epochLength"]
    assert lease["downtime"] > lease["maxDowntime"]
    # Of a minimum of half an hour: what no report can attest, the time before the silence and an epoch at the most.
    assert lost * 10**18 <= int(lease["rate"]) * (lease["maxDowntime"] + 2 * epoch)
    assert units["forfeitable"] > 0 == units["forfeited"]
    assert time.time() < lease["start"] + MINIMUM
