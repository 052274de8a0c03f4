"""What NVML tells of cards and MIG slices, by their uuids: looked at again at every block and before every proof."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from assay.proof.cuda.memory import needed_memory
from assay.proof.engines.registry import AUTO, GPU_NAMES
from assay.proof.probe import layout
from assay.proof.requirements import OLDEST_CARD, oldest_driver
from assay.protocol.profile import Profile
from assay.provider.cards.faults import CardFault, CardFaultKind

MIG = "MIG-"
HEAT_MARGIN_C = 3  # degrees below the card's own shutdown
Value = TypeVar("Value")

# NVML's return codes, as its header numbers them.
_KINDS = {
    4: CardFaultKind.NO_PERMISSION,
    9: CardFaultKind.NO_DRIVER,
    10: CardFaultKind.DRIVER_RESET,
    12: CardFaultKind.NO_DRIVER,
    11: CardFaultKind.DRIVER_RESET,
    15: CardFaultKind.LOST,
    16: CardFaultKind.DRIVER_RESET,
    18: CardFaultKind.DRIVER_RESET,
    28: CardFaultKind.NOT_THERE,
    2: CardFaultKind.NOT_THERE,  # how it answers for a uuid that it does not know, too
    6: CardFaultKind.NOT_THERE,
}


@dataclass(frozen=True)
class CardReading:
    """A card or slice at one moment. Memory in bytes, temperatures in °C; None for what it does not tell. `bus` is its
    place in the host, `minor` the number in /dev/nvidia*; those and the temperature of a slice are its card's.
    `processes` are (pid, bytes) of what computes on it.
    """

    uuid: str
    index: int
    minor: int | None
    bus: str
    memory_total: int
    memory_used: int
    temperature: int | None
    max_temperature: int | None
    ecc_errors: int | None
    capability: tuple[int, int] | None
    driver: tuple[int, int] | None
    processes: tuple[tuple[int, int], ...] | None

    @property
    def is_slice(self) -> bool:
        return self.uuid.startswith(MIG)

    def used_by(self, pids: frozenset[int]) -> int:
        """Bytes that these processes have on it."""
        return sum(used for pid, used in self.processes or () if pid in pids)

    def others(self, pids: frozenset[int]) -> tuple[int, ...]:
        """Processes on it that are none of these."""
        return tuple(pid for pid, _ in self.processes or () if pid not in pids)


@dataclass(frozen=True)
class CardActivity:
    """What a card or slice does now. Load in percent, memory in bytes, °C and watts; None for what it does not tell:
    a slice has no load, temperature and power of its own, and its card's are also others'."""

    load: int | None
    memory_used: int
    memory_total: int
    temperature: int | None
    power: float | None


class CardError(Exception):
    """A card that cannot be read, with the fault."""

    def __init__(self, fault: CardFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class CardReader:
    """Calls block: make them from a worker thread. NVML is opened once, and anew after a fault of the driver."""

    def __init__(self, nvml: Any = None, dev: Path = Path("/dev")) -> None:
        """`nvml` stands in for the module pynvml in tests."""
        self._nvml = nvml
        self._open = False
        self._dev = dev

    def one(self, uuid: str) -> CardReading:
        """The card or slice with this uuid, wherever it stands now. Raises CardError."""
        nvml = self._ready()
        try:
            return self._read(nvml, nvml.nvmlDeviceGetHandleByUUID(uuid), uuid)
        except nvml.NVMLError as error:
            raise CardError(self._fault(error, uuid)) from None

    def activity(self, uuid: str) -> CardActivity:
        """What the card or slice with this uuid does now. Raises CardError."""
        nvml = self._ready()

        def optional(read: Callable[[], Value]) -> Value | None:
            if uuid.startswith(MIG):
                return None
            with contextlib.suppress(nvml.NVMLError):
                return read()
            return None

        try:
            handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError as error:
            raise CardError(self._fault(error, uuid)) from None
        return CardActivity(
            load=optional(lambda: int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
            memory_used=int(memory.used),
            memory_total=int(memory.total),
            temperature=optional(lambda: int(nvml.nvmlDeviceGetTemperature(handle, 0))),
            power=optional(lambda: int(nvml.nvmlDeviceGetPowerUsage(handle)) / 1000),
        )

    def uuid_of_minor(self, minor: int) -> str | None:
        """The uuid of the card behind /dev/nvidia<minor>; None where there is none. Raises CardError."""
        nvml = self._ready()
        try:
            for index in range(nvml.nvmlDeviceGetCount()):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                if int(nvml.nvmlDeviceGetMinorNumber(handle)) == minor:
                    return _text(nvml.nvmlDeviceGetUUID(handle))
        except nvml.NVMLError as error:
            raise CardError(self._fault(error, f"/dev/nvidia{minor}")) from None
        return None

    def card_of_slice(self, uuid: str) -> tuple[str, int]:
        """The uuid of the card that a slice is part of, and the slice's number on it. Raises CardError."""
        nvml = self._ready()
        try:
            handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            card = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
            for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(card)):
                with contextlib.suppress(nvml.NVMLError):  # a free place
                    if _text(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(card, number))) == uuid:
                        return _text(nvml.nvmlDeviceGetUUID(card)), number
        except nvml.NVMLError as error:
            raise CardError(self._fault(error, uuid)) from None
        raise CardError(CardFault(CardFaultKind.NOT_THERE, f"slice {uuid} is on no card of this host"))

    def permission_fault(self, reading: CardReading) -> CardFault | None:
        """Whether this account may use the card's device; None where it may, and where that is not told."""
        path = self._dev / f"nvidia{reading.minor}"
        if reading.minor is None or not path.exists() or os.access(path, os.R_OK | os.W_OK):
            return None
        return CardFault(CardFaultKind.NO_PERMISSION, f"{path} may not be read and written by uid {os.geteuid()}")

    def close(self) -> None:
        """Lets go of NVML."""
        if self._open and self._nvml is not None:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()
        self._open = False

    def _ready(self) -> Any:
        if self._nvml is None:
            self._nvml = importlib.import_module("pynvml")
        if not self._open:
            try:
                self._nvml.nvmlInit()
            except self._nvml.NVMLError as error:
                raise CardError(self._fault(error, "NVML")) from None
            self._open = True
        return self._nvml

    def _fault(self, error: Any, where: str) -> CardFault:
        kind = _KINDS.get(int(getattr(error, "value", 999) or 999), CardFaultKind.LOST)
        if kind in (CardFaultKind.DRIVER_RESET, CardFaultKind.NO_DRIVER):
            self.close()  # what was opened belongs to a driver that is gone
        return CardFault(kind, f"{where}: NVML says {str(error) or type(error).__name__}")

    def _read(self, nvml: Any, handle: Any, uuid: str) -> CardReading:
        card = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle) if uuid.startswith(MIG) else handle
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        uncorrected, volatile, shutdown = 1, 0, 0  # as NVML's header numbers them

        def optional(read: Callable[[], Value]) -> Value | None:
            try:
                return read()
            except nvml.NVMLError as error:
                if _KINDS.get(int(getattr(error, "value", 0) or 0)) in (CardFaultKind.LOST, CardFaultKind.DRIVER_RESET):
                    raise
                return None

        driver = optional(lambda: int(nvml.nvmlSystemGetCudaDriverVersion()))
        capability = optional(lambda: tuple(nvml.nvmlDeviceGetCudaComputeCapability(card)))
        return CardReading(
            uuid=uuid,
            index=int(nvml.nvmlDeviceGetIndex(card)),
            minor=optional(lambda: int(nvml.nvmlDeviceGetMinorNumber(card))),
            bus=optional(lambda: _text(nvml.nvmlDeviceGetPciInfo(card).busId)) or "",
            memory_total=int(memory.total),
            memory_used=int(memory.used),
            temperature=optional(lambda: int(nvml.nvmlDeviceGetTemperature(card, 0))),
            max_temperature=optional(lambda: int(nvml.nvmlDeviceGetTemperatureThreshold(card, shutdown))),
            ecc_errors=optional(lambda: int(nvml.nvmlDeviceGetTotalEccErrors(card, uncorrected, volatile))),
            capability=None if capability is None else (int(capability[0]), int(capability[1])),
            driver=None if driver is None else (driver // 1000, driver % 1000 // 10),
            processes=optional(
                lambda: tuple(
                    (int(one.pid), int(one.usedGpuMemory or 0))
                    for one in nvml.nvmlDeviceGetComputeRunningProcesses(handle)
                )
            ),
        )


def min_memory(profile: Profile, engine: str = AUTO, window: bool = True) -> int:
    """Bytes that a profile's work takes on a card with an engine, with the one that takes fewest where it is not said;
    with the window of the memory probe or without.
    """
    names = (engine,) if engine in GPU_NAMES else GPU_NAMES
    needed = min(needed_memory(profile, name) for name in names)
    return needed + (layout.claimed_bytes(profile) if window else 0)


def health_fault(reading: CardReading) -> CardFault | None:
    """What makes a card useless or dangerous now, whatever it is asked for."""
    if reading.ecc_errors:
        return CardFault(
            CardFaultKind.ECC_ERRORS, f"{reading.ecc_errors} uncorrected memory errors since its last reset"
        )
    if reading.temperature is not None and reading.max_temperature:
        limit = reading.max_temperature - HEAT_MARGIN_C
        if reading.temperature >= limit:
            return CardFault(CardFaultKind.TOO_HOT, f"{reading.temperature} °C, its limit is {limit} °C")
    return None


def requirement_fault(reading: CardReading) -> CardFault | None:
    """What keeps the engines for GPUs from this card for good."""
    if reading.capability is not None and reading.capability < OLDEST_CARD:
        return CardFault(
            CardFaultKind.OLD_CARD,
            f"compute capability {_dotted(reading.capability)}, {_dotted(OLDEST_CARD)} is needed",
        )
    needed = oldest_driver().cuda
    if reading.driver is not None and reading.driver < needed:
        return CardFault(
            CardFaultKind.OLD_DRIVER,
            f"the driver knows CUDA {_dotted(reading.driver)}, {_dotted(needed)} is needed",
        )
    return None


def memory_fault(reading: CardReading, profile: Profile, ours: frozenset[int], engine: str = AUTO) -> CardFault | None:
    """Whether a profile's work fits, beside whatever is on the card and none of `ours`."""
    need, free = min_memory(profile, engine), reading.memory_total - reading.memory_used + reading.used_by(ours)
    if need > reading.memory_total:
        return CardFault(
            CardFaultKind.WRONG_CLASS,
            f"profile {profile.id} takes {_mib(need)} MiB, the card has {_mib(reading.memory_total)}",
        )
    if free >= need:
        return None
    others = ", ".join(map(str, reading.others(ours)))
    return CardFault(
        CardFaultKind.OUT_OF_MEMORY,
        f"profile {profile.id} takes {_mib(need)} MiB, {_mib(max(free, 0))} are free"
        + (f"; on it are processes {others}" if others else ""),
        blocks=free < min_memory(profile, engine, window=False),
    )


def company_fault(reading: CardReading, ours: frozenset[int]) -> CardFault | None:
    """Who else computes on a card that should be idle; it slows proofs, and may take their memory."""
    if others := reading.others(ours):
        return CardFault(CardFaultKind.OTHER_PROCESS, f"processes {', '.join(map(str, others))} use it", blocks=False)
    return None


def _mib(size: int) -> str:
    return f"{-(-size // (1 << 20)):,}"


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
