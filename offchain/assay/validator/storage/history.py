"""What a validator's database says of past epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.protocol.hexadecimal import to_hex
from assay.validator.errors import SettingsError
from assay.validator.storage.store import Store
from assay.validator.storage.tables import open_database
from assay.validator.system_clock import SystemClock


def history(data_dir: Path, limit: int) -> list[dict[str, Any]]:
    """The latest epochs, newest first. Raises SettingsError where there is no database."""
    path = data_dir / "validator.sqlite"
    if not path.exists():
        raise SettingsError(f"{path}: no such database; name the validator's folder with --data-dir")
    store = Store(open_database(path), SystemClock().now)
    rows = []
    for row in store.epochs(limit):
        verdicts = store.verdicts(row.epoch)
        rows.append(
            {
                "epoch": row.epoch,
                "outcome": row.outcome,
                "reason": row.reason,
                "devices": len(verdicts),
                "valid": sum(1 for v in verdicts if v.outcome == "valid"),
                "devicesRoot": None if row.devices_root is None else to_hex(row.devices_root),
            }
        )
    return rows
