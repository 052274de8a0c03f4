"""A renter types commands on the demo's network, from a search to the refund, while the demo tells its own story."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from assay.chain.deployment import Deployment
from assay.chain.key_files import Key, load
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseRequest
from assay.renter import Renter, RenterSettings, SyncRenter, Wanted
from tests.end_to_end.conftest import Demo, Shell, process_of_provider, processes_of, until

OFFER_SECONDS = 120.0
JOB = """
import pathlib, sys, time
print("began", flush=True)
rows = [int(line) for line in pathlib.Path("input/numbers").read_text().split()]
time.sleep(1)
pathlib.Path("sum").write_text(str(sum(rows)))
print("ended", flush=True)
sys.exit(3)
"""


@dataclass(frozen=True)
class Leased:
    """A lease that runs, as `rent` printed it, and its provider."""

    number: str
    printed: dict[str, Any]
    told: str
    listing: dict[str, Any]


def north(demo: Demo) -> str:
    return "0x" + str(json.loads((demo.folder / "keys/north.json").read_text())["address"]).removeprefix("0x")


@pytest.fixture(scope="module")
def leased(demo: Demo, shell: Shell) -> Leased:
    def offered() -> list[dict[str, Any]]:
        demo.check()
        # The story waits for an epoch in which no honest device is leased.
        if " measured " not in " ".join((demo.folder / "printed").read_text().split()):
            return []
        ran = shell("search", "--provider", north(demo), "-o", "json")
        return ran.json["devices"] if ran.status == 0 else []

    (listing,) = until("a measured device on offer", offered, OFFER_SECONDS)
    rented = shell("rent", listing["shortId"], "--duration", "10m", "--yes", "-o", "json")
    return Leased(str(rented.json["leaseId"]), rented.json, rented.err, listing)


def test_rent__step_by_step__is_told_proven_and_running(leased: Leased, shell: Shell) -> None:
    steps = (
        "is open, the deposit in escrow",
        "the device proved itself",
        "verified here",
        "submitted the start",
        "runs",
    )
    assert [step in leased.told for step in steps] == [True] * 5, leased.told
    assert leased.printed["status"] == "active" and leased.printed["verifyMs"] > 0
    # One transaction of ours: the token takes permits.
    assert [one["name"] for one in leased.printed["transactions"]] == ["openWithPermit"]
    shown = shell("leases", "-o", "json").json["leases"]
    assert [(str(one["leaseId"]), one["status"]) for one in shown] == [(leased.number, "active")]


def test_search__through_the_market__says_what_the_chain_bears_out(demo: Demo, shell: Shell, leased: Leased) -> None:
    market = next(line.split("--port ")[1].split()[0] for line in processes_of(demo.folder) if " market run " in line)

    def same() -> bool:
        address = f"http://127.0.0.1:{market}"
        claimed = shell("search", "--market", address, "--verify", "-o", "json").json["devices"]
        proven = shell("search", "-o", "json").json["devices"]
        keys = ("deviceId", "scoreGops", "rate", "token", "model", "region", "checked")
        assert all(one["checked"] == "yes" for one in claimed)
        return bool(proven) and [[one[k] for k in keys] for one in claimed] == [
            [one[k] for k in keys] for one in proven
        ]

    # Two looks at a market that moves may see two epochs.
    until("a market that agrees with the chain", same, 60)


def test_run__job_with_files__is_followed_and_ends_with_its_own_status(
    leased: Leased, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input/numbers").write_text("1 2 39")
    (tmp_path / "job.py").write_text(JOB)
    ran = shell(
        "run", leased.number, "--upload", f"{tmp_path}/input", "--upload", f"{tmp_path}/job.py",
        "--download", f"sum:{tmp_path}/sum", "--", "python3", "job.py",
    )  # fmt: skip
    assert (ran.status, ran.out) == (3, "began\nended\n"), ran.err
    assert (tmp_path / "sum").read_text() == "42"
    assert shell("logs", "-f", leased.number).out == "began\nended\n"
    assert shell("cp", f"{leased.number}:sum", f"{tmp_path}/again").status == 0
    assert (tmp_path / "again").read_text() == "42"
    listed = list(shell("jobs", leased.number, "-o", "csv").out.splitlines())
    assert listed[0] == "jobId,status,exitCode,reason" and listed[1].endswith(",exited,3,")


def test_top_up__half_an_hour__moves_the_end_by_as_much(leased: Leased, shell: Shell) -> None:
    planned = shell("top-up", leased.number, "--duration", "30m", "--dry-run", "-o", "json").json["transactions"]
    assert [one["name"] for one in planned] == ["ERC20.approve", "LeaseEscrow.topUp"]
    added = shell("top-up", leased.number, "--duration", "30m", "--yes", "-o", "json").json
    assert 1_800 <= added["secondsAdded"] <= 1_801


def test_library__without_await__sees_the_same(demo: Demo, leased: Leased, shell: Shell) -> None:
    settings = RenterSettings.load({}, environment=shell.environment)
    with SyncRenter.connect(settings) as renter:
        session = renter.session(int(leased.number))
        assert [state.exit_code for state in session.jobs()] == [3]
        assert ("sum", 2) in [(one["path"], one["size"]) for one in session.files()]
        assert all(one.evidence is not None for one in renter.search(Wanted()))


@dataclass(frozen=True)
class Logins:
    """Signs requests of a lease as its renter, or as somebody else does."""

    deployment: Deployment
    lease: int
    renter: Key
    other: Key

    def headers(
        self, action: str, key: Key, *, lease: int | None = None, age: int = 0, body: bytes = b""
    ) -> dict[str, str]:
        issued_at = int(time.time()) - age
        request = LeaseRequest(lease or self.lease, action, keccak(body), issued_at)
        signature = key.sign(request, self.deployment.domain("LeaseEscrow"))
        return {"x-assay-signature": to_hex(signature), "x-assay-issued-at": str(issued_at)}


def wrong_logins(logins: Logins, action: str, body: bytes) -> dict[str, tuple[dict[str, str], int]]:
    """Headers that must not be let in, and the status that each must meet."""
    good = logins.headers(action, logins.renter, body=body)
    return {
        "none": ({}, 401),
        "somebody else's": (logins.headers(action, logins.other, body=body), 403),
        "expired": (logins.headers(action, logins.renter, age=121, body=body), 401),
        "from the future": (logins.headers(action, logins.renter, age=-300, body=body), 401),
        "forged": ({**good, "x-assay-signature": "0x" + "11" * 64}, 403),
        "cut short": ({**good, "x-assay-signature": good["x-assay-signature"][:-2]}, 401),
        "of another time": ({**good, "x-assay-issued-at": str(int(good["x-assay-issued-at"]) + 1)}, 403),
        "of another lease": (logins.headers(action, logins.renter, lease=logins.lease + 1, body=body), 403),
        "of another action": (logins.headers("GET /v1/leases/0/files", logins.renter, body=body), 403),
        "over another body": (logins.headers(action, logins.renter, body=body + b" "), 403),
        "a token that nobody gave": ({"authorization": "Bearer " + "a" * 43}, 401),
    }


async def test_login__wrong_in_any_way__gets_401_or_403_and_nothing_more(
    demo: Demo, leased: Leased, shell: Shell
) -> None:
    password = (demo.folder / "keys/password").read_text().splitlines()[0]
    logins = Logins(
        Deployment.load(demo.folder / "deployment.json"),
        int(leased.number),
        load(demo.folder / "keys/guardian.json", password),
        load(demo.folder / "keys/renter.json", password),
    )
    path = f"/v1/leases/{leased.number}"
    asked = [
        ("GET", "/files", b""),
        ("GET", "/files/sum", b""),
        ("PUT", "/files/planted", b"x"),
        ("GET", "/jobs", b""),
        ("POST", "/jobs", b'{"command": ["touch", "planted"]}'),
        ("GET", "/jobs/j/output?offset=0", b""),
        ("DELETE", "/jobs/j", b""),
        ("POST", "/ssh-keys", b'{"publicKey": "ssh-ed25519 AAAA"}'),
        ("POST", "/start", b'{"resultRoots": "0x", "validUntil": 1, "signature": "0x"}'),
        ("POST", "/handover", b'{"nonce": "0x", "deviceId": "0x"}'),
        ("GET", "", b""),
    ]
    found: list[str] = []
    async with httpx2.AsyncClient(base_url=leased.listing["endpoint"], trust_env=False) as client:
        for method, rest, body in asked:
            action = f"{method} {path}{rest}"
            for name, (headers, expected) in wrong_logins(logins, action, body).items():
                sent = {**headers, "content-type": "application/json"}
                answer = await client.request(method, path + rest, content=body or None, headers=sent)
                # A forged signature is of no key, or of a stranger's: which one is chance.
                accepted = {401, 403} if name in ("forged", "of another time") else {expected}
                if answer.status_code not in accepted or set(answer.json()) != {"error"}:
                    found.append(f"{name} {action}: {answer.status_code} {answer.text[:100]}")
    assert found == []
    files = [one["path"] for one in await _files(shell, int(leased.number))]
    assert "planted" not in files


async def _files(shell: Shell, lease: int) -> list[dict[str, Any]]:
    async with Renter.connect(RenterSettings.load({}, environment=shell.environment)) as renter:
        return await (await renter.session(lease)).files()


def test_run__device_stops_answering__ends_the_lease_and_brings_the_rest_back(
    demo: Demo, leased: Leased, shell: Shell
) -> None:
    provider = process_of_provider(demo, leased.listing["endpoint"])
    running = subprocess.Popen(
        ["assay", "run", leased.number, "--patience", "4s", "--every", "1", "--", "sleep", "300"],
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=shell.folder,
    )
    try:
        assert running.stderr is not None
        assert "runs on lease" in running.stderr.readline()
        os.kill(provider, signal.SIGSTOP)
        _, told = running.communicate(timeout=60)
    finally:
        os.kill(provider, signal.SIGCONT)
        running.kill()
    assert running.returncode == 6, told
    assert "has not answered for" in told and "the lease was ended" in told
    lease = shell("lease", "show", leased.number, "-o", "json").json
    assert (lease["status"], lease["leftEarly"]) == ("ended", False)
    units = {name: int(value) for name, value in lease["baseUnits"].items()}
    # Where a report had attested the silence by then, its seconds were given back too.
    assert units["streamed"] + units["refunded"] == units["deposit"] + units["downtimeRefund"]
    assert units["refunded"] > 0


def test_end__lease_that_is_over__says_so(leased: Leased, shell: Shell) -> None:
    ran = shell("end", leased.number, "--yes")
    assert ran.status == 2 and "is ended already" in ran.err
    # The epoch in which the device fell silent may be reported only now: what it attests is refunded once.
    assert 2 in [shell("refund", leased.number).status for _ in range(2)]
