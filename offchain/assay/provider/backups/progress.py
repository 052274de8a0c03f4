"""How a lease's backup or restore stands, kept in a file beside its pod: nothing in it is secret."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.keeper import write_whole

if TYPE_CHECKING:
    from assay.wire.storage.backups import BackupState

BACKUP: Literal["backup"] = "backup"
RESTORE: Literal["restore"] = "restore"


@dataclass(frozen=True)
class LastBackup:
    """What the last one came to; times in seconds since 1970."""

    snapshot: str
    at: float
    seconds: float
    files: int
    bytes: int
    added: int = 0
    unread: int = 0


@dataclass(frozen=True)
class BackupProgress:
    """As `BackupShownBody` tells it."""

    state: BackupState = "working"
    address: str = ""
    every: int | None = None
    began_at: float | None = None
    next_at: float | None = None
    done_bytes: int = 0
    total_bytes: int = 0
    failure: str | None = None
    failures: int = 0
    last: LastBackup | None = None


def progress_file(folders: PodFolders, role: str) -> Path:
    """Where it is kept."""
    return folders.pod / f"{role}.json"


def read_progress(folders: PodFolders, role: str) -> BackupProgress | None:
    """None where none was ever asked for."""
    try:
        found: dict[str, Any] = json.loads(progress_file(folders, role).read_text())
        last = found.pop("last")
        return BackupProgress(**found, last=None if last is None else LastBackup(**last))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_progress(folders: PodFolders, role: str, progress: BackupProgress) -> None:
    """Keeps it whole. Raises OSError."""
    write_whole(progress_file(folders, role), json.dumps(asdict(progress)))


def after_failure(progress: BackupProgress, failure: str, again_at: float | None) -> BackupProgress:
    """What stands once one has failed: with a time for the next it goes on."""
    state: BackupState = "failed" if again_at is None else "waiting"
    return replace(progress, state=state, failure=failure, failures=progress.failures + 1, next_at=again_at)


def after_success(progress: BackupProgress, last: LastBackup, again_at: float | None) -> BackupProgress:
    """What stands once one is whole."""
    state: BackupState = "done" if again_at is None else "waiting"
    return replace(progress, state=state, failure=None, failures=0, next_at=again_at, last=last)
