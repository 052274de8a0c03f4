"""The daemon's SSH host key, made once."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh


def host_key(path: Path) -> asyncssh.SSHKey:
    """The key in a file, made where there is none; readable by its owner only."""
    if path.exists():
        return asyncssh.read_private_key(path)
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under its name once it is whole: what a full disk cut off would be taken for the key for ever.
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(key.export_private_key())
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    return key


def public_line(key: asyncssh.SSHKey) -> str:
    """As it stands in a known_hosts file, after the host."""
    return str(key.export_public_key().decode().strip())
