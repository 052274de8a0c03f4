"""What the daemon needs from the world, as narrow interfaces: chain, clock, devices, peers, signer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from assay.chain.rpc.blocks import Block
from assay.network.client import HttpAnswer
from assay.network.origins import Endpoint
from assay.protocol.epochs import Emission, EpochState, Timing
from assay.protocol.messages import Challenge, EpochReport, Gossip, Observations, ProbeNonce, Seal
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId, Root
from assay.validator.rules.values import EpochDevice, LeasePeriod, Seat


@dataclass(frozen=True, slots=True)
class ReportedEpoch:
    """An accepted report, and the block that took it."""

    epoch: int
    rewards_root: Root
    block: Block


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that was mined."""

    hash: str
    gas_used: int


class Clock(Protocol):
    """Time: `now` in Unix seconds, `elapsed_us` on a clock that never steps back."""

    def now(self) -> float: ...

    def elapsed_us(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


class ChainReader(Protocol):
    """State at a given block. Raises ChainError where no endpoint gives it."""

    domain: Domain
    timing: Timing
    claim_delay: int  # seconds after a report until its rewards can be claimed; 0 where none are paid

    @property
    def unread(self) -> int:
        """Logs that could not be read and were left out, since the start."""

    async def head(self) -> Block: ...

    async def final(self) -> Block: ...

    async def epoch(self, epoch: int, at: Block) -> EpochState: ...

    async def seats(self, set_id: int, at: Block) -> tuple[Seat, ...]: ...

    async def current_seats(self, at: Block) -> tuple[Seat, ...]: ...

    async def seat_endpoints(self, at: Block) -> Mapping[str, Endpoint]: ...

    async def devices(self, at: Block) -> tuple[EpochDevice, ...]: ...

    async def slashed(self, at: Block) -> frozenset[DeviceId]: ...

    async def lease_periods(
        self, since: int, final: Block, head: Block
    ) -> Mapping[DeviceId, Sequence[LeasePeriod]]: ...

    async def profiles(self, at: Block) -> Mapping[int, Profile]: ...

    async def emission(self, epoch: int, at: Block) -> Emission: ...

    async def opened_block(self, epoch: int, until: Block) -> Block | None: ...

    async def drawn_block(self, epoch: int, until: Block) -> Block | None: ...

    async def accepted_round(self, epoch: int, is_report: bool, until: Block) -> int | None: ...

    async def has_checked_in(self, account: str, epoch: int, at: Block) -> bool: ...

    async def reported_block(self, epoch: int, until: Block) -> Block | None: ...

    async def reports(self, before_epoch: int, at: Block) -> Sequence[ReportedEpoch]: ...


class ChainWriter(Protocol):
    """The transactions of an epoch. None where a simulation says that it is not (or no longer) wanted."""

    async def open_epoch(self, epoch: int) -> Transaction | None: ...

    async def seal(self, seal: Seal, signers: int, signatures: bytes) -> Transaction | None: ...

    async def draw(self, epoch: int) -> Transaction | None: ...

    async def report(self, report: EpochReport, signers: int, signatures: bytes) -> Transaction | None: ...

    async def add_signature(
        self, epoch: int, is_report: bool, round_: int, seat: int, signature: bytes
    ) -> Transaction | None: ...

    async def void(self, epoch: int) -> Transaction | None: ...

    async def check_in(self, epoch: int) -> Transaction | None: ...


class Statements(Protocol):
    """Signs in the seat's name. What a contract would slash twice is stored before the signature leaves.

    The first three raise DoubleSign where another statement for the same epoch,
    set, round and seed was signed.
    """

    address: str

    async def sign_seal(self, seal: Seal) -> bytes: ...

    async def sign_observations(self, observations: Observations) -> bytes: ...

    async def sign_report(self, report: EpochReport) -> bytes: ...

    async def sign_challenge(self, challenge: Challenge) -> bytes: ...

    async def sign_probe_nonce(self, nonce: ProbeNonce) -> bytes: ...

    async def sign_gossip(self, gossip: Gossip) -> bytes: ...

    def sits_out(self, epoch: int) -> str: ...


class Peers(Protocol):
    """The other seats' daemons."""

    async def post(
        self, account: str, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> HttpAnswer: ...

    async def get(self, account: str, path: str, max_bytes: int, timeout_s: float) -> HttpAnswer: ...

    def accounts(self) -> Sequence[str]: ...


class Devices(Protocol):
    """Providers' daemons. Each raises DeviceFailure for an answer that is missing, late or malformed.

    What is timed calls `sent` when the request leaves: waiting for a connection is no time of the device's.
    """

    async def challenge(
        self, device: EpochDevice, body: bytes, timeout_s: float, sent: Callable[[], None]
    ) -> bytes: ...

    async def probe(self, device: EpochDevice, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes: ...

    async def opening(self, device: EpochDevice, body: bytes, max_bytes: int, timeout_s: float) -> bytes: ...

    async def lanes(self, device: EpochDevice, body: bytes, max_bytes: int, timeout_s: float) -> bytes: ...

    async def alive(self, device: EpochDevice, nonce: bytes, timeout_s: float) -> bool: ...
