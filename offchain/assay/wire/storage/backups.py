"""Backups of a lease's files: where they go, with which key, and how they stand. What is secret travels over TLS only,
and is shown in no text of these bodies."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr

from assay.wire.fields import Wire

MAX_ADDRESS = 1_000
MAX_SECRET = 16_384  # an SSH key is the longest
MIN_EVERY_S, MAX_EVERY_S = 60, 7 * 24 * 3600
MAX_SNAPSHOTS = 1_000
HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
PATH = r"[A-Za-z0-9._~+=@-]+"
# As restic takes them. Nothing else: a path of the provider's own disk would be no backup, and rclone any program.
ADDRESSES = {
    "s3": re.compile(rf"s3:https?://{HOST}/{PATH}(?:/{PATH})*", re.ASCII),
    "rest": re.compile(rf"rest:https://{HOST}(?:/{PATH})*/?", re.ASCII),
    "sftp": re.compile(rf"sftp://[A-Za-z0-9._-]{{1,64}}@{HOST}/(?:/?{PATH})(?:/{PATH})*", re.ASCII),
}

BackupKind = Literal["backup", "restore"]
BackupState = Literal["none", "working", "waiting", "done", "failed", "keyless", "stopped"]


def kind_of(address: str) -> str:
    """`s3`, `rest` or `sftp`. Raises ValueError for an address of none of them."""
    for kind, pattern in ADDRESSES.items():
        if pattern.fullmatch(address) and not any(part in (".", "..") for part in address.split("/")):
            return kind
    raise ValueError("expected s3:https://HOST/BUCKET/PREFIX, rest:https://HOST/PATH or sftp://USER@HOST/PATH")


def _known(address: str) -> str:
    kind_of(address)
    return address


Secret = Annotated[SecretStr, Field(min_length=1, max_length=MAX_SECRET)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
SnapshotId = Annotated[str, Field(pattern=r"^(?:latest|[0-9a-f]{8,64})$")]


class RepositoryBody(Wire):
    """A restic repository and what opens it. `user` and `secret` are an access key and its secret, or the login of a
    REST server; `session` is the token of temporary ones. SFTP takes an SSH key as `secret` and the server's own public
    key as `host_key`."""

    address: Annotated[str, Field(max_length=MAX_ADDRESS), AfterValidator(_known)]
    password: Secret
    user: Annotated[str, Field(max_length=400, pattern=r"^[!-9;-~]*$")] = ""
    secret: Secret | None = None
    session: Secret | None = None
    region: Word | None = None
    host_key: Annotated[str, Field(max_length=1_000, pattern=r"^[ -~]*$")] | None = None

    def to_secret_json(self) -> Any:
        """As it travels to whoever is to open the repository, with all that is secret."""
        shown = {
            name: getattr(self, name).get_secret_value()
            for name in ("password", "secret", "session")
            if getattr(self, name) is not None
        }
        return {**self.to_json(), **shown}


class BackupBody(Wire):
    """A backup now, and with `every` again and again, in seconds from the beginning of one to that of the next."""

    repository: RepositoryBody
    every: Annotated[int, Field(ge=MIN_EVERY_S, le=MAX_EVERY_S)] | None = None


class RestoreBody(Wire):
    """Puts the files of a snapshot into the lease's pod; of `lease` where it is given, else the newest of any."""

    repository: RepositoryBody
    snapshot: SnapshotId = "latest"
    lease: Annotated[int, Field(ge=1)] | None = None


class SnapshotBody(Wire):
    """One snapshot: whose files, when, its id in the repository."""

    id: Annotated[str, Field(max_length=64)]
    at: Annotated[str, Field(max_length=40)]
    lease: Annotated[int, Field(ge=0)] = 0


class SnapshotsBody(Wire):
    """What a repository holds, oldest first; `left_out` older ones are not named."""

    snapshots: Annotated[list[SnapshotBody], Field(max_length=MAX_SNAPSHOTS)]
    left_out: Annotated[int, Field(ge=0)] = 0


class BackupDone(Wire):
    """What the last one came to. Times in seconds since 1970, `added` is what went over the network."""

    snapshot: Annotated[str, Field(max_length=64)]
    at: Annotated[float, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]
    files: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    added: Annotated[int, Field(ge=0)] = 0
    unread: Annotated[int, Field(ge=0)] = 0


class BackupShownBody(Wire):
    """How a lease's backups, or a restore, stand. `keyless`: they were to go on, and whoever held the key is gone."""

    kind: BackupKind
    state: BackupState
    address: Annotated[str, Field(max_length=MAX_ADDRESS)] = ""
    every: Annotated[int, Field(ge=0)] | None = None
    began_at: float | None = None
    next_at: float | None = None
    done_bytes: Annotated[int, Field(ge=0)] = 0
    total_bytes: Annotated[int, Field(ge=0)] = 0
    failure: Annotated[str, Field(max_length=1_000)] | None = None
    failures: Annotated[int, Field(ge=0)] = 0
    last: BackupDone | None = None
