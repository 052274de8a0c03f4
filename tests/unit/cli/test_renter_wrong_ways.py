"""What cannot be done with a lease is said before anything is signed or sent, with status 2 or 3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assay.chain.leases import LeaseStatus
from assay.cli import renter_access
from assay.renter.errors import NoJob, Unreachable
from assay.renter.provider_session import JobState

from .conftest import PROVIDER, FakeRenter, Ran

Assay = Callable[..., Ran]
SENDING = {"end", "top_up", "refund", "refund_downtime"}


@pytest.mark.parametrize("line", ["end 7 --yes", "top-up 7 1 --yes", "ssh 7 --show", "export sky 7"])
def test_lease__over__is_refused_before_anything_is_sent(assay: Assay, renter: FakeRenter, line: str) -> None:
    renter.a_lease = replace(renter.a_lease, status=LeaseStatus.ENDED)
    ran = assay(*line.split())
    assert (ran.status, ran.out) == (2, "")
    assert "lease 7 is ended" in ran.err
    assert not SENDING & {name for name, _ in renter.calls}


@pytest.mark.parametrize("line", ["end 7 --yes", "top-up 7 1 --yes"])
def test_lease__of_somebody_else__is_refused_before_anything_is_sent(
    assay: Assay, renter: FakeRenter, line: str
) -> None:
    renter.a_lease = replace(renter.a_lease, renter="0x" + "99" * 20)
    ran = assay(*line.split())
    assert ran.status == 2 and "this wallet is" in ran.err
    assert not SENDING & {name for name, _ in renter.calls}


def test_end__by_the_provider__collects_nothing_of_the_renters(assay: Assay, renter: FakeRenter) -> None:
    renter.a_lease, renter.address = replace(renter.a_lease, renter="0x" + "99" * 20), PROVIDER
    assert assay("end", "7", "--yes", "--no-downtime").status == 0
    assert [name for name, _ in renter.calls if name in SENDING] == ["end"]


def test_refund__dry_run_with_nothing_due__says_so(assay: Assay, renter: FakeRenter) -> None:
    renter.answers = {**renter.answers, "refundable": lambda lease_id: 0}
    ran = assay("refund", "7", "--dry-run")
    assert (ran.status, ran.out) == (2, "") and "nothing of lease 7" in ran.err


@pytest.mark.parametrize("target", ["../x", "a/../../x", "/etc/x"])
def test_cp__path_that_leaves_the_workspace__is_not_sent(
    assay: Assay, renter: FakeRenter, tmp_path: Path, target: str
) -> None:
    (tmp_path / "f").write_text("x")
    before = dict(renter.a_session.stored)
    ran = assay("cp", str(tmp_path / "f"), f"7:{target}")
    assert ran.status == 2 and repr(target) in ran.err
    assert renter.a_session.stored == before


def test_leases__none_open__points_to_those_that_are_over(assay: Assay, renter: FakeRenter) -> None:
    renter.answers = {**renter.answers, "own_leases": lambda wanted: []}
    ran = assay("leases")
    assert ran.status == 0 and "assay leases --all" in ran.err


async def test_notebook__its_job_ends__is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renter_access, "LOOK_S", 0)
    states = [JobState("j", "running", None, None), JobState("j", "failed", 127, "no 'jupyter'")]

    class Session:
        async def job(self, job_id: str) -> JobState:
            if len(states) == 1 and not told:
                told.append("silent")
                raise Unreachable("reset")
            return states.pop(0)

    told: list[str] = []
    with pytest.raises(NoJob, match="no 'jupyter'"):
        await renter_access._until_over(Session(), "j")  # type: ignore[arg-type]
    assert told == ["silent"]
