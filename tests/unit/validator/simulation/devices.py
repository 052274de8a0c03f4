"""Devices that answer as the protocol says, or as their fault has it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from assay.proof.probe.calibration import deadline_us
from assay.proof.verification import VALID, OpeningFault, Verdict
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import Challenge, Commitment, LaneCommitment, ProbeNonce
from assay.protocol.quorum import quorum
from assay.protocol.seeds import device_seed, nonce_root
from assay.protocol.signing import Domain, address_of
from assay.validator.errors import DeviceFailure
from assay.validator.rules.values import EpochDevice

from .chain import DOMAIN, PROFILE
from .virtual_time import START

PROVIDER = "0x" + "22" * 20
WORK_S = 0.5
PROBE_S = 0.05
GRACE_S = 0.3


@dataclass
class SimDevice:
    """`fault`: silent, slow, wrong, wrong-secret, no-opening, two-faced (another commitment for each half); of the
    memory probe no-probe, slow-memory, no-lanes, forged-lanes, two-laned (other lanes for each half), shares-a-card
    (with all others of that fault, one at work at a time, with room for the window of the last product alone).
    """

    number: int
    fault: str = ""
    leased: bool = False
    used: dict = field(default_factory=dict)
    provider: str = PROVIDER
    dark: tuple[float, float] = (0.0, 0.0)  # from when to when it answers nobody who asks whether it is there

    @property
    def key(self) -> bytes:
        return keccak(b"device" + self.number.to_bytes(4, "big"))

    @property
    def device(self) -> EpochDevice:
        address = address_of(self.key)
        identity = device_id_of(self.provider, address)
        return EpochDevice(identity, self.provider, address, PROFILE.id, "http://sim", self.leased)


class SharedCard:
    """A card twice as fast as it need be for the names that share it."""

    def __init__(self) -> None:
        self._at_work = asyncio.Lock()
        self._done: dict = {}
        self._held = 0  # the device whose window it has

    async def work(self, number: int, key: tuple) -> None:
        """Returns when the device's product is there, and its window with it."""
        await self._once(("work", *key), number, PROFILE.deadline_ms / 2_500)

    async def walk(self, number: int, key: tuple) -> None:
        """Returns when the device's window has been walked, made again where another has taken its room."""
        await self._once(("walk", *key), number, PROBE_S if self._held == number else PROFILE.deadline_ms / 2_500)

    async def _once(self, key: tuple, number: int, seconds: float) -> None:
        async with self._at_work:
            if key not in self._done:
                await asyncio.sleep(seconds)
                self._done[key], self._held = True, number


