"""Keys in encrypted JSON keystores, as Ape and geth write them. A key is never
shown, logged or put in an error."""

from __future__ import annotations

import getpass
import json
import logging
import os
import secrets
import sys
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.chain.errors import KeyFileError
from assay.chain.new_files import readable_by_others, write_new
from assay.protocol.signing import Domain, address_of, sign_compact
from assay.protocol.typed_message import TypedMessage
from assay.settings.base import expanded
from assay.settings.text_files import text_of

KEY_FILE_VARIABLE = "ASSAY_KEY_FILE"
PASSWORD_FILE_VARIABLE = "ASSAY_PASSWORD_FILE"  # noqa: S105 - the name of a setting
MAX_FILE = 64 << 10
log = logging.getLogger(__name__)
_LIGHT_ITERATIONS = 1_000


class Key:
    """A private key that signs. Its value leaves this object only encrypted."""

    __slots__ = ("_private_key", "address")
    blocks = False  # nobody is asked: a signature takes microseconds

    def __init__(self, private_key: bytes) -> None:
        self.address = address_of(private_key)
        self._private_key = bytes(private_key)

    @classmethod
    def generate(cls) -> Key:
        """A fresh key from the system's randomness."""
        while True:
            try:
                return cls(secrets.token_bytes(32))
            except ValueError:
                continue  # Off the curve's order: once in 2^128.

    def sign_digest(self, digest: bytes) -> bytes:
        """Compact signature, 64 bytes."""
        return sign_compact(digest, self._private_key)

    def sign(self, message: TypedMessage, domain: Domain) -> bytes:
        """Compact signature over a typed message, 64 bytes."""
        return self.sign_digest(message.digest(domain))

    def sign_transaction(self, transaction: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """(raw bytes, hash) of a signed transaction."""
        from eth_account import Account

        signed = Account.sign_transaction(dict(transaction), self._private_key)
        return bytes(signed.raw_transaction), bytes(signed.hash)

    def encrypted(self, password: str, *, light: bool = False) -> dict[str, Any]:
        """A version 3 keystore. `light` derives the key cheaply: for local chains only."""
        from eth_account import Account

        if light:
            return Account.encrypt(self._private_key, password, kdf="pbkdf2", iterations=_LIGHT_ITERATIONS)
        return Account.encrypt(self._private_key, password)

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")


def create(path: Path | str, password: str, *, key: Key | None = None, light: bool = False) -> Key:
    """Writes a new keystore, readable by its owner only, in whole or not at all. Raises KeyFileError if the file is
    there already, cannot be written, or the password is empty."""
    path = Path(path)
    if not password:
        raise KeyFileError(f"{path}: the password is empty: whoever reads the file would have the key")
    key = key or Key.generate()
    text = json.dumps(key.encrypted(password, light=light))
    try:
        write_new(path, text.encode())
    except FileExistsError:
        broken = " and is empty: its making broke off, remove it" if _is_empty(path) else ""
        raise KeyFileError(f"{path}: exists already{broken}; a key file is never overwritten") from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written ({error.strerror}); no key was made") from None
    return key


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def load(path: Path | str, password: str) -> Key:
    """The key in a keystore. Raises KeyFileError for a missing, malformed or wrongly unlocked file."""
    from eth_account import Account

    path = Path(path)
    keystore = _read(path)
    if readable_by_others(path):
        log.warning("%s: every account on this machine can read it: chmod 600 it", path)
    try:
        return Key(bytes(Account.decrypt(keystore, password)))
    except ValueError:
        raise KeyFileError(f"{path}: the password does not unlock it") from None
    except (KeyError, TypeError, NotImplementedError):
        raise KeyFileError(f"{path}: is not a version 3 keystore") from None


def open_key(file: Path | None, password_file: Path | None) -> Key:
    """The key that settings name. Raises KeyFileError, where they name none too."""
    if file is None:
        raise KeyFileError(f"no key file: name it with --key-file or {KEY_FILE_VARIABLE}")
    return load(file, password(password_file))


def address_in(path: Path | str) -> str | None:
    """The address a keystore names in clear, without unlocking it; None where it names none."""
    value = _read(Path(path)).get("address")
    if not isinstance(value, str):
        return None
    from assay.protocol.hexadecimal import HexadecimalError, parse_address

    try:
        return parse_address("0x" + value.lower().removeprefix("0x"))
    except HexadecimalError:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE:
            raise KeyFileError(f"{path}: too large for a keystore")
        keystore = json.loads(path.read_bytes().removeprefix(BOM_UTF8))
    except FileNotFoundError:
        raise KeyFileError(f"{path}: no such key file") from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise KeyFileError(f"{path}: is not JSON; expected an encrypted keystore") from None
    if not isinstance(keystore, dict) or "crypto" not in {str(k).lower() for k in keystore}:
        raise KeyFileError(f"{path}: is not a keystore: it has no 'crypto' part")
    return keystore


def password(file: Path | str | None = None, *, environment: Mapping[str, str] | None = None) -> str:
    """From `file`, else from the file that ASSAY_PASSWORD_FILE names, else asked for on a terminal.

    A password is the file's first line, without a byte order mark and the end of the line, whichever system wrote it.
    Raises KeyFileError, also for an empty one.
    """
    named = file or (os.environ if environment is None else environment).get(PASSWORD_FILE_VARIABLE)
    if named:
        try:
            path = expanded(Path(named))
            content = path.read_bytes()
            line = _first_line(content)
        except OSError as error:
            raise KeyFileError(f"password file {named}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise KeyFileError(f"password file {named}: is not text") from None
        except ValueError as error:
            raise KeyFileError(f"password file {error}") from None
        if not line:
            raise KeyFileError(f"password file {named}: its first line is empty; a key needs a password")
        if readable_by_others(path):
            log.warning("password file %s: every account on this machine can read it: chmod 600 it", named)
        return line
    if not sys.stdin.isatty():
        raise KeyFileError(
            f"no password: name a file with --password-file or {PASSWORD_FILE_VARIABLE}, or run on a terminal"
        )
    return getpass.getpass("Password of the key file: ")


def _first_line(content: bytes) -> str:
    return text_of(content).split("\n", 1)[0].rstrip("\r")
