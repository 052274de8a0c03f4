"""From a pending lease to a running one: all devices at one instant, and no signature for another offer."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device
from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.proof.engines import engine
from assay.proof.sampling import samples
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leases import result_roots
from assay.protocol.messages import Handover, LeaseStart
from assay.protocol.profile import Profile
from assay.protocol.seeds import handover_rho, handover_seed
from assay.protocol.signing import Domain, address_of, sign_compact
from assay.renter.errors import BadInput, ProofRejected, ProviderRefused, Unreachable
from assay.renter.lease import lease_offers, lease_start
from assay.renter.lease.lease_files import LeaseFile, LeaseFiles
from assay.renter.lease.lease_offers import OpenedOffers
from assay.renter.lease.lease_start import LeaseStarter
from assay.renter.lease.steps import Steps
from tests.unit.renter.leased import OFFER, PROVIDER, leased, of_offer

ESCROW = Domain(31337, "0x" + "22" * 20)
SEED = keccak(b"epoch seed")
PROFILE = Profile(9, M=8, N=32, K=64, T=2, chunk=32, k=4, W=1, deadline_ms=2_000, credit=1, max_gops=10, stake=1)
KEYS = sorted((keccak(bytes([n])) for n in range(3)), key=lambda key: device_id_of(PROVIDER, address_of(key)))
DEVICES = [
    Device(device_id_of(PROVIDER, address_of(key)), PROVIDER, address_of(key), 9, bytes(32), endpoint="http://p")
    for key in KEYS
]
NODE = replace(OFFER, device_ids=tuple(device.device_id for device in DEVICES))
PENDING = of_offer(NODE, status=LeaseStatus.PENDING, start=0, stop=0)


HOPS = 50  # turns of the loop after which everybody waits for time


class Clock:
    """Time that passes only when everybody waits for it, and then to the first who does."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        self._count += 1
        due: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (until, self._count, due))
        while not due.done():
            for _ in range(HOPS):
                await asyncio.sleep(0)
            if not due.done() and self._waiting[0][2] is due:
                self.now = max(self.now, until)
                heapq.heappop(self._waiting)
                due.set_result(None)


class Node:
    """A provider of three devices that answer after `takes` seconds each, all at once; `serial` makes one card work for
    all of them in turn."""

    endpoint = "http://p"

    def __init__(self, clock: Clock, takes: Sequence[float] = (1.0, 1.0, 1.0), serial: bool = False) -> None:
        self.clock, self.takes, self.serial = clock, list(takes), serial
        self.log: list[tuple[str, Any]] = []
        self.unknown_for = 0
        self.fails: dict[int, list[Exception]] = {}
        self.lies_about: int | None = None
        self._began: float | None = None
        self._done = 0
        self._proofs: dict[bytes, Any] = {}

    async def ready(self) -> bool:
        self.log.append(("ready", self.unknown_for == 0))
        self.unknown_for -= 1
        return self.unknown_for < 0

    async def handover(self, device_id: bytes, nonce: bytes, timeout_s: float) -> dict[str, Any]:
        which = NODE.device_ids.index(device_id)
        self.log.append(("handover", which))
        if self.fails.get(which):
            raise self.fails[which].pop(0)
        if self._began is None:
            self._began = self.clock.now
        self._done += 1
        ready = self._began + (self._done if self.serial else 1) * self.takes[which]
        if ready > self.clock.now + timeout_s:
            await self.clock.sleep(timeout_s)
            raise Unreachable("no answer within its time")
        await self.clock.sleep(max(0.0, ready - self.clock.now))
        work = engine("reference")
        work.prepare(PROFILE, SEED)
        proof = work.prove(handover_seed(SEED, device_id, PROFILE.id, nonce, PENDING.lease_id))
        self._proofs[device_id] = work, proof
        message = Handover(PENDING.lease_id, PROFILE.job_hash(SEED), device_id, nonce, proof.result_root)
        signature = sign_compact(message.digest(ESCROW), KEYS[which])
        return {**message.to_json(), "epoch": 6, "epochSeed": to_hex(SEED), "signature": to_hex(signature)}

    async def handover_opening(self, device_id: bytes, x: bytes, most: int, timeout_s: float) -> bytes:
        which = NODE.device_ids.index(device_id)
        self.log.append(("opening", which))
        work, proof = self._proofs[device_id]
        opening: bytes = work.open(proof, samples(handover_rho(x, proof.result_root), device_id, PROFILE))
        return opening[:-1] + bytes([opening[-1] ^ 1]) if which == self.lies_about else opening

    async def start(self, roots: bytes, valid_until: int, signature: bytes) -> dict[str, Any]:
        self.log.append(("start", (roots, valid_until, signature)))
        return {"transaction": "0x01"}

    @property
    def steps(self) -> list[str]:
        return [step for step, _ in self.log]


