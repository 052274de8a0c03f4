"""Which class a card belongs in: from its measured rate and its memory to the work of each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from assay.proof.cuda.memory import needed_memory
from assay.proof.probe.layout import claimed_bytes
from assay.protocol.profile import NAMED, Profile
from assay.provider.errors import BadProviderSetting

MARGIN = 0.92  # of the deadline: what a card may take on a day on which it is warmer
TOO_EASY = 0.5  # of the deadline: below, a card earns less than it could
SPARE = 1 << 30  # bytes beside what is counted: CUDA's context, the kernels, what a driver keeps

Verdict = Literal["fits", "too easy", "late", "too little memory"]


@dataclass(frozen=True, slots=True)
class ClassFit:
    """How a card does in one class. Times in seconds, memory in MiB."""

    name: str
    credit: int
    proof_seconds: float
    deadline_seconds: float
    memory_mib: int
    verdict: Verdict

    @property
    def works(self) -> bool:
        """Whether the card would pass."""
        return self.verdict in ("fits", "too easy")


def needed_mib(profile: Profile, engine: str) -> int:
    """Memory that a card needs for a class: the window, and what proving with an engine takes beside it."""
    return (claimed_bytes(profile) + needed_memory(profile, engine) + SPARE) >> 20


def class_fits(tops: float, memory_mib: int, engine: str, classes: Mapping[str, Profile] = NAMED) -> list[ClassFit]:
    """Every class, dearest first, for a card that does `tops` tera-operations a second with an engine."""
    fits = []
    for name, profile in classes.items():
        seconds, deadline = profile.operations / (tops * 1e12), profile.deadline_ms / 1000
        verdict: Verdict = "fits"
        needed = needed_mib(profile, engine)
        if needed > memory_mib:
            verdict = "too little memory"
        elif seconds > MARGIN * deadline:
            verdict = "late"
        elif seconds < TOO_EASY * deadline:
            verdict = "too easy"
        fits.append(ClassFit(name, profile.credit, seconds, deadline, needed, verdict))
    return sorted(fits, key=lambda fit: -fit.credit)


def advised(fits: list[ClassFit]) -> ClassFit | None:
    """The class that earns most of those in which the card passes; None where there is none."""
    return next((fit for fit in fits if fit.works), None)


def why(fits: list[ClassFit]) -> str:
    """The advice in a sentence."""
    chosen = advised(fits)
    if chosen is None:
        nearest = fits[-1]
        return f"no class: {nearest.name}, the easiest, would take {nearest.proof_seconds:.1f} s ({nearest.verdict})"
    text = f"enrol as {chosen.name}: a proof takes {chosen.proof_seconds:.1f} s of {chosen.deadline_seconds:.0f} s"
    dearer = [fit for fit in fits if fit.credit > chosen.credit]
    if dearer:
        text += f"; {dearer[-1].name} is {_reason(dearer[-1])}"
    return text


def class_number(name: str, profiles: Mapping[int, Profile]) -> int:
    """Under which number a chain has the class of this name: that of the profile with its sizes, which a chain's own
    deadline and credit do not change. Raises BadProviderSetting naming the classes that it has.
    """
    known = {_sizes(profile): number for number, profile in profiles.items()}
    found = {one: known[_sizes(profile)] for one, profile in NAMED.items() if _sizes(profile) in known}
    if name not in found:
        there = ", ".join(f"{one} ({number})" for one, number in found.items())
        raise BadProviderSetting(f"--profile {name}: a number, or one of this network's classes: {there or 'none'}")
    return found[name]


def _sizes(profile: Profile) -> tuple[int, ...]:
    return (profile.M, profile.N, profile.K, profile.T, profile.chunk, profile.k, profile.W)


def _reason(fit: ClassFit) -> str:
    if fit.verdict == "late":
        return f"too hard ({fit.proof_seconds:.1f} s)"
    return f"too large (it needs {fit.memory_mib:,} MiB)"
