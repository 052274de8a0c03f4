"""The folder of one local network: keys, logs, databases, and a lock that keeps a second network out."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from assay.devnet.errors import AlreadyRunning


@dataclass
class Workspace:
    """Paths of one network. Use as a context manager: entering locks and empties the folder.

    Raises AlreadyRunning on entering when another process holds the folder.
    """

    root: Path
    _lock: IO[str] | None = None

    def __enter__(self) -> Workspace:
        self.root.mkdir(parents=True, exist_ok=True)
        lock = (self.root / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunning(self.root, lock.read().strip()) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        for folder in (self.keys, self.logs, self.data):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.password_file.write_text(secrets.token_urlsafe(24))
        self.password_file.chmod(0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def keys(self) -> Path:
        """Encrypted key files."""
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        """One log a process."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """One folder a daemon, with its database."""
        return self.root / "data"

    @property
    def password_file(self) -> Path:
        """The password of every key file here, made anew for each network."""
        return self.keys / "password"

    @property
    def deployment(self) -> Path:
        """Addresses and ABIs, as the deployment wrote them."""
        return self.root / "deployment.json"

    @property
    def parameters(self) -> Path:
        """What the deployment was given."""
        return self.root / "parameters.yml"  # JSON, which is YAML

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"
