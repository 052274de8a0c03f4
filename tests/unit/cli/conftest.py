"""The command line with a renter that only remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from assay.chain.contracts.devices import Device
from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.rpc.client import ContractCall
from assay.cli.app import app
from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.leaves import DeviceLeaf, RewardLeaf
from assay.protocol.messages import Offer
from assay.protocol.specification import parse_specification
from assay.renter import renter as renter_module
from assay.renter.lease.downtime import Downtime, DowntimeFound
from assay.renter.lease.keeping import Move
from assay.renter.lease.lease_start import HandoverResult
from assay.renter.lease.lease_views import LeaseView
from assay.renter.lease.leaving import leaving
from assay.renter.lease.planned import Plan, Planned
from assay.renter.lease.rented import Rented
from assay.renter.lease.steps import Step, StepName
from assay.renter.market.listing import Evidence, Listing, proven_listing
from assay.renter.market.offers import ANYONE
from assay.renter.market.placement import ANYWHERE
from assay.renter.money.receipts import LeaseReceipt, ReceiptLine
from assay.renter.money.rewards import Rewards
from assay.renter.money.wallet import Done, Minima
from assay.renter.session.provider_session import Contents, FileBeginning, JobState
from assay.wire.files import BundleReader, Entry
from assay.wire.leases import SignedOffer
from assay.wire.limits import SMALL_FILE_BYTES
from assay.wire.lines import Earned, Measured
from assay.wire.pods import PodBody, PodShownBody, PodTemplate, ShareBody

WALLET, PROVIDER, TOKEN = "0x" + "22" * 20, "0x" + "33" * 20, "0x" + "44" * 20
SPEC = parse_specification({"model": "NVIDIA H100 80GB", "memoryMiB": 81_920, "region": "eu-de-fra"})


PLANNED_AT_ONCE = {"plan_rent", "plan_name_refunder", "plan_claim_rewards"}


def planned(*functions: str) -> Plan:
    return Plan(tuple(ContractCall("LeaseEscrow", function, ()) for function in functions))


def offer_of(*numbers: int, rate: int = 10**21, notice: int = 0) -> Offer:
    ids = tuple(bytes([number]) * 32 for number in numbers)
    return Offer(PROVIDER, ZERO_ADDRESS, ids, TOKEN, rate, 60, 86_400, 1 << 39, 1, ANYONE, notice)


def listing(*numbers: int, rate: int = 10**21, notice: int = 0) -> Listing:
    """`rate` of 10²¹ is 1,000 base units a second: 3.6 tokens of 6 decimals an hour."""
    lines = tuple(
        Measured(DeviceLeaf(7, bytes([n]) * 32, 0, 1, 900 + n, 81_000, 9_990, 1, bytes(32)), ()) for n in numbers
    )
    devices = tuple(
        Device(bytes([n]) * 32, PROVIDER, "0x" + "55" * 20, 1, SPEC.spec_hash, endpoint="http://10.0.0.1:8700")
        for n in numbers
    )
    signed = SignedOffer(offer_of(*numbers, rate=rate, notice=notice), bytes(64))
    proven = proven_listing(Evidence(devices, lines, signed), 6, {SPEC.spec_hash: SPEC})
    return replace(proven, round_trip_ms=12.34)


LEASE = Lease(
    lease_id=7, renter=WALLET, provider=PROVIDER, offer_hash=bytes(27), opened_block=5, token=TOKEN,
    status=LeaseStatus.ACTIVE, rate=10**21, start=1_000, stop=1 << 39, min_duration=60, max_duration=86_400, notice=0,
    notice_at=0, devices=1, deposit=3_600_000, bond=60_000, claimed=0, refunded=0, downtime_refund=0, downtime=0,
    forfeited=0, forfeitable=0, bond_returned=False, fee_bps=0, left_early=False,
)  # fmt: skip
NOW, MAX_DOWNTIME = 1 << 38, 7_200


RECEIPT = LeaseReceipt(
    replace(LEASE, start=1_000, stop=4_600, downtime_refund=900_000, downtime=900, claimed=1_000_000, refunded=100_000,
            status=LeaseStatus.ENDED, fee_bps=250),
    5_000, 3_600_000, 800_000, 25_000,
    (
        ReceiptLine("deposit paid in", 4_400_000, 990, 5, "0x" + "a1" * 32),
        ReceiptLine("started", None, 1_000, 6, "0x" + "a2" * 32),
        ReceiptLine("paid to the provider", 975_000, None, 70, "0x" + "a3" * 32),
    ),
)  # fmt: skip


def downtime(epoch: int = 4, uptime: int = 7_500) -> Downtime:
    """A quarter of an hour-long epoch at LEASE's rate, by default."""
    leaf = DeviceLeaf(epoch, bytes([1]) * 32, 0, 1, 0, 0, uptime, 2, bytes(32))
    seconds = 3600 * (10_000 - uptime) // 10_000
    return Downtime(Measured(leaf, ()), seconds, 1_000 * seconds, 172_800)


