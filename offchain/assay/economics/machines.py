"""What one machine can answer for: names that it serves in turn within one deadline, and whose windows it holds when
all are asked for them at one instant."""

from __future__ import annotations

from dataclasses import dataclass

from assay.economics.parameters import ProfileMoney
from assay.proof.probe.calibration import deadline_us
from assay.proof.probe.layout import claimed_bytes

GIB = 1 << 30
# Of one core with byte products (VNNI): `benchmarks/proof/cpu.json`, to which a test holds it.
CORE_GMACS = 168.7
CORES = 64
LATE_LIMIT = 1.2  # deadline as part of the class's honest time


@dataclass(frozen=True, slots=True)
class Machine:
    """Multiply-adds a second, and memory in bytes; `measured` or taken from the class or a data sheet."""

    name: str
    macs: float
    memory: float
    measured: bool


PROCESSOR = Machine(f"a processor of {CORES} cores", CORES * CORE_GMACS * 1e9, 512 * GIB, measured=True)


def of_class(profile: ProfileMoney) -> Machine:
    """The slowest card that is in time, with room for one window and nothing more: by the class's own figures."""
    window = float(claimed_bytes(profile.shape))
    return Machine(f"a card of {profile.name}", profile.work / (profile.deadline / LATE_LIMIT), window, measured=False)


# Half of the data sheets' dense int8 rate, as far as a device is expected to come; none of them was measured.
CARDS = tuple(
    Machine(name, tera / 2 * 1e12 / 2, gib * GIB, measured=False)
    for name, tera, gib in (
        ("RTX 4090", 660, 23),
        ("L40S", 733, 44),
        ("A100", 624, 79),
        ("H100", 1_979, 79),
        ("H200", 1_979, 140),
        ("B200", 4_500, 179),
    )
)


def names_in_time(profile: ProfileMoney, machine: Machine) -> int:
    """Names whose work it does within one deadline, in turn: all are challenged at one instant."""
    return int(profile.deadline * machine.macs / profile.work)


def windows_at_once(profile: ProfileMoney, machine: Machine) -> int:
    """Names whose memory it shows when all are probed at one instant: windows that it holds, and those that it makes
    again before the probe is over."""
    shape = profile.shape
    if shape.W == 0:
        return 0
    held = int(machine.memory / claimed_bytes(shape))
    again = machine.macs * deadline_us(shape) / 1e6 / (profile.work * shape.W / shape.T)
    return held + int(again)


def names(profile: ProfileMoney, machine: Machine) -> int:
    """Names under which it earns in one epoch: in time, and with their memory shown."""
    return min(names_in_time(profile, machine), windows_at_once(profile, machine))
