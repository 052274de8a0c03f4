"""Logins before endpoints with HTTPS: drawn here, and told to the provider as a hash."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from assay.wire.pods import ENDPOINT_SCRYPT, EndpointLogin

KEY_USER = "key"
# So many that a key of them is letters and digits alone.
PASSWORD_BYTES, SALT_BYTES = 19, 16


@dataclass(frozen=True)
class MadeLogin:
    """What the provider is told, and what its callers send: `header` is the whole value of Authorization."""

    login: EndpointLogin
    password: str = field(repr=False)
    header: str = field(repr=False)

    @property
    def key(self) -> str:
        """The key, where it is one."""
        return self.header.split()[1]


def made_login(user: str | None, randomness: Callable[[int], bytes] = secrets.token_bytes) -> MadeLogin:
    """A login with a password of 152 random bits; without a user a key, which is sent as `Authorization: Bearer`."""
    name = KEY_USER if user is None else user
    password, salt = randomness(PASSWORD_BYTES).hex(), randomness(SALT_BYTES)
    cost, block, lanes, length = ENDPOINT_SCRYPT
    hashed = hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=lanes, dklen=length)
    login = EndpointLogin(
        user=name,
        hash=base64.b64encode(hashed).decode(),
        salt=base64.b64encode(salt).decode(),
        bearer=user is None,
    )
    # A key is user and password in one word, so that the ingress compares the one as it does the other.
    word = base64.b64encode(f"{name}:{password}".encode()).decode()
    return MadeLogin(login, password, f"{'Basic' if user else 'Bearer'} {word}")
