"""Rates of random 32-byte reads, by where C lies. Derived from data sheets until `make bench-gpu` has measured them.

HBM: an H100's 3.35 TB/s in sectors of 32 bytes, at half of the rate for accesses without locality.
PCIe: generation 5, 16 lanes, 63 GB/s; a read of 32 bytes carries 24 bytes of headers each way.
"""

from __future__ import annotations

from dataclasses import dataclass

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
