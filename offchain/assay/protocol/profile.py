"""Profiles: the immutable rows that fix the work a device must do."""

from __future__ import annotations

from dataclasses import dataclass

from assay.protocol.encoding import EncodingError, abi_encode, unsigned
from assay.protocol.keccak import keccak
from assay.protocol.types import Seed

MAX_K = 65_536
MIN_CHUNK = 32
_SHAPE_TYPES = ("uint256",) * 8


class ProfileError(ValueError):
    """A profile off the protocol's rules."""


def _power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, slots=True)
class Profile:
    """Sizes are counts of rows, columns and entries; `deadline_ms` milliseconds; `max_gops` giga-operations a
    second; `stake` base units of the network token for each device."""

    id: int
    M: int  # rows a round
    N: int  # columns
    K: int  # inner length
    T: int  # rounds
    chunk: int  # int32 entries in a Merkle leaf
    k: int  # rows sampled
    W: int  # rounds kept for the memory probe
    deadline_ms: int = 0
    credit: int = 0
    max_gops: int = 0
    stake: int = 0

    def validate(self) -> Profile:
        """The profile itself. Raises ProfileError naming the field, its value and the rule."""
        for name in ("id", "M", "N", "K", "T", "chunk", "k", "W", "deadline_ms", "credit", "max_gops"):
            self._fits(name, 32)
        self._fits("stake", 128)
        for name in ("M", "N", "chunk"):
            if not _power_of_two(getattr(self, name)):
                raise ProfileError(f"{name} = {getattr(self, name)}: must be a power of two")
        if self.K % 64 or not 0 < self.K <= MAX_K:
            raise ProfileError(f"K = {self.K}: must be a multiple of 64, from 64 to {MAX_K}")
        if self.chunk < MIN_CHUNK or self.N % self.chunk:
            raise ProfileError(f"chunk = {self.chunk}: must divide N = {self.N} and be at least {MIN_CHUNK}")
        if self.T < 1:
            raise ProfileError(f"T = {self.T}: at least one round")
        if self.k < 1:
            raise ProfileError(f"k = {self.k}: at least one sampled row")
        if self.W > self.T:
            raise ProfileError(f"W = {self.W}: at most T = {self.T}")
        return self

    def _fits(self, name: str, bits: int) -> None:
        try:
            unsigned(getattr(self, name), bits, name)
        except EncodingError as error:
            raise ProfileError(str(error)) from None

    def job_hash(self, epoch_seed: Seed) -> bytes:
        """jobHash = H(β ‖ abi.encode(profile id, M, N, K, T, chunk, k, W)): 32 bytes."""
        shape = (self.id, self.M, self.N, self.K, self.T, self.chunk, self.k, self.W)
        return keccak(epoch_seed + abi_encode(_SHAPE_TYPES, shape))

    @property
    def operations(self) -> int:
        """Multiplications and additions of one proof: 2·M·N·K·T."""
        return 2 * self.M * self.N * self.K * self.T

    def score_gops(self, elapsed_us: int) -> int:
        """floor(2·M·N·K·T / (1000·elapsedUs)), capped at the profile's own rate; for search only."""
        if elapsed_us <= 0:
            raise ValueError(f"elapsed {elapsed_us} us: must be positive")
        return min(self.operations // (1000 * elapsed_us), self.max_gops)


_TOKEN = 10**18

# Rounds of edge and datacenter make ten seconds at 100 and 990 TOPS, rates assumed, not yet measured.
NAMED: dict[str, Profile] = {
    "micro": Profile(
        1, M=256, N=256, K=4_096, T=8, chunk=256, k=64, W=8,
        deadline_ms=8_000, credit=1, max_gops=100_000, stake=1_000 * _TOKEN,
    ),
    "edge": Profile(
        2, M=2_048, N=4_096, K=32_768, T=1_800, chunk=256, k=256, W=1_024,
        deadline_ms=12_000, credit=100, max_gops=700_000, stake=1_000 * _TOKEN,
    ),
    "datacenter": Profile(
        3, M=4_096, N=4_096, K=65_536, T=4_500, chunk=256, k=256, W=2_048,
        deadline_ms=12_000, credit=1_000, max_gops=2_000_000, stake=10_000 * _TOKEN,
    ),
}  # fmt: skip
