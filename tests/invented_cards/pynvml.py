"""An NVML of cards that are not there, in place of the module pynvml: for tests that put this folder on PYTHONPATH.

What the cards tell stands in the JSON file that INVENTED_CARDS names, or in the value that a unit test hands to
`Invented`; it is read at each call, so that a test changes a card by writing the file. A process that has one of the
cards in its CUDA_VISIBLE_DEVICES computes on it, as one with a CUDA context would.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

GIB = 1 << 30
NVML_TEMPERATURE_GPU = NVML_TEMPERATURE_THRESHOLD_SHUTDOWN = 0
NOT_SUPPORTED, NOT_FOUND, NOT_LOADED, LOST, RESET_REQUIRED = 3, 6, 9, 15, 16

_RUN = f"{os.getpid():012d}"  # what another test run computes on is another card


class NVMLError(Exception):
    """As pynvml's: with NVML's return code."""

    def __init__(self, value: int) -> None:
        names = {NOT_SUPPORTED: "Not Supported", NOT_FOUND: "Not Found", NOT_LOADED: "Driver Not Loaded"}
        names |= {LOST: "GPU is lost", RESET_REQUIRED: "GPU requires reset", 4: "Insufficient Permissions"}
        super().__init__(names.get(value, f"error {value}"))
        self.value = value


def card(number: int, **changes: Any) -> dict[str, Any]:
    """A card that is well."""
    return {
        "uuid": f"GPU-{number:08d}-aaaa-bbbb-cccc-{_RUN}",
        "bus": f"00000000:{number + 1:02x}:00.0",
        "minor": number,
        "name": "NVIDIA H100 80GB HBM3",
        "total": 80 * GIB,
        "used": GIB // 2,
        "temperature": 41,
        "shutdown": 95,
        "ecc": 0,
        "load": 0,
        "milliwatts": 70_000,
        "pcie": [5, 16],  # generation and width
        "links": [4] * 18,  # versions of its links to other cards; 0 for one that is down
        "capability": [9, 0],
        "processes": [],
        "fault": None,
        "slices": [],
        **changes,
    }


def slice_of(number: int, part: int, **changes: Any) -> dict[str, Any]:
    """A MIG slice of a card."""
    uuid = f"MIG-{number:04d}{part:04d}-aaaa-bbbb-cccc-{_RUN}"
    return {"uuid": uuid, "total": 20 * GIB, "used": 0, "processes": [], **changes}


class Invented:
    """NVML's functions over what `read` gives: {"driver", "cuda", "init", "cards"}."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = NVML_TEMPERATURE_THRESHOLD_SHUTDOWN = 0

    def __init__(self, read: Callable[[], dict[str, Any]], computing: Callable[[str], list[int]] | None = None) -> None:
        """`computing` gives the processes that have a card in sight."""
        self._read = read
        self._computing = computing or (lambda uuid: [])
        self.opened = 0

    def nvmlInit(self) -> None:
        if code := self._read().get("init"):
            raise NVMLError(code)
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return str(self._read().get("driver", "580.65.06"))

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return int(self._read().get("cuda", 13000))

    def nvmlDeviceGetCount(self) -> int:
        return len(self._read()["cards"])

    def nvmlDeviceGetHandleByIndex(self, index: int) -> tuple[str, str]:
        found = self._read()["cards"][index]
        return self._well(found)["uuid"], ""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> tuple[str, str]:
        for one in self._read()["cards"]:
            if one["uuid"] == uuid:
                return self._well(one)["uuid"], ""
            if any(part["uuid"] == uuid for part in one["slices"]):
                return self._well(one)["uuid"], uuid
        raise NVMLError(NOT_FOUND)

    def nvmlDeviceGetIndex(self, handle: tuple[str, str]) -> int:
        return next(n for n, one in enumerate(self._read()["cards"]) if one["uuid"] == handle[0])

    def nvmlDeviceGetUUID(self, handle: tuple[str, str]) -> str:
        return handle[1] or handle[0]

    def nvmlDeviceGetName(self, handle: tuple[str, str]) -> str:
        return str(self._card(handle)["name"]) + (" MIG 1g.20gb" if handle[1] else "")

    def nvmlDeviceGetMinorNumber(self, handle: tuple[str, str]) -> int:
        return int(self._card(handle)["minor"])

    def nvmlDeviceGetPciInfo(self, handle: tuple[str, str]) -> Any:
        return SimpleNamespace(busId=self._card(handle)["bus"].encode())

    def nvmlDeviceGetMemoryInfo(self, handle: tuple[str, str]) -> Any:
        one = self._part(handle)
        taken = sum(used for _, used in self._processes(handle))
        return SimpleNamespace(total=one["total"], used=one["used"] + taken)

    def nvmlDeviceGetTemperature(self, handle: tuple[str, str], sensor: int) -> int:
        return int(self._whole(handle, "temperature"))

    def nvmlDeviceGetTemperatureThreshold(self, handle: tuple[str, str], threshold: int) -> int:
        return int(self._whole(handle, "shutdown"))

    def nvmlDeviceGetTotalEccErrors(self, handle: tuple[str, str], kind: int, counter: int) -> int:
        return int(self._whole(handle, "ecc"))

    def nvmlDeviceGetUtilizationRates(self, handle: tuple[str, str]) -> Any:
        return SimpleNamespace(gpu=int(self._whole(handle, "load")))

    def nvmlDeviceGetPowerUsage(self, handle: tuple[str, str]) -> int:
        return int(self._whole(handle, "milliwatts"))

    def nvmlDeviceGetMaxPcieLinkGeneration(self, handle: tuple[str, str]) -> int:
        return int(self._whole(handle, "pcie")[0])

    def nvmlDeviceGetMaxPcieLinkWidth(self, handle: tuple[str, str]) -> int:
        return int(self._whole(handle, "pcie")[1])

    def nvmlDeviceGetNvLinkState(self, handle: tuple[str, str], link: int) -> int:
        return int(bool(self._link(handle, link)))

    def nvmlDeviceGetNvLinkVersion(self, handle: tuple[str, str], link: int) -> int:
        return self._link(handle, link)

    def nvmlDeviceGetCudaComputeCapability(self, handle: tuple[str, str]) -> tuple[int, int]:
        major, minor = self._card(handle)["capability"]
        return major, minor

    def nvmlDeviceGetMigMode(self, handle: tuple[str, str]) -> tuple[int, int]:
        on = int(bool(self._card(handle)["slices"]) or bool(self._card(handle).get("mig")))
        return on, on

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: tuple[str, str]) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: tuple[str, str], number: int) -> tuple[str, str]:
        slices = self._card(handle)["slices"]
        if number >= len(slices):
            raise NVMLError(NOT_FOUND)
        return handle[0], slices[number]["uuid"]

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: tuple[str, str]) -> tuple[str, str]:
        return handle[0], ""

    def nvmlDeviceGetComputeRunningProcesses(self, handle: tuple[str, str]) -> list[Any]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self._processes(handle)]

    def _card(self, handle: tuple[str, str]) -> dict[str, Any]:
        found = next((one for one in self._read()["cards"] if one["uuid"] == handle[0]), None)
        if found is None:
            raise NVMLError(LOST)
        return self._well(found)

    def _part(self, handle: tuple[str, str]) -> dict[str, Any]:
        one = self._card(handle)
        return one if not handle[1] else next(part for part in one["slices"] if part["uuid"] == handle[1])

    def _whole(self, handle: tuple[str, str], name: str) -> Any:
        if handle[1]:
            raise NVMLError(NOT_SUPPORTED)
        value = self._card(handle)[name]
        if value is None:
            raise NVMLError(NOT_SUPPORTED)
        return value

    def _link(self, handle: tuple[str, str], link: int) -> int:
        links = self._whole(handle, "links")
        if link >= len(links):
            raise NVMLError(NOT_SUPPORTED)
        return int(links[link])

    def _processes(self, handle: tuple[str, str]) -> list[tuple[int, int]]:
        one = self._part(handle)
        return [*((pid, used) for pid, used in one["processes"]), *((pid, GIB) for pid in self._computing(one["uuid"]))]

    @staticmethod
    def _well(one: dict[str, Any]) -> dict[str, Any]:
        if one["fault"]:
            raise NVMLError(one["fault"])
        return one


class _Processes:
    """Those of this machine that have a card in sight, looked for a few times a second at most."""

    def __init__(self) -> None:
        self._found: dict[str, list[int]] = {}
        self._at = 0.0
        self._lock = threading.Lock()

    def with_card(self, uuid: str) -> list[int]:
        with self._lock:
            if time.monotonic() - self._at > 0.3:
                self._found = self._look()
                self._at = time.monotonic()
            return [pid for pid in self._found.get(uuid, []) if Path(f"/proc/{pid}/exe").exists()]

    @staticmethod
    def _look() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                for line in path.read_bytes().split(b"\0"):
                    if line.startswith(b"CUDA_VISIBLE_DEVICES=") and len(line) > 21:
                        found.setdefault(line[21:].decode(errors="replace"), []).append(int(path.parent.name))
        return found


_OF_FILE = Invented(lambda: dict(json.loads(Path(os.environ["INVENTED_CARDS"]).read_text())), _Processes().with_card)


def __getattr__(name: str) -> Any:
    if name.startswith("nvml"):
        return getattr(_OF_FILE, name)
    raise AttributeError(name)
