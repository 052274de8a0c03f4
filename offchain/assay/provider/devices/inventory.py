"""What this machine has: GPUs through NVML, or, where there is none, its processors, labelled as such."""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from assay.protocol.specification import MAX_TEXT, DeclaredHost
from assay.protocol.text import one_line
from assay.protocol.types import DeviceId
from assay.provider.errors import BadProviderSetting, ProviderError
from assay.sheet.declared import DeclaredSheet, pcie_mbs


class GpuNames:
    """CDI names by device."""

    def __init__(self, names: dict[bytes, tuple[str, ...]]) -> None:
        self._names = names

    @classmethod
    def parse(cls, entries: Sequence[str], device_ids: Collection[DeviceId]) -> GpuNames:
        """`entries` are DEVICE:NAME, DEVICE being a device id or its beginning and NAME such as nvidia.com/gpu=0; NAME
        alone will do where one device is served. Raises BadSetting.
        """
        found: dict[bytes, tuple[str, ...]] = {}
        for entry in entries:
            beginning, _, name = entry.partition(":") if entry.lower().startswith("0x") else ("", "", entry)
            meant = [one for one in device_ids if ("0x" + one.hex()).startswith(beginning.lower())]
            if not name:
                raise BadProviderSetting(
                    f"container_gpus {entry!r}: expected DEVICE:NAME, such as 0xab12cd:nvidia.com/gpu=0"
                )
            if len(meant) != 1:
                raise BadProviderSetting(
                    f"container_gpus {entry!r}: {len(meant)} of the {len(device_ids)} devices served here are meant; "
                    "write DEVICE:NAME, so that each lease gets its own cards and no other's"
                )
            found[meant[0]] = (*found.get(meant[0], ()), name)
        given = [name for names in found.values() for name in names]
        if twice := sorted({name for name in given if given.count(name) > 1}):
            raise BadProviderSetting(f"container_gpus: {twice[0]} stands for more than one device, or twice")
        return cls(found)

    def of(self, device_ids: Iterable[DeviceId]) -> tuple[str, ...]:
        """The names for a lease of these devices, in their order."""
        return tuple(name for device_id in device_ids for name in self._names.get(device_id, ()))


CPU_ONLY = "cpu"
MAX_LINKS = 18
# MB a second each way of one NVLink, by the version that NVML tells.
LINK_MBS = {1: 20_000, 2: 25_000, 3: 25_000, 4: 25_000, 5: 25_000, 6: 25_000, 7: 50_000}
UNTOLD = "unknown"


@dataclass(frozen=True)
class Accelerator:
    """One device. `kind` is gpu, or cpu for a machine without one; `part` is the number of a MIG slice on the card with
    this index, None for a whole card. Memory in MiB, temperature in °C, which of a slice is its card's.
    """

    kind: Literal["gpu", "cpu"]
    index: int
    model: str
    uuid: str
    memory_mib: int
    driver: str
    mig: bool = False
    temperature: int | None = None
    processes: int = 0
    part: int | None = None
    cuda: int = 0
    pcie_mbs: int = 0
    card_link_mbs: int = 0

    @property
    def number(self) -> str:
        """How it is named by number: 0, or 0:1 for a slice."""
        return str(self.index) if self.part is None else f"{self.index}:{self.part}"

    @property
    def key_name(self) -> str:
        """The name of its device key's file, without its ending."""
        if self.kind == "cpu":
            return "device"
        return "".join(c if c.isalnum() or c == "-" else "_" for c in self.uuid)

    def specification(
        self, region: str = "", host: DeclaredHost | None = None, sheet: DeclaredSheet | None = None
    ) -> dict[str, Any]:
        """The document that is fixed at enrolment. `host` is its part of this machine, `sheet` what else is declared of
        it; what the card's driver tells of the card goes with it.
        """
        told = replace(
            sheet or DeclaredSheet(), cuda=self.cuda, pcie_mbs=self.pcie_mbs, card_link_mbs=self.card_link_mbs
        ).to_json()
        return {
            "kind": self.kind,
            "model": self.model,
            "memoryMiB": self.memory_mib,
            "driver": self.driver,
            "mig": self.mig,
            "uuid": self.uuid,
            "region": region,
            **({} if host is None else {"host": host.to_json()}),
            **({"sheet": told} if told else {}),
        }


@dataclass(frozen=True)
class UnusableCard:
    """A card that cannot be used, and why."""

    index: int
    fault: str

    def __str__(self) -> str:
        return f"GPU {self.index}: {self.fault}"


@dataclass(frozen=True)
class Inventory:
    """All devices that can be used; `reason` says why there are no GPUs, where there are none. `faults` are the cards
    that the driver counts and that cannot be used."""

    accelerators: tuple[Accelerator, ...]
    reason: str | None
    faults: tuple[UnusableCard, ...] = ()

    @property
    def has_gpu(self) -> bool:
        return any(one.kind == "gpu" for one in self.accelerators)