class Renting:
    """A starter whose chain says what it must."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, takes: Sequence[float] = (1.0,) * 3) -> None:
        self.clock = Clock()
        self.node = Node(self.clock, takes)
        self.signed: list[LeaseStart] = []
        self.offers = OpenedOffers(None, LeaseFiles(folder, 1, "0xe"))  # type: ignore[arg-type]
        self.logged = NODE
        self.reads = 0
        self.starter = LeaseStarter(
            SimpleNamespace(call=self._current, finalised=self._final),  # type: ignore[arg-type]
            ESCROW,
            self.offers,
            self._sign,
            self.clock,
            self.clock.sleep,
            self.clock,
        )

        async def profile(*_: Any) -> Profile:
            return PROFILE

        async def state(*_: Any) -> Any:
            return SimpleNamespace(opened_at=1, epoch_seed=SEED)

        async def offer(*_: Any) -> Any:
            self.reads += 1
            return self.logged

        async def active(*_: Any, **__: Any) -> Lease:
            return of_offer(NODE)

        monkeypatch.setattr(lease_start, "read_profile", profile)
        monkeypatch.setattr(lease_start, "read_epoch_state", state)
        monkeypatch.setattr(lease_start, "read_lease", active)
        monkeypatch.setattr(lease_offers, "read_offer", offer)

    async def _current(self, *_: Any, **__: Any) -> int:
        return 7

    async def _final(self) -> Any:
        return object()

    def _sign(self, message: LeaseStart) -> bytes:
        self.signed.append(message)
        return b"\1" * 64

    async def handover(self, lease: Lease = PENDING) -> lease_start.HandoverResult:
        return await self.starter.handover(lease, DEVICES, self.node, Steps())  # type: ignore[arg-type]

    async def start(self, lease: Lease = PENDING) -> None:
        await self.starter.start(lease, self.node, Steps())  # type: ignore[arg-type]


@pytest.fixture
def renting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Renting:
    return Renting(tmp_path, monkeypatch)


async def test_handover__of_a_node__is_asked_of_all_at_once_and_x_is_shown_after_the_last_answer(
    renting: Renting,
) -> None:
    result = await renting.handover()
    assert renting.node.steps == ["ready"] + ["handover"] * 3 + ["opening"] * 3
    assert len(result.roots) == 3 and result.result_roots == keccak(b"".join(result.roots))
    assert (result.proof_ms, result.epoch) == (1_000.0, 6)
    assert await renting.starter.convinced(PENDING)


async def test_handover__lease_not_known_yet__no_nonce_leaves_before_it_is(renting: Renting) -> None:
    """Whoever has the nonce before the clock runs has time to serve eight devices with one card."""
    renting.node.unknown_for = 5
    await renting.handover()
    assert renting.node.steps[:7] == ["ready"] * 6 + ["handover"]
    assert renting.node.log[-1][0] == "opening"


async def test_handover__lease_never_known__gives_up_with_the_nonce_still_secret(renting: Renting) -> None:
    renting.node.unknown_for = 10_000
    with pytest.raises(Unreachable, match="assay end 7"):
        await renting.handover()
    assert set(renting.node.steps) == {"ready"}
    renting.node.unknown_for = 0
    await renting.handover()  # so it can be tried again


async def test_handover__one_card_in_turn__is_refused_naming_the_devices_that_were_late(renting: Renting) -> None:
    renting.node.serial, renting.node.takes = True, [0.9] * 3
    with pytest.raises(ProofRejected) as caught:
        await renting.handover()
    named = [to_hex(device_id) in str(caught.value) for device_id in NODE.device_ids]
    assert named == [False, False, True] and "at most 2.00 s" in str(caught.value)
    assert "opening" not in renting.node.steps and not await renting.starter.convinced(PENDING)


@pytest.mark.parametrize(("takes", "fails"), [((1.0, 2.0, 1.0), False), ((1.0, 2.0001, 1.0), True)])
async def test_handover__at_the_deadline_of_its_class__is_late_only_beyond_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: tuple[float, ...], fails: bool
) -> None:
    renting = Renting(tmp_path, monkeypatch, takes)
    if not fails:
        assert (await renting.handover()).proof_ms == 2_000
        return
    with pytest.raises(ProofRejected, match=to_hex(NODE.device_ids[1])):
        await renting.handover()


async def test_handover__connection_breaks__is_tried_again_on_the_same_clock(renting: Renting) -> None:
    renting.node.fails = {1: [Unreachable("reset"), Unreachable("reset")]}
    renting.node.takes = [0.1] * 3
    result = await renting.handover()
    assert renting.node.log.count(("handover", 1)) == 3
    assert result.proof_ms == pytest.approx(2 * lease_start.POLL_S * 1000)


async def test_handover__connection_stays_broken__is_late_at_the_deadline(renting: Renting) -> None:
    renting.node.fails = {1: [Unreachable("reset")] * 99}
    with pytest.raises(ProofRejected, match=r"no answer, its class takes at most 2\.00 s"):
        await renting.handover()
    assert renting.clock.now == pytest.approx(2.0, abs=0.01)


async def test_handover__provider_refuses__is_told_as_such(renting: Renting) -> None:
    renting.node.fails = {2: [ProviderRefused(503, "its card is busy")]}
    with pytest.raises(ProviderRefused, match="busy"):
        await renting.handover()


async def test_handover__one_wrong_row_of_one_device__is_refused_naming_it(renting: Renting) -> None:
    renting.node.lies_about = 1
    with pytest.raises(ProofRejected, match=to_hex(NODE.device_ids[1])):
        await renting.handover()
    assert not await renting.starter.convinced(PENDING)
    with pytest.raises(ProofRejected, match="no handover proof"):
        await renting.start()
    assert renting.signed == []


async def test_handover__broken_off_with_the_nonce_out__cannot_be_gone_on_with(renting: Renting) -> None:
    renting.node.fails = {0: [ProviderRefused(500, "x")]}
    with pytest.raises(ProviderRefused):
        await renting.handover()
    renting.clock.now += 60
    with pytest.raises(ProofRejected, match=r"nonce for 6\d s.*assay end 7"):
        await renting.handover()


async def test_handover__of_a_lease_that_runs__is_refused(renting: Renting) -> None:
    with pytest.raises(BadInput, match="is active"):
        await renting.handover(of_offer(NODE))


async def test_start__convinced__signs_the_offers_hash_and_all_roots_in_order(renting: Renting) -> None:
    result = await renting.handover()
    await renting.start()
    (message,) = renting.signed
    assert message.offer_hash == NODE.struct_hash()
    assert message.result_roots == result_roots(result.roots)
    assert (message.lease_id, message.valid_until) == (7, int(renting.clock.now) + lease_start.START_VALID_S)
    assert renting.node.log[-1] == ("start", (message.result_roots, message.valid_until, b"\1" * 64))


async def test_start__number_now_another_leases__signs_nothing(renting: Renting) -> None:
    """A reorganisation of two openings gives the cheap lease's number to one at a thousand times the rate."""
    await renting.handover()
    dear = replace(NODE, rate=1_000 * NODE.rate)
    renting.logged = dear
    with pytest.raises(ProofRejected, match="no handover proof"):
        await renting.start(of_offer(dear, status=LeaseStatus.PENDING))
    assert renting.signed == []


