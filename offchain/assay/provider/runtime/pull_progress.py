"""How far an image has come, from what the engine writes while it fetches one."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

DONE = ("Pull complete", "Already exists", "Download complete")
LOG, PULLED = "pull.log", "pulled"


def pull_progress(control: Path) -> dict[str, int] | None:
    """Layers and bytes of an image that is being fetched; None where none is."""
    log = control / LOG
    if not log.exists() or (control / PULLED).exists():
        return None
    layers: dict[str, dict[str, Any]] = {}
    for line in log.read_text().splitlines():
        # The last line may be half written.
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            entry = json.loads(line)
            if entry.get("id"):
                layers.setdefault(entry["id"], {}).update(
                    {"status": entry.get("status", ""), **(entry.get("progressDetail") or {})}
                )
    return {
        "layers": len(layers),
        "done": sum(1 for layer in layers.values() if layer["status"] in DONE),
        "bytes": sum(int(layer.get("current") or 0) for layer in layers.values()),
        "totalBytes": sum(int(layer.get("total") or 0) for layer in layers.values()),
    }
