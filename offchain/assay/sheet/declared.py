"""What a provider declares of a card and its host beyond model and memory: found out by its own programs, signed with
the specification, proven by nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from assay.protocol.specification import DeclaredHost
from assay.protocol.text import printable
from assay.protocol.typed_message import camel_case
from assay.sheet.model_names import NamedModel, named_model

MAX_DECLARED = 1 << 31
MAX_DRIVER = 40
# MB a second of one lane, each way, by PCIe generation.
LANE_MBS = {1: 250, 2: 500, 3: 985, 4: 1_969, 5: 3_938, 6: 7_563}


@dataclass(frozen=True, slots=True)
class DeclaredSheet:
    """Rates in MB a second (10^6 bytes), network in Mbit a second, `cuda` as 1204 for 12.4; 0 and "" are not
    declared.
    """

    driver: str = ""
    cuda: int = 0
    pcie_mbs: int = 0
    card_link_mbs: int = 0
    cards_in_host: int = 0
    cpu_mhz: int = 0
    disk_read_mbs: int = 0
    disk_write_mbs: int = 0
    network_up_mbps: int = 0
    network_down_mbps: int = 0

    def to_json(self) -> dict[str, int]:
        """As a specification has it under `sheet`: what is declared, without the driver, which it has by itself."""
        return {camel_case(name): value for name in NUMBER_NAMES if (value := getattr(self, name))}

    @classmethod
    def parse(cls, document: Any) -> DeclaredSheet:
        """From a specification's document; what is off its form is not declared."""
        if not isinstance(document, Mapping):
            return cls()
        told = document.get("sheet")
        values = (
            {name: _number(told.get(camel_case(name))) for name in NUMBER_NAMES} if isinstance(told, Mapping) else {}
        )
        driver = document.get("driver")
        return cls(printable(driver[:MAX_DRIVER]) if isinstance(driver, str) else "", **values)


# What a `DeclaredHost` fills of a row; 0 is not declared.
HOST_COLUMNS = ("host_cores", "host_memory_mib", "host_disk_mib")


def host_columns(host: DeclaredHost | None) -> dict[str, int]:
    """The columns of a declared part of a host; zeros where nothing is declared."""
    numbers = (host.cores, host.memory_mib, host.disk_mib) if host else (0, 0, 0)
    return dict(zip(HOST_COLUMNS, numbers, strict=True))


NUMBER_NAMES = tuple(field.name for field in fields(DeclaredSheet) if field.name != "driver")
NOTHING = DeclaredSheet()


def pcie_mbs(generation: int, lanes: int) -> int:
    """MB a second each way of a PCIe link by its generation and lanes; 0 for a generation that is not known."""
    return LANE_MBS.get(generation, 0) * lanes


@lru_cache(maxsize=4096)
def declared_in(text: str) -> DeclaredSheet:
    """Of a specification's canonical text."""
    try:
        return DeclaredSheet.parse(json.loads(text)) if text else NOTHING
    except (ValueError, RecursionError):
        return NOTHING


def declared_of_all(devices: Sequence[tuple[str, str, int]]) -> dict[str, int | str]:
    """The columns of a listing that are declared, of its devices by (specification's text, model, MiB): the least of
    all, nothing where one says nothing. Rates of the model are its data sheet's.
    """
    declared = [declared_in(text) for text, _, _ in devices]
    named = [named_model(model, mib) for _, model, mib in devices]
    drivers = {one.driver for one in declared}
    return {
        "bf16_tflops": min(_of_model(one, "bf16_tflops") for one in named),
        "bandwidth_gbs": min(_of_model(one, "bandwidth_gbs") for one in named),
        "driver": drivers.pop() if len(drivers) == 1 else "",
        **{name: min(getattr(one, name) for one in declared) for name in NUMBER_NAMES},
    }


def _of_model(named: NamedModel, what: str) -> int:
    return round(min((getattr(one, what) or 0 for one in named.candidates), default=0))


def _number(value: Any) -> int:
    return value if type(value) is int and 0 < value < MAX_DECLARED else 0
