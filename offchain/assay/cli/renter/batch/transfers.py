"""Files of a batch: what all jobs need goes to each lease, a job's results come back, no more of them than may."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from assay.cli.renter.files import local_and_remote, put_all, uploads
from assay.cli.renter.local_files import growing_file, parts_below, save_file, save_folder
from assay.renter.errors import BadInput
from assay.renter.session.file_transfer import Transfer

MOST_FILES = 100_000  # of one job
PATIENCE_S = 60.0


async def put_needed(session: Any, pairs: Sequence[str]) -> None:
    """Puts each LOCAL[:REMOTE] into a lease's workspace. Raises BadInput, ProviderRefused, Unreachable."""
    for pair in pairs:
        local, remote = local_and_remote(pair)
        await put_all(Transfer(session, patience_s=PATIENCE_S), list(uploads(local, remote, recursive=True)))


async def fetch_results(session: Any, remote: str, target: Path, most: int) -> None:
    """Fetches everything in a folder of a lease, at most `most` bytes; links are left there. Raises BadInput for more,
    or for what leads out of the folder, ProviderRefused, Unreachable."""
    come, files = 0, 0

    def moved(count: int) -> None:
        nonlocal come
        come += count
        if come > most:
            raise BadInput(f"they are more than {most} bytes: --max-results")

    transfer = Transfer(session, moved, patience_s=PATIENCE_S)
    large: list[tuple[tuple[str, ...], str, int]] = []
    async for entry, content in transfer.small_files(remote):
        files += 1
        if files > MOST_FILES:
            raise BadInput(f"they are more than {MOST_FILES} files")
        parts = parts_below(entry.path)
        if entry.kind == "file":
            save_file(target, parts, content, entry.mode)
        elif entry.kind == "folder":
            save_folder(target, parts)
        elif entry.kind == "large":
            large.append((parts, str(PurePosixPath(remote) / entry.path), entry.mode))
    for parts, path, mode in large:
        with growing_file(target, parts) as file:
            await transfer.fetch_file(path, file)
            os.fchmod(file.fileno(), mode)
