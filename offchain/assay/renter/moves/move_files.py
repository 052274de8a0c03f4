"""How far a move of a lease has come, kept so that one that was killed goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from assay.renter.backups.backup_files import write_private
from assay.renter.errors import RenterError


class MoveStep(StrEnum):
    """What is to be done next."""

    renting = "renting"  # the next lease, if it was not opened before all this was killed
    copying = "copying"  # a last backup, and its files into the next lease
    ending = "ending"  # the old lease, until that is final
    starting = "starting"  # the work, in the next lease


@dataclass(frozen=True)
class MoveState:
    """A move of lease `old`. `devices` are those that are rented, `known` the leases there were before; `new` is the
    next lease once it is there. `silent`: the old provider does not answer, so its last backup is what there is.
    `start` is what runs in the pod once the old lease has ended."""

    old: int
    step: MoveStep
    devices: tuple[str, ...]
    known: tuple[int, ...]
    seconds: int
    silent: bool
    new: int | None = None
    image: str | None = None
    digest: str | None = None
    start: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


class MoveFiles:
    """One file a lease that is being moved, in a folder of the chain and escrow it belongs to."""

    def __init__(self, folder: Path, chain_id: int, escrow: str) -> None:
        self._folder = folder / "moves" / f"{chain_id}-{escrow.lower()}"

    def read(self, old: int) -> MoveState | None:
        """None where no move is under way. Raises RenterError for a damaged file."""
        path = self._path(old)
        try:
            found = json.loads(path.read_bytes())
            lists = {name: tuple(found[name]) for name in ("devices", "known", "start", "ports")}
            return MoveState(**{**found, **lists, "step": MoveStep(found["step"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RenterError(f"{path}: cannot be read ({error}); `assay leases` shows what runs") from None

    def write(self, state: MoveState) -> None:
        """Keeps it; the file is there in whole or not at all."""
        write_private(self._path(state.old), json.dumps(asdict(state)))

    def remove(self, old: int) -> None:
        """The move is over."""
        self._path(old).unlink(missing_ok=True)

    def _path(self, old: int) -> Path:
        return self._folder / f"{old}.json"