def rewards(claimed: int = 1_000_000, claimable: int = 3_500_000, newest: int = 5_000_000) -> Rewards:
    """Of an account that can claim by epoch 8, while that of epoch 9 must wait."""
    lines = [Earned(RewardLeaf(WALLET, cumulative), (bytes(32),)) for cumulative in (newest, claimable)]
    return Rewards(WALLET, claimed, (9, lines[0]), (8, lines[1]), 86_400)


@dataclass
class FakeSession:
    """A provider that has files and ends every job as it is told."""

    endpoint: str = "http://10.0.0.1:8700"
    stored: dict[str, bytes] = field(default_factory=lambda: {"out.txt": b"result", "run/a": b"a", "run/b/c": b"c"})
    folders: tuple[dict[str, Any], ...] = ()
    links: tuple[dict[str, Any], ...] = ()
    ends: JobState = field(default_factory=lambda: JobState("j1", "exited", 0, None))
    started: list[tuple[Any, ...]] = field(default_factory=list)
    chosen: list[PodBody] = field(default_factory=list)
    upload_refusal: Exception | None = None
    pod_refusal: Exception | None = None
    a_pod: PodShownBody = field(
        default_factory=lambda: PodShownBody(
            lease_id=7, state="absent", phase="ready", image="docker.io/library/debian:12", ports=[8000],
            ends_at=NOW, share=ShareBody(
                cores=8, memory_bytes=64 << 30, disk_bytes=100 << 30, shm_bytes=32 << 30, processes=4096,
                open_files=65_536, bandwidth_bps=10**9,
            ),
        )
    )  # fmt: skip

    async def create_job(self, *arguments: Any) -> str:
        self.started.append(arguments)
        return "j1"

    async def output(self, job_id: str, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
        yield f"output of {job_id}\n".encode()[offset:]

    async def job(self, job_id: str) -> JobState:
        return self.ends

    async def jobs(self) -> list[JobState]:
        return [JobState("j0", "exited", 3, None), self.ends]

    async def stop_job(self, job_id: str) -> JobState:
        return JobState(job_id, "killed", None, "stopped by the renter")

    async def contents(self) -> Contents:
        files = tuple({"path": path, "size": len(content)} for path, content in self.stored.items())
        return Contents(files, self.folders, self.links)

    async def fetch(self, path: str) -> bytes:
        return self.stored[path]

    async def put(self, path: str, content: bytes, mode: int | None = None) -> None:
        self.stored[path] = content

    async def put_folder(self, path: str, mode: int) -> None:
        self.folders += ({"path": path, "mode": mode},)

    async def put_link(self, path: str, target: str) -> None:
        self.links += ({"path": path, "target": target},)

    async def put_bundle(self, content: bytes) -> None:
        for entry, data in BundleReader(SMALL_FILE_BYTES).feed(content):
            if entry.kind == "file":
                self.stored[entry.path] = data
            elif entry.kind == "folder":
                await self.put_folder(entry.path, entry.mode)
            else:
                await self.put_link(entry.path, entry.target)

    async def arrived(self, path: str, total: int) -> FileBeginning:
        if self.upload_refusal is not None:
            raise self.upload_refusal
        return FileBeginning(0, "", 0, 0)

    async def put_piece(self, path: str, content: bytes, offset: int, total: int, mode: int) -> None:
        self.stored[path] = self.stored.get(path, b"")[:offset] + content

    async def beginning(self, path: str, most: int) -> FileBeginning:
        return FileBeginning(0, "", len(self.stored[path]), 0o644)

    async def pieces_from(self, path: str, offset: int) -> AsyncIterator[bytes]:
        yield self.stored[path][offset:]

    async def bundle(self, under: str, after: str | None) -> AsyncIterator[bytes]:
        for path, content in sorted(self.stored.items()):
            if path.startswith(under) and (after is None or path > after):
                yield Entry("file", path, size=len(content)).line() + content

    async def choose_pod(self, wanted: PodBody) -> PodShownBody:
        self.chosen.append(wanted)
        if self.pod_refusal is not None:
            raise self.pod_refusal
        return self.a_pod

    async def pod(self) -> PodShownBody:
        return self.a_pod

    async def restart_pod(self) -> PodShownBody:
        return self.a_pod.model_copy(update={"restarts": 1})

    async def templates(self) -> dict[str, PodTemplate]:
        theirs = {"name": "theirs", "title": "Theirs", "description": "Of the provider.", "image": "x/y:1"}
        return {"theirs": PodTemplate(**theirs)}

    async def add_ssh_key(self, public_key: str) -> dict[str, Any]:
        return {"port": 2200, "user": "lease-7", "hostKey": "ssh-ed25519 AAAA"}


class FakeRenter:
    """Stands in for Renter; `calls` holds what was asked, `fails` what a method raises instead."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.fails: dict[str, Exception] = {}
        self.found = [listing(1), listing(2)]
        self.a_session = FakeSession()
        self.a_lease = LEASE
        self.an_offer = offer_of(1)
        self.slashed: bytes | None = None
        self.down = DowntimeFound()
        self.ends: Move | None = None
        self.earned = rewards()
        self.a_receipt = RECEIPT
        self.address = WALLET
        self.settings: Any = None
        self.market: str | None = None
        contracts = {"NetworkToken": SimpleNamespace(address=TOKEN)}
        deployment = SimpleNamespace(contracts=contracts, address=lambda name: contracts[name].address)
        self.chain = SimpleNamespace(deployment=deployment)
        self.answers: Mapping[str, Callable[..., Any]] = {
            "search": lambda *a, **k: self.found,
            "choose": lambda wanted, order, count=1, place=ANYWHERE: self.found[:count],
            "device_id": lambda text: bytes([1]) * 32,
            "listing": lambda device_id, gpus=1, token=None: next(one for one in self.found if one.gpus == gpus),
            "quote": lambda device_ids, seconds: replace(self.found[0], rate=9 * 10**20, renter=WALLET),
            "lease": lambda lease_id: self.a_lease,
            "offer": lambda lease_id: self.an_offer,
            "view": lambda lease_id: self._view(self.a_lease),
            "own_leases": lambda wanted=None: [
                self._view(one)
                for one in (self.a_lease, replace(LEASE, lease_id=8, status=LeaseStatus.ENDED))
                if wanted is None or wanted(one)
            ],
            "session": lambda lease_id: self.a_session,
            "testify": lambda checked: None,
            "downtime": lambda lease_id: self.down,
            "refund_downtime": self._refund_downtime,
            "settle": lambda *a: None,
            "refunders": lambda: [PROVIDER],
            "name_refunder": lambda agent, may: Done("nameRefunder", "0xff", 46_000),
            "show": lambda plan: [
                Planned(str(call), "0xdistributor" if "claim" in str(call) else "0xescrow", "0x0badcafe")
                for call in plan.calls
            ],
            "plan_name_refunder": lambda *a: planned("nameRefunder"),
            "plan_downtime": lambda *a: planned(*["refundDowntime" for _ in self.down.claimable]),
            "receipt": lambda lease_id: self.a_receipt,
            "refundable": lambda lease_id: 5,
            "refund": lambda lease_id, receiver=None: (5, Done("refund", "0xef", 40_000)),
            "end": lambda lease_id: Done("end", "0xee", 50_000),
            "top_up": lambda lease_id, amount: [Done("topUp", "0xaa", 60_000)],
            "open": lambda one, deposit, minima: (
                replace(LEASE, status=LeaseStatus.PENDING),
                [Done("open", "0x0", 1)],
            ),
            "rent": self._rent,
            "resume": self._resume,
            "plan_rent": lambda *a: planned("open"),
            "plan_top_up": lambda *a: planned("topUp"),
            "plan_end": lambda *a: planned("end"),
            "plan_refund": lambda *a: planned("refund"),
            "rewards": lambda account=None: self.earned,
            "plan_claim_rewards": lambda found, receiver: Plan((found.claim(receiver or WALLET),)),
            "claim_rewards": lambda found, receiver: Done("claim", "0xcc", 85_000),
            "holdings": lambda tokens: {"coin": (10**18, 18), "USD": (2_500_000, 6)},
        }

    def __getattr__(self, name: str) -> Any:
        def at_once(*arguments: Any, **named: Any) -> Any:
            self.calls.append((name, arguments))
            if name in self.fails:
                raise self.fails[name]
            return self.answers[name](*arguments, **named)

        async def call(*arguments: Any, **named: Any) -> Any:
            return at_once(*arguments, **named)

        return at_once if name in PLANNED_AT_ONCE else call

    def asked(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for called, arguments in self.calls if called == name]

    def _view(self, lease: Lease) -> LeaseView:
        """The lease as `Renter.view` shows it."""
        way = leaving(lease, NOW, MAX_DOWNTIME, self.slashed is not None)
        return LeaseView(lease, self.an_offer, NOW, 1_500_000, way, MAX_DOWNTIME, self.slashed)

    def _refund_downtime(self, lease_id: int, with_held: bool = False) -> tuple[DowntimeFound, list[Done]]:
        found = self.down.with_held() if with_held else self.down
        return found, [Done("refundDowntime", "0xdd", 90_000) for _ in found.claimable]

    def _rent(
        self, one: Listing, deposit: int, minima: Minima, on_step: Callable[[Step], None], *pod_and_tell: Any
    ) -> Rented:
        on_step(Step(StepName.deposit, "lease 7 is open", 1.0))
        offer = offer_of(*(device_id[0] for device_id in one.device_ids))
        proof = HandoverResult(7, (bytes(32),) * one.gpus, 3, 5.0, 2.0, 901)
        return Rented(self.a_lease, offer, proof, (Done("open", "0x01", 300_000),), (Step(StepName.deposit, "", 1.0),))

    def _resume(self, lease_id: int, on_step: Callable[[Step], None], *pod_and_tell: Any) -> Rented:
        return self._rent(self.found[0], 0, Minima(), on_step)

    async def keep(self, *arguments: Any) -> Move:
        """Nothing befalls the lease, unless it is told how it `ends`."""
        self.calls.append(("keep", arguments))
        if self.ends is None:
            await asyncio.Event().wait()
        return self.ends or Move.STOP


class FakeToken:
    def __init__(self, chain: Any, address: str) -> None:
        self.address = address

    async def decimals(self) -> int:
        return 6

    async def symbol(self) -> str:
        return "USD"


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def renter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeRenter:
    fake = FakeRenter()

    @asynccontextmanager
    async def connect(settings: Any) -> AsyncIterator[FakeRenter]:
        fake.settings = settings
        yield fake

    monkeypatch.setattr(renter_module.Renter, "connect", connect)
    for module in ("leases", "lease", "keeping"):
        monkeypatch.setattr(f"assay.cli.renter.{module}.Erc20", FakeToken, raising=False)
    monkeypatch.setattr("assay.cli.renter.reward_rows.Erc20", FakeToken)
    monkeypatch.setattr("assay.chain.contracts.erc20.Erc20", FakeToken)
    monkeypatch.setenv("ASSAY_CONTEXTS", str(tmp_path / "contexts.json"))
    return fake


@pytest.fixture
def assay(renter: FakeRenter, tmp_path: Path) -> Callable[..., Ran]:
    """Runs a command as typed, without a terminal."""

    def run(*arguments: str) -> Ran:
        done = CliRunner().invoke(app, list(arguments), prog_name="assay")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    return run
