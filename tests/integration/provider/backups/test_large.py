"""As much as a working lease holds: 10 GiB, or what ASSAY_BACKUP_MIB says, there and back, hash by hash."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from pathlib import Path

import pytest

from .places import FIRST_ID, missing, place, repository

SIZE_MIB = int(os.environ.get("ASSAY_BACKUP_MIB", 10 << 10))
PIECE = 8 << 20
pytestmark = [pytest.mark.deep, pytest.mark.skipif(missing() is not None, reason=str(missing()))]


def hashes(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(one for one in root.rglob("*") if one.is_file()):
        with path.open("rb") as file:
            found[str(path.relative_to(root))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def test_files__of_many_gibibytes__come_back_with_the_same_hashes(storage: str, tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 4 * SIZE_MIB << 20:
        pytest.skip(f"needs {4 * SIZE_MIB} MiB of disk for {SIZE_MIB} MiB: the files, what is stored, what comes back")
    draw = random.Random(7)
    with place(tmp_path / "a", size=None) as here, place(tmp_path / "b", lease_id=4, size=None) as there:
        left = SIZE_MIB << 20
        number = 0
        while left:
            # A few large ones, and many that are small.
            size = min(left, draw.choice((64 << 20, 256 << 20, 1 << 20, 4096)))
            path = here.workspace / f"{number % 50}" / f"{number}.bin"
            path.parent.mkdir(exist_ok=True)
            with path.open("wb") as file:
                for at in range(0, size, PIECE):
                    file.write(draw.randbytes(min(PIECE, size - at)))
            os.chown(path, FIRST_ID, FIRST_ID)
            os.chown(path.parent, FIRST_ID, FIRST_ID)
            left, number = left - size, number + 1
        for one in (here, there):
            one.folders.deadline.write_text(repr(2.0**40))
        opened = repository(storage, "large-one")
        made = here.keeper("backup", opened)
        made.run()
        assert made.progress.failure is None and made.progress.last is not None
        assert made.progress.last.bytes == SIZE_MIB << 20
        back = there.keeper("restore", opened)
        back.run()
        assert back.progress.failure is None and back.progress.last is not None
        assert hashes(there.workspace) == hashes(here.workspace)
        for what, last in (("backed up", made.progress.last), ("restored", back.progress.last)):
            print(f"{what} {SIZE_MIB} MiB in {number} files in {last.seconds:.0f} s")
