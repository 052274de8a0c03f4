"""`python -m benchmarks.proof.render`: writes sections of docs/reference/benchmarks.md anew from results on disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.proof.page import replace_section

BUSY_LOAD = 1.0


def about(machine: dict[str, Any]) -> str:
    """What a result was measured on, and a warning where the machine was busy."""
    text = (
        f"{machine['processor']}, {machine['threads']} threads, {machine['date']}, NumPy {machine['numpy']}, "
        f"Numba {machine['numba']}, load {machine['loadBefore']} before the run."
    )
    if machine["loadBefore"] > BUSY_LOAD * machine["threads"]:
        text += " **The machine was busy**: read ratios and processor times, not wall times."
    return text


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def cpu_section(result: dict[str, Any]) -> str:
    """The engine beside matmul."""
    rows = [
        [
            name,
            way,
            f"{of['gmacs']:.1f} GMAC/s",
            f"{shape['matmulGmacs']:.1f} GMAC/s",
            f"{of['ratio']:.2f}",
            f"{of['ratioOfProcessorTime']:.2f}",
            str(shape["aim"]),
        ]
        for name, shape in result["shapes"].items()
        for way, of in shape["ways"].items()
    ]
    head = ["shape", "product by", "engine end to end", "float32 `numpy.matmul`", "ratio", "of processor time", "aim"]
    alone = [[name, f"{rate:.1f} GMAC/s"] for name, rate in result["products"].items()]
    return f"{about(result['machine'])}\n\n{_table(head, rows)}\n" + _table(
        ["product alone, one thread, micro shape, of processor time", ""], alone
    )


def _ms(spent: dict[str, float]) -> str:
    return f"{spent['wall']:.2f} ({spent['processor']:.2f})"


def verify_section(result: dict[str, Any]) -> str:
    """Verification of one device, and of many."""
    rows = [
        [
            name,
            _ms(of["onceAnEpochMs"]),
            k,
            _ms(device["deviceMs"]),
            _ms(device["recomputeMs"]),
            f"{device['recomputeMs']['wall'] / device['deviceMs']['wall']:.1f}",
            f"{device['openingBytes']:,}",
        ]
        for name, of in result["profiles"].items()
        for k, device in of["samples"].items()
    ]
    head = [
        "profile",
        "B·r once an epoch, ms wall (processor)",
        "k",
        "a device, ms wall (processor)",
        "recomputing its rows, ms wall (processor)",
        "times as long",
        "opening, bytes",
    ]
    many = [
        [
            name,
            f"{of['devices']:,}",
            f"{of['seconds']:.2f}",
            f"{1e3 * of['seconds'] / of['devices']:.2f}",
            f"{1e3 * of['processorSeconds'] / of['devices']:.2f}",
            f"{of['peakMib']:.0f}",
        ]
        for name, steps in result["growth"].items()
        for of in steps
    ]
    grown = ["profile", "devices", "seconds", "ms a device", "processor ms a device", "peak memory, MiB"]
    datacenter = result["profiles"]["datacenter"]
    found = f"{datacenter['onceAnEpochMs']['wall']:.1f} and {datacenter['samples']['256']['deviceMs']['wall']:.1f} ms"
    return (
        f"{about(result['machine'])}\n\n{_table(head, rows)}\n"
        "Many devices, two at a time, each with a buffer of its own that is copied as if it came from a socket:\n\n"
        f"{_table(grown, many)}\n"
        f"Aims on two cores, hashing included: B·r for `datacenter` at most 45 ms, a `datacenter` opening of 256 rows "
        f"at most 12 ms; here {found}. Recomputing has B in memory already and skips the hashing.\n"
    )


def main() -> int:
    for name, section in (("cpu", cpu_section), ("verify", verify_section)):
        replace_section(name, section(json.loads(Path(f"benchmarks/proof/{name}.json").read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