def read_inventory(nvml: Any = None) -> Inventory:
    """Looks at the machine. `nvml` stands in for the module pynvml in tests."""
    if nvml is None:
        nvml = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Inventory((_processor(),), f"no GPU driver answers: {one_line(str(error))}")
    try:
        return _cards(nvml)
    finally:
        with contextlib.suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _cards(nvml: Any) -> Inventory:
    """One card that is lost or odd says nothing about the others."""
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        return Inventory((_processor(),), f"the driver counts no GPUs: {one_line(str(error))}")
    driver = _text(_optional(nvml, nvml.nvmlSystemGetDriverVersion)) or UNTOLD
    gpus: list[Accelerator] = []
    faults: list[UnusableCard] = []
    for index in range(count):
        try:
            gpus += _gpus(nvml, index, driver)
        except (nvml.NVMLError, ProviderError) as error:
            faults.append(UnusableCard(index, one_line(str(error))))
    if gpus:
        return Inventory(tuple(gpus), None, tuple(faults))
    reason = "; ".join(map(str, faults)) or "the driver lists no GPU"
    return Inventory((_processor(),), reason, tuple(faults))


def accelerator_named(name: str | None) -> Accelerator:
    """The GPU or slice with this number (0, or 0:1) or uuid; None for the first one, or the processor. Raises
    ProviderError.
    """
    found = read_inventory()
    if name is None:
        return found.accelerators[0]
    for one in found.accelerators:
        if one.kind == "gpu" and name in (one.number, one.uuid):
            return one
    for bad in found.faults:
        if str(bad.index) == name:
            raise ProviderError(f"{bad}; `assay provider inventory` lists the others")
    listed = ", ".join(one.number for one in found.accelerators if one.kind == "gpu")
    raise ProviderError(f"no GPU {name[:60]} here: {found.reason or f'there are {listed}'}")


def _gpus(nvml: Any, index: int, driver: str) -> list[Accelerator]:
    """A card, or its MIG slices, on which alone programs run where it is cut into some. Raises as `_gpu`."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    if not _optional(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle)[0] == 1):
        return [_gpu(nvml, handle, index, driver)]
    slices = []
    for part in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        own = _optional(nvml, partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, part))
        if own is not None:
            slices.append(_gpu(nvml, own, index, driver, handle, part))
    if not slices:
        raise ProviderError(
            "MIG is on, but the card has no slices: `nvidia-smi mig -cgi … -C`, or `-mig 0` for the whole"
        )
    return slices


def _gpu(nvml: Any, handle: Any, index: int, driver: str, card: Any = None, part: int | None = None) -> Accelerator:
    """Raises NVMLError, or ProviderError for a card that does not tell what its specification must. `card` is the
    handle of the card that a slice is part of.
    """
    uuid = _text(_read(lambda: nvml.nvmlDeviceGetUUID(handle)))
    if not uuid:
        raise ProviderError("it reports no uuid, so it cannot be told apart from others")
    try:
        memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total) >> 20
    except nvml.NVMLError as error:
        raise ProviderError(f"it does not report its memory: {error}") from None
    if memory <= 0:
        raise ProviderError("it reports no memory")
    return Accelerator(
        kind="gpu",
        index=index,
        model=_text(_optional(nvml, lambda: nvml.nvmlDeviceGetName(handle))) or UNTOLD,
        uuid=uuid,
        memory_mib=memory,
        driver=driver,
        mig=part is not None,
        temperature=_optional(nvml, lambda: int(nvml.nvmlDeviceGetTemperature(card or handle, 0))),
        processes=_optional(nvml, lambda: len(nvml.nvmlDeviceGetComputeRunningProcesses(handle))) or 0,
        part=part,
        cuda=_optional(nvml, lambda: _version(int(nvml.nvmlSystemGetCudaDriverVersion()))) or 0,
        pcie_mbs=_optional(nvml, lambda: _pcie(nvml, card or handle)) or 0,
        # A slice has no part in the links of its card.
        card_link_mbs=0 if part is not None else _links(nvml, handle),
    )


def _version(told: int) -> int:
    """1204 of NVML's 12040."""
    return told // 1000 * 100 + told % 1000 // 10


def _pcie(nvml: Any, handle: Any) -> int:
    """MB a second each way of the widest and fastest link that card and slot have; idle ones run slower."""
    return pcie_mbs(
        int(nvml.nvmlDeviceGetMaxPcieLinkGeneration(handle)), int(nvml.nvmlDeviceGetMaxPcieLinkWidth(handle))
    )


def _links(nvml: Any, handle: Any) -> int:
    """MB a second each way of all its active links to other cards together; 0 where it has none, or tells none."""
    total = 0
    for link in range(MAX_LINKS):
        state = _optional(nvml, partial(nvml.nvmlDeviceGetNvLinkState, handle, link))
        if state is None:  # there are no more
            break
        if not state:
            continue
        total += LINK_MBS.get(_optional(nvml, partial(nvml.nvmlDeviceGetNvLinkVersion, handle, link)) or 0, 0)
    return total


def _optional(nvml: Any, read: Callable[[], Any]) -> Any:
    """What some cards do not tell."""
    try:
        return _read(read)
    except nvml.NVMLError:
        return None


def _read(read: Callable[[], Any]) -> Any:
    """What a call of NVML gives; the bytes themselves where its wrapper fails to decode them."""
    try:
        return read()
    except UnicodeDecodeError as error:
        return error.object


def _text(value: str | bytes | None) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value or ""
    return one_line(text)[:MAX_TEXT].strip()


def _processor() -> Accelerator:
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Accelerator(
        kind="cpu",
        index=0,
        model=f"CPU only: {_text(model)}, {os.cpu_count() or 1} threads",
        uuid=CPU_ONLY,
        memory_mib=memory >> 20,
        driver=platform.release(),
    )
