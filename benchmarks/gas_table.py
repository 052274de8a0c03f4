"""Gas of whole transactions: the table, benchmarks/gas.json, and the check against snapshots/gas.json.

Reads `build/forge/gas.csv`, which the tests in benchmarks/gas write: `who|operation|gas` a line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES = ROOT / "build/forge/gas.csv"
RESULT = ROOT / "benchmarks/gas.json"
SNAPSHOT = ROOT / "snapshots/gas.json"

# What the project aims at, and whose operation of the same kind stands beside it.
AIMS: dict[str, tuple[int | None, str]] = {
    "open": (182_270, "Sablier Flow|createAndDeposit"),
    "open, first use": (200_000, "Sablier Flow|createAndDeposit, first use"),
    "open of eight": (340_000, ""),
    "start, with bond": (125_826, ""),
    "start of eight": (200_000, ""),
    "start, from bond credit": (112_000, ""),
    "claim": (71_974, "Sablier Flow|withdraw"),
    "claim, first": (88_000, "Sablier Flow|withdraw, first"),
    "topUp": (62_000, "Sablier Flow|deposit"),
    "end": (66_000, "Sablier Flow|pause"),
    "refund": (None, "Sablier Flow|refund"),
    "seal, 4 seats": (None, ""),
    "seal, 7 seats": (70_000, ""),
    "seal, 10 seats": (None, ""),
    "seal, 31 seats": (140_000, ""),
    "report, 4 seats": (None, "Chainlink OCR2|transmit, n = 4, quorum of 3 signatures"),
    "report, 7 seats": (97_365, "Chainlink OCR2|transmit, n = 7, quorum of 5 signatures"),
    "report, 10 seats": (None, "Chainlink OCR2|transmit, n = 10, quorum of 7 signatures"),
    "report, 31 seats": (172_028, "Chainlink OCR2|transmit, n = 31, quorum of 21 signatures"),
    "openEpoch + draw": (81_892, ""),
    "wrong element, K = 4,096": (310_000, ""),
    "wrong element, K = 65,536": (2_100_000, ""),
    "reward claim": (75_000, ""),
    "reward claim, first ever": (123_000, ""),
}
DEVICES = ("10 devices", "1,000 devices", "100,000 devices")
STEPS = ("openEpoch", "seal", "draw", "report")


def measured() -> dict[str, dict[str, int]]:
    """Figures by who and operation. Exits where there are none."""
    if not LINES.exists():
        sys.exit(f"{LINES} is missing: run make check-gas or make bench-gas")
    found: dict[str, dict[str, int]] = {}
    for line in LINES.read_text().splitlines():
        who, operation, gas = line.split("|")
        found.setdefault(who, {})[operation] = int(gas)
    ours = found["Assay"]
    ours["open + start"] = ours["open"] + ours["start, with bond"]
    ours["openEpoch + draw"] = ours["openEpoch, 7 seats"] + ours["draw, 7 seats"]
    return {who: dict(sorted(operations.items())) for who, operations in sorted(found.items())}


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def table(found: dict[str, dict[str, int]]) -> list[str]:
    ours = found["Assay"]
    lines = [f"{'operation':<28}{'gas':>11}{'aim':>11}   {'met':<5}peer"]
    for operation, (aim, peer) in AIMS.items():
        gas = ours[operation]
        met = "" if aim is None else "yes" if gas <= aim else "no"
        beside = ""
        if peer:
            who, theirs = peer.split("|", 1)
            beside = f"{found[who][theirs]:,} {who} {theirs}" if who in found else ""
        lines.append(f"{operation:<28}{gas:>11,}{aim or '':>11}   {met:<5}{beside}")
    lines.append("")
    lines.append(f"{'an epoch with':<28}" + "".join(f"{step:>12}" for step in STEPS))
    for devices in DEVICES:
        lines.append(f"{devices:<28}" + "".join(f"{ours[f'{step}, {devices}']:>12,}" for step in STEPS))
    lines.append("The seals differ by 12 gas for each further non-zero byte that the count itself has in the calldata.")
    rest = [o for o in ours if o not in AIMS and not o.endswith(("devices", "seats"))]
    return [*lines, "", *(f"{operation:<28}{ours[operation]:>11,}" for operation in rest)]


def differences(found: dict[str, int], accepted: dict[str, int]) -> list[str]:
    changed = []
    for operation in sorted(found.keys() | accepted.keys()):
        before, now = accepted.get(operation), found.get(operation)
        if before != now:
            delta = f"{now - before:+,}" if before is not None and now is not None else ""
            changed.append(f"{operation}: {before} -> {now} {delta}".rstrip())
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("check", "update", "bench"))
    command = parser.parse_args().command
    found = measured()
    if command == "bench":
        RESULT.write_text(
            json.dumps(
                {
                    "measuredAt": datetime.now(UTC).date().isoformat(),
                    "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
                    "node": "Forge 1.7.1 with --isolate: each call a transaction; base, calldata, refunds included",
                    "compiler": "solc 0.8.30, optimizer, legacy pipeline; Sablier Flow: its authors' bytecode",
                    "gas": found,
                    "aims": {operation: aim for operation, (aim, _) in AIMS.items() if aim is not None},
                },
                indent=1,
            )
            + "\n"
        )
        print("\n".join(table(found)))
        return 0
    if command == "update":
        SNAPSHOT.write_text(json.dumps(found["Assay"], indent=1) + "\n")
        return 0
    accepted = json.loads(SNAPSHOT.read_text())
    changed = differences(found["Assay"], accepted)
    if changed:
        print("gas differs from snapshots/gas.json; make update-gas accepts it:\n  " + "\n  ".join(changed))
        return 1
    print(f"gas of {len(accepted)} operations as in snapshots/gas.json")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
