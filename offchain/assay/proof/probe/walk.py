"""The walk of one lane, in Python: what every engine's kernel must reproduce."""

from __future__ import annotations

from collections.abc import Callable

from assay.proof.probe.layout import STEPS

_MASK = (1 << 64) - 1
ABSORB = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB


def step(state: int, sector: tuple[int, int, int, int], count: int) -> tuple[int, int]:
    """One step: the state after a sector (u0..u3), and the position of the next of `count` sectors."""
    for u in sector:
        state = (state ^ u) * ABSORB & _MASK
        state ^= state >> 32
    state ^= state >> 29
    state = state * MIX_1 & _MASK
    state ^= state >> 32
    state = state * MIX_2 & _MASK
    state ^= state >> 29
    return state, state * count >> 64


def walk(state: int, position: int, count: int, read: Callable[[int], tuple[int, int, int, int]]) -> int:
    """The final state of a lane; `read` gives the four u64 of a sector."""
    for _ in range(STEPS):
        state, position = step(state, read(position), count)
    return state