async def test_opened__lease_stands_on_another_offer__is_told_and_kept_apart(renting: Renting) -> None:
    renting.offers.opened(PENDING, NODE)
    with pytest.raises(BadInput, match="reorganised"):
        renting.offers.opened(PENDING, replace(NODE, rate=1))
    assert (await renting.offers.of(PENDING)).rate == NODE.rate and renting.reads == 0


async def test_offers__kept_nowhere__come_from_the_log_once(renting: Renting) -> None:
    assert await renting.offers.of(PENDING) == NODE
    assert await renting.offers.of(PENDING) == NODE
    assert renting.reads == 1


async def test_offers__of_a_cancelled_lease__are_what_is_kept_or_none(renting: Renting) -> None:
    gone = leased(status=LeaseStatus.CANCELLED, offer_hash=bytes(27), opened_block=0)
    with pytest.raises(BadInput, match="is cancelled"):
        await renting.offers.of(gone)
    renting.offers.opened(PENDING, NODE)
    assert await renting.offers.of(gone) == NODE


def test_lease_file__written__is_read_back_and_for_its_owner_only(tmp_path: Path) -> None:
    files = LeaseFiles(tmp_path, 1, "0xE")
    kept = LeaseFile(7, NODE, 12.5, (bytes([1]) * 32, bytes([2]) * 32))
    files.write(kept)
    assert files.read(7) == kept and files.read(8) is None
    (path,) = (tmp_path / "leases").rglob("7.json")
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(path.read_text().replace("deviceIds", "devices"))
    with pytest.raises(Exception, match=r"7\.json: cannot be read"):
        files.read(7)
