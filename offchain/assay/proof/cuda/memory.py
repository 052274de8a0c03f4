"""What proving takes of a card's memory: known without a card, and without what compiles for one."""

from __future__ import annotations

from assay.protocol.profile import Profile

WORKSPACE = 64 << 20  # bytes that NVIDIA's library multiplies in


def vector_memory(profile: Profile, rows: int) -> int:
    """Bytes of so many generated vectors with their keys."""
    return rows * (profile.K + 128)


def run_memory(profile: Profile) -> int:
    """Bytes that proofs take on the card beside B: two A, two products, leaves, the roots of all rows of one proof."""
    p = profile
    roots = 32 * p.T * (p.M + 2) + 32 * p.M * p.N // p.chunk + 64 * p.M
    return 2 * vector_memory(p, p.M) + 8 * p.M * p.N + roots + (1 << 24)


def needed_memory(profile: Profile, name: str) -> int:
    """Bytes that proving takes on the card at least, with the engine of that name; the probe's window comes on top."""
    p = profile
    library = {"cublas": WORKSPACE, "bf16": WORKSPACE + 2 * (p.M + p.N) * p.K + 4 * p.M * p.N}
    return vector_memory(p, p.N) + run_memory(p) + library.get(name, 0)
