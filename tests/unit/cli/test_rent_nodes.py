"""`assay rent --nodes` and `assay pod join`: pods that reach each other."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from assay.renter import errors
from assay.renter.market.placement import Placement
from assay.renter.session.clusters import Cluster

from .conftest import FakeRenter, Ran

Assay = Callable[..., Ran]


def test_rent__nodes__rents_each_and_tells_their_addresses(
    assay: Assay, renter: FakeRenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def join(leases: object, tell: object) -> Cluster:
        return Cluster(("10.214.0.1", "10.214.0.2"), linked=True)

    monkeypatch.setattr("assay.cli.renter.several.join", join)
    ran = assay("rent", "--nodes", "2", "--yes", "-o", "json")
    assert renter.asked("choose")[0][2:] == (2, Placement.TOGETHER)
    rows = [(one["rank"], one["address"]) for one in json.loads(ran.out)["leases"]]
    assert rows == [(0, "10.214.0.1"), (1, "10.214.0.2")]
    assert assay("pod", "join", "7", "8", "-o", "json").status == 0
    assert assay("rent", "0x01", "--nodes", "2", "--yes").status == 2
    assert assay("rent", "--spread", "2", "--nodes", "2", "--yes").status == 2


def test_rent__nodes_that_do_not_reach_each_other__are_shown_and_say_so(
    assay: Assay, renter: FakeRenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def join(leases: object, tell: object) -> Cluster:
        raise errors.RenterError("the pods do not reach each other: lease 8 to 7: refused")

    monkeypatch.setattr("assay.cli.renter.several.join", join)
    ran = assay("rent", "--nodes", "2", "--yes", "-o", "json")
    assert ran.status != 0 and "refused" in ran.err and "assay pod join" in ran.err
    assert [one["address"] for one in json.loads(ran.out)["leases"]] == [None, None]
    assert renter.asked("end") == []
