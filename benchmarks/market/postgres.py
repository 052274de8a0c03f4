"""A PostgreSQL of one's own: a temporary cluster from the installed package, on a socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def installed() -> Path | None:
    """The folder of initdb and postgres: Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "postgres").exists()), None)


@contextmanager
def temporary_postgres(memory_mb: int = 256) -> Iterator[str]:
    """The URL of a fresh database. Raises FileNotFoundError without PostgreSQL."""
    binaries = installed()
    if binaries is None:
        raise FileNotFoundError("no PostgreSQL here: install Debian's package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="market-postgres-"))
    user = _somebody()
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"

    def run(*arguments: str) -> None:
        command = [str(binaries / arguments[0]), *arguments[1:]]
        done = subprocess.run(command, user=user, capture_output=True, text=True, cwd=folder)
        if done.returncode:
            raise RuntimeError(f"{arguments[0]}: {done.stderr or done.stdout}")

    # Nothing here outlives the run, so nothing waits for the disk.
    options = (
        f"-k {folder} -c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off "
        f"-c shared_buffers={memory_mb}MB -c work_mem=16MB -c random_page_cost=1.1"
    )
    try:
        run("initdb", "-D", str(data), "-U", "market", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://market@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _somebody() -> str | None:
    """Who runs the server: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError("running as root and there is no other user to run PostgreSQL as")
