"""SSH into a lease with the OpenSSH client: a key of its own, and the provider's host key pinned."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.renter.errors import BadInput, RenterError, Unreachable
from assay.renter.session.provider_session import ProviderSession
from assay.settings.text_files import text_of

ALIVE_S = "30"  # a shell whose other side is gone ends after three of these
# Of those that a provider takes, the quickest first: OpenSSH's own order begins with others.
CIPHERS = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr"


@dataclass(frozen=True)
class SshAccess:
    """How to reach a lease: all that `ssh` and a section of its configuration need."""

    lease_id: int
    host: str
    port: int
    user: str
    key_file: Path
    known_hosts: Path

    @property
    def host_alias(self) -> str:
        """The name of its section in ~/.ssh/config."""
        return f"assay-{self.lease_id}"

    def command(self, *rest: str, flags: Sequence[str] = ()) -> list[str]:
        """The OpenSSH command line; `flags` are ssh's own, such as -L PORT:HOST:PORT, and come before ours."""
        options = [part for name, value in self._options().items() for part in ("-o", f"{name}={value}")]
        return ["ssh", *flags, "-p", str(self.port), *options, f"{self.user}@{self.host}", *rest]

    def configuration(self) -> str:
        """A section for ~/.ssh/config."""
        where = {"HostName": self.host.replace("%", "%%"), "Port": self.port, "User": self.user}
        lines = [f"    {name} {value}\n" for name, value in {**where, **self._options()}.items()]
        return f"Host {self.host_alias}\n{''.join(lines)}"

    def _options(self) -> dict[str, str]:
        # Not -i for the key, which takes a path as it is and its signs for tokens: none with a percent sign works.
        return {
            "IdentityFile": ssh_path(self.key_file),
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": ssh_path(self.known_hosts),
            "StrictHostKeyChecking": "yes",
            "ForwardAgent": "no",
            "Ciphers": CIPHERS,
            "ServerAliveInterval": ALIVE_S,
        }


def _in_full(folder: Path) -> Path:
    """What is written is read in other folders too, and a ~ or a dash at the beginning means something there."""
    return folder.absolute()


def ssh_path(path: Path) -> str:
    """A path as OpenSSH's configuration takes it, wherever it is read: quoted where a sign of it means something there,
    since else a space begins another file and a percent sign a token. Raises BadInput for what it cannot say.
    """
    text = str(path.absolute())
    if "${" in text or not text.isprintable():
        raise BadInput(f"{text!r}: OpenSSH's configuration cannot name this folder: choose another with --data-dir")
    if re.fullmatch(r"[\w./@:+,=-]+", text):
        return text
    for sign, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(sign, written)
    return f'"{text}"'


async def open_access(session: ProviderSession, lease_id: int, folder: Path) -> SshAccess:
    """Has the provider take our key for this lease. Raises ProviderRefused, Unreachable, RenterError."""
    folder = _in_full(folder) / "ssh"
    key_file = own_key(folder / "id_ed25519")
    answer = await session.add_ssh_key(text_of(key_file.with_suffix(".pub").read_bytes()).strip())
    try:
        host = parse_origin(session.endpoint.url).host
    except BadOrigin as error:
        raise Unreachable(str(error)) from None
    port, user, host_key = checked(answer, lease_id)
    known_hosts = folder / f"known_hosts-{lease_id}"
    known_hosts.write_text(f"[{host}]:{port} {host_key}\n{host} {host_key}\n")
    return SshAccess(lease_id, host, port, user, key_file, known_hosts)


def checked(answer: dict[str, Any], lease_id: int) -> tuple[int, str, str]:
    """(port, user, host key) of a provider's answer; nothing in it may reach a command line or file unchecked."""
    port, user, host_key = answer.get("port"), answer.get("user"), answer.get("hostKey")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65_536:
        raise Unreachable("the provider names no SSH port")
    if user != f"lease-{lease_id}":
        raise Unreachable("the provider names another SSH user than the lease's")
    parts = host_key.split(" ") if isinstance(host_key, str) and len(host_key) < 2_048 else []
    if len(parts) < 2 or not all(part.isascii() and part.isprintable() for part in parts):
        raise Unreachable("the provider names no SSH host key")
    return port, str(user), f"{parts[0]} {parts[1]}"


def own_key(path: Path) -> Path:
    """This wallet's SSH key, made where there is none. Raises RenterError without OpenSSH."""
    public = path.with_suffix(".pub")
    if path.exists() and public.exists() and path.stat().st_size and public.stat().st_size:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    os.chmod(path.parent, 0o700)  # noqa: PTH101
    # Under another name until both files are whole: a full disk leaves half a key.
    fresh = path.with_name(f"{path.name}-new")
    fresh_public = fresh.with_suffix(".pub")
    for left in (fresh, fresh_public):
        left.unlink(missing_ok=True)
    try:
        subprocess.run(  # noqa: S603
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "assay", "-f", str(fresh)],  # noqa: S607
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise RenterError(f"no SSH key could be made, OpenSSH is needed: {error}") from error
    fresh_public.replace(public)
    fresh.replace(path)
    return path
