"""Where backups go, as people write it, and what opens it: the key of each repository is made and kept here."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from assay.renter.errors import BadInput
from assay.wire.storage.backups import RepositoryBody, kind_of

AMAZON = "https://s3.amazonaws.com"
KEY_BYTES = 32
SHOWN_FIRST = 400


@dataclass(frozen=True)
class StorageOptions:
    """What a person said of a place: its address, where S3 is, files with a key of theirs and for SFTP."""

    place: str
    endpoint: str | None = None
    repository_key: Path | None = None
    ssh_key: Path | None = None
    ssh_host_key: str | None = None


def address_of(place: str, endpoint: str | None = None) -> str:
    """As restic takes it. Raises BadInput for what a provider cannot reach."""
    text = place.strip()
    bucket = re.fullmatch(r"s3://(.+)", text)
    if bucket is not None:
        base = (endpoint or AMAZON).rstrip("/")
        if not re.match("https?://", base):
            raise BadInput(f"--endpoint {base!r}: expected an address, such as https://s3.eu-central-1.amazonaws.com")
        text = f"s3:{base}/{bucket[1].strip('/')}"
    try:
        kind_of(text)
    except ValueError as error:
        more = "" if ":" in place else "; a folder of this machine is not within the provider's reach"
        said = f"{place[:SHOWN_FIRST]!r} is no place for backups: s3://BUCKET/PREFIX, or as restic writes it"
        raise BadInput(f"{said}: {error}{more}") from None
    return text


def repository_of(options: StorageOptions, key_folder: Path, environment: Mapping[str, str]) -> RepositoryBody:
    """The repository with all that opens it: S3's and REST's credentials come from the variables that AWS's own tools
    and restic take. Raises BadInput naming what is missing."""
    endpoint = options.endpoint or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    address = address_of(options.place, endpoint)
    password = _password(options.repository_key or key_file(key_folder, address), made=options.repository_key is None)
    found: dict[str, Any] = {"address": address, "password": SecretStr(password)}
    kind = kind_of(address)
    if kind == "s3":
        found["user"] = _needed(environment, "AWS_ACCESS_KEY_ID", address)
        found["secret"] = SecretStr(_needed(environment, "AWS_SECRET_ACCESS_KEY", address))
        if token := environment.get("AWS_SESSION_TOKEN"):
            found["session"] = SecretStr(token)
        found["region"] = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or None
    elif kind == "rest" and environment.get("RESTIC_REST_USERNAME"):
        found["user"] = environment["RESTIC_REST_USERNAME"]
        found["secret"] = SecretStr(_needed(environment, "RESTIC_REST_PASSWORD", address))
    elif kind == "sftp":
        if options.ssh_key is None or options.ssh_host_key is None:
            raise BadInput(f"{address}: --ssh-key FILE and --ssh-host-key 'TYPE KEY' say who logs in, and where")
        found["secret"] = SecretStr(_text(options.ssh_key))
        found["host_key"] = options.ssh_host_key
    try:
        return RepositoryBody(**found)
    except ValidationError as error:
        what = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, what['loc']))} of {address}: {what['msg']}") from None


def key_file(folder: Path, address: str) -> Path:
    """Where the key of a repository is kept: another for each, so that whoever is handed one opens no other."""
    name = re.sub("[^a-z0-9]+", "-", address.lower()).strip("-")[:60]
    return folder / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:12]}.key"


def _password(path: Path, made: bool) -> str:
    """The first line of the file, which is made where it may be. Raises BadInput."""
    if made and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Written aside first: half a key would lock everything away.
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)
        except FileExistsError:
            pass  # another command of ours has made it meanwhile
        finally:
            partial.unlink()
    found = _text(path).lstrip("\ufeff").split("\n", 1)[0].rstrip("\r")
    if not found:
        raise BadInput(f"{path}: holds no key of a repository; move it away, or name another")
    return found


def _text(path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or 'is no text'}") from None


def _needed(environment: Mapping[str, str], name: str, address: str) -> str:
    if value := environment.get(name):
        return value
    raise BadInput(f"{address}: set {name}; what it says goes to the provider for this lease, over TLS")
