"""The daemon's SSH host key, made once."""

from __future__ import annotations

from pathlib import Path

import asyncssh

from assay.chain.new_files import write_new


def host_key(path: Path) -> asyncssh.SSHKey:
    """The key in a file, made where there is none; readable by its owner only."""
    if path.exists():
        return asyncssh.read_private_key(path)
    key = asyncssh.generate_private_key("ssh-ed25519")
    write_new(path, key.export_private_key())
    return key


def public_line(key: asyncssh.SSHKey) -> str:
    """As it stands in a known_hosts file, after the host."""
    return str(key.export_public_key().decode().strip())
