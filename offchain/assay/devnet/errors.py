"""What can go wrong when a local network is started."""

from __future__ import annotations

from pathlib import Path


class DevnetError(Exception):
    """A local network could not be started or did not do its job. The message is for people."""


class AlreadyRunning(DevnetError):
    """Another local network holds the working folder."""

    def __init__(self, folder: Path, pid: str) -> None:
        super().__init__(
            f"another network is running in {folder} (process {pid or 'unknown'}); "
            "stop it with Ctrl-C, or choose another folder with --folder"
        )


class PortInUse(DevnetError):
    """A port that was asked for is taken."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use; stop what listens there, or choose another with --port")


class ProgramMissing(DevnetError):
    """A program that the network is made of is not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"cannot find the program {name!r}; `make setup` installs all that is needed")


class ChildFailed(DevnetError):
    """A process of the network ended when it should not have."""

    def __init__(self, name: str, status: int, log: Path, tail: str) -> None:
        super().__init__(f"{name} ended with status {status}; the end of {log}:\n{tail}")


class TookTooLong(DevnetError):
    """Something that had to happen did not within its time."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} did not happen within {seconds:.0f} s; the logs tell more")