class SimDevices:
    """The devices' port, shared by all validators; `deaf` names accounts that no device answers."""

    def __init__(self, devices: list[SimDevice], seats: int, domain: Domain = DOMAIN) -> None:
        self._devices = {d.device.device_id: d for d in devices}
        self._seats, self.domain = seats, domain
        self._collected: dict = {}
        self.deaf: set[str] = set()
        self.trickles_to: set[tuple[int, str]] = set()  # (device, account) whose commitment never comes whole
        self.holds_back: dict[str, float] = {}  # account -> seconds by which its nonces for a probe come late
        self.challenges: list[tuple[float, int, str]] = []  # (time of the request, device, seat)
        self.probes: list[tuple[float, int, str]] = []  # the same
        self._card = SharedCard()
        self.downloads: Counter[tuple[int, str]] = Counter()  # (device, kind of rows)

    async def challenge(self, device: EpochDevice, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes:
        sim, value = self._devices[device.device_id], json.loads(body)
        signature = value.pop("signature")
        challenge = Challenge.from_json(value)
        self.challenges.append((asyncio.get_running_loop().time(), sim.number, challenge.validator))
        if sim.fault == "silent" or challenge.validator in self.deaf:
            await asyncio.sleep(timeout_s)
            raise DeviceFailure("silent")
        key = (challenge.epoch, challenge.epoch_seed, device.device_id)
        collected = self._collected.setdefault(key, {})
        collected[challenge.validator] = (challenge.nonce, signature)
        if (sim.number, challenge.validator) in self.trickles_to:
            await asyncio.sleep(timeout_s)
            raise DeviceFailure("not whole in time")
        try:
            async with asyncio.timeout(timeout_s):
                while len(collected) < quorum(self._seats):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                await asyncio.sleep(GRACE_S)
                if sim.fault == "shares-a-card":
                    await self._card.work(sim.number, key)
                else:
                    await asyncio.sleep(PROFILE.deadline_ms / 1000 if sim.fault == "slow" else WORK_S)
        except TimeoutError:
            raise DeviceFailure("no quorum of nonces") from None
        return self._commitment(sim, challenge, dict(collected))

    def _commitment(self, sim: SimDevice, challenge: Challenge, collected: dict) -> bytes:
        key = (challenge.epoch, challenge.epoch_seed)
        used = sim.used.setdefault(key, sorted(collected.items(), key=lambda item: int(item[0], 16)))
        root = nonce_root([(account, nonce) for account, (nonce, _) in used])
        face = int(challenge.validator, 16) % 2 if sim.fault == "two-faced" else 0
        result = keccak(bytes([face]) + root)
        message = Commitment(challenge.epoch, PROFILE.job_hash(challenge.epoch_seed), challenge.device_id, root, result)
        challenges = [
            {
                **Challenge(challenge.epoch, challenge.epoch_seed, challenge.device_id, account, nonce).to_json(),
                "signature": signature,
            }
            for account, (nonce, signature) in used
        ]
        signature = to_hex(message.sign(self.domain, sim.key))
        return json.dumps({**message.to_json(), "challenges": challenges, "signature": signature}).encode()

    async def probe(self, device: EpochDevice, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes:
        sim, value = self._devices[device.device_id], json.loads(body)
        signature = value.pop("signature")
        nonce = ProbeNonce.from_json(value)
        await asyncio.sleep(self.holds_back.get(nonce.validator, 0.0))
        self.probes.append((asyncio.get_running_loop().time(), sim.number, nonce.validator))
        if sim.fault == "no-probe" or nonce.validator in self.deaf:
            await asyncio.sleep(timeout_s)
            raise DeviceFailure("no probe")
        key = (nonce.epoch, nonce.epoch_seed, nonce.result_root, device.device_id)
        collected = self._collected.setdefault(key, {})
        collected[nonce.validator] = (nonce.nonce, signature)
        try:
            async with asyncio.timeout(timeout_s):
                while len(collected) < quorum(self._seats):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                await asyncio.sleep(GRACE_S)
                if sim.fault == "shares-a-card":
                    await self._card.walk(sim.number, key)
                else:
                    await asyncio.sleep(deadline_us(PROFILE) / 1e6 if sim.fault == "slow-memory" else PROBE_S)
        except TimeoutError:
            raise DeviceFailure("no quorum of nonces") from None
        return self._lanes(sim, nonce, dict(collected))

    def _lanes(self, sim: SimDevice, nonce: ProbeNonce, collected: dict) -> bytes:
        key = (nonce.epoch, nonce.epoch_seed, nonce.result_root)
        used = sim.used.setdefault(key, sorted(collected.items(), key=lambda item: int(item[0], 16)))
        challenge = nonce_root([(account, one) for account, (one, _) in used])
        first_half = [account for account, _ in used][: self._seats // 2]
        face = sim.fault == "two-laned" and nonce.validator in first_half
        lane_root = keccak(b"lanes" + bytes([face]) + challenge)
        root = nonce.result_root
        message = LaneCommitment(nonce.epoch, nonce.epoch_seed, nonce.device_id, root, challenge, lane_root)
        nonces = [{"validator": a, "nonce": to_hex(one), "signature": signature} for a, (one, signature) in used]
        signature = to_hex(message.sign(self.domain, sim.key))
        return json.dumps({**message.to_json(), "nonces": nonces, "signature": signature}).encode()

    async def lanes(self, device: EpochDevice, body: bytes, max_bytes: int, timeout_s: float) -> bytes:
        sim = self._devices[device.device_id]
        if sim.fault == "no-lanes":
            await asyncio.sleep(timeout_s)
            raise DeviceFailure("no answer")
        await asyncio.sleep(0.1)
        return b"wrong" if sim.fault == "forged-lanes" else b"right"

    async def opening(self, device: EpochDevice, body: bytes, max_bytes: int, timeout_s: float) -> bytes:
        sim, content = self._devices[device.device_id], json.loads(body)["content"]
        if sim.fault == "no-opening":
            await asyncio.sleep(timeout_s)
            raise DeviceFailure("no answer")
        self.downloads[sim.number, "secret" if content["rho"] is None else "sampled"] += 1
        await asyncio.sleep(0.2)
        assert parse_bytes32(content["deviceId"]) == device.device_id
        wrong = sim.fault == "wrong" or (sim.fault == "wrong-secret" and content["rho"] is None)
        return b"wrong" if wrong else b"right " + json.dumps(content, sort_keys=True).encode()

    async def alive(self, device: EpochDevice, nonce: bytes, timeout_s: float) -> bool:
        sim = self._devices[device.device_id]
        # In Unix seconds, as leases are reckoned: on the loop's finer clock a moment may lie on the other side.
        now, (begins, ends) = START + asyncio.get_running_loop().time(), (START + moment for moment in sim.dark)
        if sim.fault == "silent" or begins <= now < ends:
            await asyncio.sleep(timeout_s)
            raise DeviceFailure("dark")
        return True


class Checker:
    """Takes openings at their word."""

    async def prepare(self, profile, epoch_seed, rho) -> None:
        return None

    async def verify(self, profile, epoch_seed, rho, seed, result_root, opening, indices) -> Verdict:
        assert len(seed) == len(device_seed(epoch_seed, bytes(32), profile.id, bytes(32)))
        return VALID if opening.startswith(b"right") else Verdict(False, "wrong", OpeningFault.PRODUCT, (0, 0))

    async def verify_lanes(self, profile, rho, device_id, opening, challenge, lane_root, lanes) -> Verdict:
        return VALID if lanes == b"right" else Verdict(False, "wrong lanes", OpeningFault.PATH)

    def close(self) -> None:
        return None
