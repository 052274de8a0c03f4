"""Public keys by lease: each was brought in a request that the renter's wallet signed."""

from __future__ import annotations

import asyncssh
from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from assay.provider.database import ssh_keys
from assay.provider.errors import ProviderError, TooLarge
from assay.wire.leases import MAX_SSH_KEY

MAX_KEYS = 8
ALGORITHMS = frozenset({"ssh-ed25519", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "ssh-rsa"})


def parse_key(text: str) -> asyncssh.SSHKey:
    """A public key in OpenSSH's form. Raises ProviderError."""
    if len(text) > MAX_SSH_KEY or "\n" in text.strip():
        raise ProviderError("a public key of one line, as in id_ed25519.pub, is needed")
    try:
        key = asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise ProviderError(f"not a public key in OpenSSH's form: {error}") from error
    if key.get_algorithm() not in ALGORITHMS:
        raise ProviderError(f"keys of type {key.get_algorithm()} are not taken")
    return key


class AuthorisedKeys:
    """Keys in the daemon's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, lease_id: int, text: str) -> str:
        """Notes a key for a lease; its fingerprint. Raises ProviderError, TooLarge."""
        key = parse_key(text)
        fingerprint = str(key.get_fingerprint())
        known = self.fingerprints(lease_id)
        if fingerprint not in known and len(known) >= MAX_KEYS:
            raise TooLarge(f"a lease takes at most {MAX_KEYS} keys")
        with self._engine.begin() as connection:
            row = insert(ssh_keys).values(lease_id=str(lease_id), fingerprint=fingerprint)
            connection.execute(row.on_conflict_do_nothing())
        return fingerprint

    def fingerprints(self, lease_id: int) -> set[str]:
        """SHA-256 fingerprints of a lease's keys."""
        query = select(ssh_keys.c.fingerprint).where(ssh_keys.c.lease_id == str(lease_id))
        with self._engine.connect() as connection:
            return {str(row[0]) for row in connection.execute(query)}

    def forget(self, lease_id: int) -> None:
        """Removes all keys of a lease."""
        with self._engine.begin() as connection:
            connection.execute(delete(ssh_keys).where(ssh_keys.c.lease_id == str(lease_id)))
