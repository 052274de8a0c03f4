"""Backups and moves on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.cli.renter.pods import moving
from assay.renter.errors import ProviderRefused, Unreachable
from assay.wire import paths

from .conftest import NOW, FakeRenter, FakeSession, FakeToken, Ran

Assay = Callable[..., Ran]
AT = "s3:https://s3.example.org/kept/a"
LAST = {"snapshot": "ab" * 32, "at": 1.0, "seconds": 2.0, "files": 3, "bytes": 4 << 20, "added": 1 << 20, "unread": 0}


@dataclass
class KeepingSession(FakeSession):
    """A provider that makes backups at once."""

    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    told: list[tuple[str, str, Any, bool]] = field(default_factory=list)
    silent: bool = False

    async def asked(
        self, method: str, path: str, body: Any = None, timeout_s: float = 30.0, secret: bool = False
    ) -> Mapping[str, Any]:
        self.told.append((method, path, body, secret))
        kind = "restore" if path == paths.RESTORE else "backup"
        made = {"kind": kind, "state": "done", "address": AT, "last": LAST}
        return self.answers.get(path, made)

    async def pod(self) -> Any:
        if self.silent:
            raise Unreachable("no answer")
        return await super().pod()


@pytest.fixture
def session(renter: FakeRenter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> KeepingSession:
    made = renter.a_session = KeepingSession()
    address = {"LeaseEscrow": "0xE5", "NetworkToken": "0x44"}.__getitem__
    renter.chain = SimpleNamespace(chain_id=31337, deployment=SimpleNamespace(address=address, contracts={}))
    monkeypatch.setattr(moving, "Erc20", FakeToken)
    monkeypatch.setenv("ASSAY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK-secret")
    return made


def test_backup__to_a_bucket__sends_key_and_credentials_as_secrets_and_shows_neither(
    assay: Assay, session: KeepingSession, tmp_path: Path
) -> None:
    ran = assay("backup", "7", "--to", AT)
    assert ran.status == 0 and "3 files, 4.0 MiB, 1.0 MiB of it new" in ran.out
    (method, path, body, secret) = session.told[0]
    assert (method, path, secret, body["every"]) == ("PUT", paths.BACKUP, True, None)
    assert body["repository"]["address"] == AT and body["repository"]["secret"] == "SK-secret"
    (kept,) = (tmp_path / "data/backups/keys").iterdir()
    assert str(kept) in ran.err and kept.read_text().strip() == body["repository"]["password"]
    shown = ran.out + ran.err
    assert "SK-secret" not in shown and body["repository"]["password"] not in shown
    written = [path.read_text() for path in (tmp_path / "data/backups").rglob("*.json")]
    assert written and not [text for text in written if "SK-secret" in text]
    # From then on the place is known, and no second key is made.
    again = assay("backup", "7", "--every", "15m", "-o", "json")
    assert json.loads(again.out)["state"] == "done" and session.told[1][2]["every"] == 900
    assert session.told[1][2]["repository"] == body["repository"] and "a key was made" not in again.err


def test_backup__that_failed__ends_with_the_reason(assay: Assay, session: KeepingSession) -> None:
    failed = {"kind": "backup", "state": "failed", "failure": "there is no such bucket\x1b[2J"}
    session.answers[paths.BACKUP] = failed
    ran = assay("backup", "7", "--to", AT)
    assert ran.status == 6 and "no backup was made: there is no such bucket" in ran.err and "\x1b" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "7"), "where to?"),
        (("backup", "7", "--to", "/srv/backups"), "not within the provider's reach"),
        (("backup", "7", "--to", AT, "--every", "10s"), "from 1m to 7d"),
        (("backup", "7", "--list", "--stop"), "one at a time"),
        (("restore", "7"), "from where?"),
        (("restore", "7", "--from", AT, "--snapshot", "../x"), "expected latest"),
        (("move", "7"), "--to DEVICE, or --best"),
        (("move", "7", "--best"), "--budget"),
        (("move", "7", "--best", "--to", "0x1", "--budget", "5"), "not both"),
        (("move", "7", "--best", "--budget", "5"), "has no backups"),
        (("keep", "7", "--move", "--yes"), "--budget"),
        (("keep", "7", "--move", "--budget", "5", "--yes"), "has no backups"),
    ],
)
def test_backups_and_moves__asked_for_wrongly__say_what_is_missing(
    assay: Assay, session: KeepingSession, arguments: tuple[str, ...], said: str
) -> None:
    ran = assay(*arguments)
    assert ran.status == 2 and said in ran.err and session.told == []


def test_backup__without_credentials__names_the_variable_and_sends_nothing(
    assay: Assay, session: KeepingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = assay("backup", "7", "--to", AT)
    assert ran.status == 2 and "set AWS_SECRET_ACCESS_KEY" in ran.err and session.told == []


def test_restore__of_another_lease__asks_for_its_newest(assay: Assay, session: KeepingSession) -> None:
    assert assay("restore", "7", "--from", AT, "--of-lease", "3").status == 0
    assert session.told[0][:2] == ("POST", paths.RESTORE) and session.told[0][2]["lease"] == 3


def test_move__beyond_the_budget_or_refused__rents_nothing(
    assay: Assay, session: KeepingSession, renter: FakeRenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving.time, "time", lambda: NOW)
    renter.a_lease = replace(renter.a_lease, token=renter.found[0].token)
    ran = assay("move", "7", "--best", "--budget", "0.000001", "--backups", AT, "--duration", "1h", "--yes")
    assert ran.status == 3 and "within the budget" in ran.err
    ran = assay("move", "7", "--to", "0x1", "--budget", "0.000001", "--backups", AT, "--duration", "1h", "--yes")
    assert ran.status == 2 and "take a deposit of" in ran.err
    ran = assay("move", "7", "--best", "--budget", "1000000", "--backups", AT, "--duration", "1h")
    assert ran.status == 7 and "What is written there after its last backup has begun is lost" in ran.err
    session.silent = True
    ran = assay("move", "7", "--best", "--budget", "1000000", "--backups", AT, "--duration", "1h", "--yes")
    assert "its last backup is what goes over" in ran.err
    # All that is on offer is of the provider that does not answer.
    assert ran.status == 3 and renter.asked("rent") == []


def test_save__to_no_file__is_told_before_anything_is_fetched(assay: Assay, tmp_path: Path) -> None:
    assert assay("pod", "save", "7", "--into", str(tmp_path)).status == 2
    assert assay("pod", "save", "7", "--into", str(tmp_path / "none/image.tar")).status == 2


def test_backup__refused_by_the_provider__is_told(assay: Assay, session: KeepingSession, renter: FakeRenter) -> None:
    renter.fails["session"] = ProviderRefused(409, "this provider has no restic")
    assert assay("backup", "7", "--to", AT).status == 5
