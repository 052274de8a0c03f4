"""What can be wrong with a card, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from assay.proof.errors import DeviceLost, EngineUnavailable, NotEnoughMemory
from assay.provider.errors import Unavailable


class CardFaultKind(Enum):
    """A fault by its name in logs, metrics and answers, with the advice for whoever owns the host."""

    NO_DRIVER = "no-driver", "install NVIDIA's driver, or load its module; nvidia-smi must list the card"
    OLD_DRIVER = "old-driver", "renew the driver"
    NO_PERMISSION = "no-permission", "let the daemon's account read and write /dev/nvidia* (its group, or udev's rules)"
    OLD_CARD = "old-card", "cards below compute capability 8.0 (before Ampere) cannot prove: retire the device"
    NOT_THERE = "not-there", "put the card back, or retire the device; `assay provider inventory` lists what is here"
    MOVED = (
        "moved",
        "nothing, if intended: cards are known by uuid; correct the numbers in container_gpus",
    )
    UNKNOWN_CARD = "unknown-card", "bring back the file of DATA_DIR/specifications that the enrolment made"
    NO_CARD_NAME = (
        "no-card-name",
        "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`, or set container_gpus",
    )
    WRONG_CARD_NAME = "wrong-card-name", "run `nvidia-ctk cdi generate` again, or correct container_gpus"
    OUT_OF_MEMORY = "out-of-memory", "stop the other programs on the card; `nvidia-smi` lists them"
    WRONG_CLASS = (
        "wrong-class",
        "retire the device, and enrol its card with a new key in the class that `assay provider self-test` names",
    )
    OTHER_PROCESS = "other-process", "stop it: an idle device proves alone, and a renter gets the card alone"
    LOST = "lost", "look for Xid in `dmesg`; reset the card or reboot the host, and check power and seating"
    DRIVER_RESET = "driver-reset", "`nvidia-smi --gpu-reset`, or reboot the host"
    SLOW_DRIVER = (
        "slow-driver",
        "turn on persistence mode (nvidia-persistenced, or `nvidia-smi -pm 1`); if NVML hangs, reboot the host",
    )
    TOO_HOT = "too-hot", "cool it: fans, dust, air flow, or a lower power limit"
    ECC_ERRORS = "ecc-errors", "reset the card; if they come back, have it replaced: what it computes could be slashed"
    WRONG_RESULTS = (
        "wrong-results",
        "the driver or the card computes wrong results: reinstall the driver, test the card",
    )
    NO_ENGINE = "no-engine", "`assay provider self-test` says what is missing on this machine"
    TOO_SLOW = (
        "too-slow",
        "see what else the host does, and whether the card is throttled (power, heat); `assay provider self-test` "
        "names the class that it is fast enough for",
    )
    WORKER_DIED = "worker-died", "it restarts by itself; if this repeats, look at dmesg (host memory)"
    WORKER_HUNG = "worker-hung", "it restarts by itself; if this repeats, reset the card"
    NOT_RELEASED = "not-released", "find with nvidia-smi what holds the card: a lease starts only on an empty one"
    LEASED = "leased", "nothing to do: the renter has the card"

    def __init__(self, label: str, advice: str) -> None:
        self.label = label
        self.advice = advice


@dataclass(frozen=True)
class CardFault:
    """What is wrong with one card, with its values. `blocks`: it cannot prove so."""

    kind: CardFaultKind
    what: str
    blocks: bool = True

    def __str__(self) -> str:
        return f"{self.kind.label}: {self.what} ({self.kind.advice})"

    def to_json(self) -> dict[str, object]:
        return {"fault": self.kind.label, "what": self.what, "advice": self.kind.advice, "blocks": self.blocks}


class CardFailed(Unavailable):
    """A card cannot do what was asked of it now."""

    def __init__(self, card: str, fault: CardFault) -> None:
        super().__init__(f"card {card}: {fault}")
        self.card = card
        self.fault = fault


# As CUDA's driver names its errors, in the texts of those who call it.
_BY_CUDA_ERROR = (
    ("OUT_OF_MEMORY", CardFaultKind.OUT_OF_MEMORY),
    ("ECC_UNCORRECTABLE", CardFaultKind.ECC_ERRORS),
    ("SYSTEM_NOT_READY", CardFaultKind.DRIVER_RESET),
    ("SYSTEM_DRIVER_MISMATCH", CardFaultKind.DRIVER_RESET),
    ("INSUFFICIENT_DRIVER", CardFaultKind.OLD_DRIVER),
    ("OPERATING_SYSTEM", CardFaultKind.NO_PERMISSION),
    ("NOT_PERMITTED", CardFaultKind.NO_PERMISSION),
    ("NO_DEVICE", CardFaultKind.NOT_THERE),
)


def fault_of(error: Exception) -> CardFault:
    """What an engine's error says of its card."""
    text = str(error) or type(error).__name__
    upper = text.upper()
    if isinstance(error, MemoryError):
        return CardFault(CardFaultKind.OUT_OF_MEMORY, "the host's memory is full")
    if isinstance(error, NotEnoughMemory):
        return CardFault(CardFaultKind.OUT_OF_MEMORY, text)
    for name, kind in _BY_CUDA_ERROR:
        if name in upper:
            return CardFault(kind, text)
    if isinstance(error, DeviceLost):
        return CardFault(CardFaultKind.TOO_HOT if "°C" in text else CardFaultKind.LOST, text)
    if isinstance(error, EngineUnavailable):
        if "computes wrongly" in text:
            return CardFault(CardFaultKind.WRONG_RESULTS, text)
        if "compute capability is" in text:
            return CardFault(CardFaultKind.OLD_CARD, text)
        if "driver knows CUDA" in text:
            return CardFault(CardFaultKind.OLD_DRIVER, text)
        if "needs M >=" in text:
            return CardFault(CardFaultKind.WRONG_CLASS, text)
        return CardFault(CardFaultKind.NO_ENGINE, text)
    return CardFault(CardFaultKind.LOST, text)
