"""Rates of random 32-byte reads, by where C lies. Derived from data sheets until `make bench-gpu` has measured them.

HBM: an H100's 3.35 TB/s in sectors of 32 bytes, at half of the rate for accesses without locality.
PCIe: generation 5, 16 lanes, 63 GB/s; a read of 32 bytes carries 24 bytes of headers each way.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.proof.probe import layout
from assay.protocol.profile import Profile

HBM_SECTORS_S = 3.35e12 / 32 / 2
PCIE_SECTORS_S = 63e9 / (32 + 24)


@dataclass(frozen=True, slots=True)
class ReadRate:
    """Random reads of sectors: sectors and bytes a second."""

    where: str
    sectors_s: float
    source: str

    @property
    def bytes_s(self) -> float:
        return 32 * self.sectors_s


RATES = (
    ReadRate("GPU memory (H100, HBM3)", HBM_SECTORS_S, "derived, not measured yet"),
    ReadRate("host memory over PCIe 5.0 x16", PCIE_SECTORS_S, "derived, not measured yet"),
)

# A card of 1 TB/s at half its rate: what the classes' deadline is reckoned from until cards have been measured.
CLASS_SECTORS_S = 1e12 / 32 / 2
ALLOWANCE_US = 1_000_000  # for round trips, the wait for a quorum's nonces and their grace


def deadline_us(profile: Profile) -> int:
    """Microseconds from a validator's first byte to the lane commitment: twice the class's time, and the allowance."""
    reads = layout.lanes(profile) * layout.STEPS
    return ALLOWANCE_US + int(2 * reads / CLASS_SECTORS_S * 1e6)
