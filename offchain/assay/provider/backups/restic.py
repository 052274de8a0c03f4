"""What restic is called with, and what it says, in the words of whoever asked for a backup. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from assay.provider.backups.confine import SCRATCH

SOURCE = "/workspace"
CACHE = "/cache"
KEY_FILE, HOSTS_FILE = f"{SCRATCH}/key", f"{SCRATCH}/known_hosts"
HOST = "assay"  # of every snapshot, so that the next one of any lease is compared with it
TAG = "lease-"
MAX_WORDS = 300
INCOMPLETE = 3  # restic's exit code where some files could not be read


@dataclass(frozen=True)
class RepositoryOpening:
    """What opens a repository: variables of restic's own process, its options, files that are there only for it. Never
    shown: all of it may be secret."""

    environment: Mapping[str, str]
    options: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "RepositoryOpening(…)"


def opening(repository: Mapping[str, Any], program: str = "ssh") -> RepositoryOpening:
    """Of a repository as `RepositoryBody.to_secret_json` tells it; `program` is OpenSSH's client."""
    address = str(repository["address"])
    user, secret = str(repository.get("user") or ""), str(repository.get("secret") or "")
    variables = {"RESTIC_PASSWORD": str(repository["password"]), "RESTIC_REPOSITORY": address}
    if address.startswith("s3:"):
        variables |= {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": secret}
        for name, key in (("AWS_SESSION_TOKEN", "session"), ("AWS_DEFAULT_REGION", "region")):
            if repository.get(key):
                variables[name] = str(repository[key])
        return RepositoryOpening(variables)
    if address.startswith("rest:"):
        if user:
            login = f"{quote(user, safe='')}:{quote(secret, safe='')}@"
            variables["RESTIC_REPOSITORY"] = address.replace("https://", f"https://{login}", 1)
        return RepositoryOpening(variables)
    place = urlsplit(address)
    name = f"[{place.hostname}]:{place.port}" if place.port else str(place.hostname)
    known = f"{name} {repository.get('hostKey') or ''}\n"
    options = {
        "IdentityFile": KEY_FILE, "IdentitiesOnly": "yes", "BatchMode": "yes", "UserKnownHostsFile": HOSTS_FILE,
        "StrictHostKeyChecking": "yes", "GlobalKnownHostsFile": "none", "ServerAliveInterval": "60",
        "User": str(place.username), "Port": str(place.port or 22),
    }  # fmt: skip
    command = [program, "-F", "none", *(f"-o{key}={value}" for key, value in options.items())]
    line = " ".join([*command, str(place.hostname), "-s", "sftp"])
    return RepositoryOpening(
        variables, ("-o", f"sftp.command={line}"), {KEY_FILE: secret.rstrip() + "\n", HOSTS_FILE: known}
    )


def backup_arguments(lease_id: int) -> tuple[str, ...]:
    """Makes a snapshot of everything below the lease's workspace, on one file system."""
    return (
        "backup", "--json", "--host", HOST, "--tag", f"{TAG}{lease_id}", "--one-file-system", "--cache-dir", CACHE,
        SOURCE,
    )  # fmt: skip


def snapshot_arguments(snapshot: str, lease_id: int | None) -> tuple[str, ...]:
    """Which snapshot is meant, of whichever lease for None."""
    tag = ("--tag", f"{TAG}{lease_id}") if lease_id is not None and snapshot == "latest" else ()
    return (*(("--path", SOURCE) if snapshot == "latest" else ()), *tag)


def restore_arguments(snapshot: str) -> tuple[str, ...]:
    """Puts a snapshot's files where they were: below the workspace, and nothing else of it."""
    return ("restore", snapshot, "--target", "/", "--include", SOURCE, "--cache-dir", CACHE)


@dataclass(frozen=True)
class Snapshot:
    """One of a repository."""

    id: str
    at: str
    lease_id: int


def snapshots_of(text: str) -> list[Snapshot]:
    """Those of leases' workspaces that `restic snapshots --json` lists, oldest first. Raises ValueError."""
    found = json.loads(text) or []
    kept = []
    for one in found:
        if SOURCE not in one.get("paths", ()):
            continue
        tags = [tag for tag in one.get("tags") or () if re.fullmatch(rf"{TAG}[0-9]{{1,20}}", tag)]
        kept.append(Snapshot(str(one["id"]), str(one["time"])[:40], int(tags[0][len(TAG) :]) if tags else 0))
    return sorted(kept, key=lambda one: one.at)


def newest(found: Sequence[Snapshot], wanted: str, lease_id: int | None) -> Snapshot | None:
    """The snapshot that is meant; None where there is none."""
    if wanted != "latest":
        matching = [one for one in found if one.id.startswith(wanted)]
        return matching[0] if len(matching) == 1 else None
    of_lease = [one for one in found if lease_id is None or one.lease_id == lease_id]
    return of_lease[-1] if of_lease else None


def message_of(line: str) -> Mapping[str, Any]:
    """A line of restic's progress; empty for what is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_absent(words: str) -> bool:
    """Whether it was said that there is no repository, though the place for it is there."""
    lower = words.lower()
    return "unable to open config file" in lower and (
        "specified key does not exist" in lower
        or "file does not exist" in lower
        or "no such file" in lower
        or "404" in lower
    )


# What restic and the storage say, and what whoever reads it has to do.
REASONS: tuple[tuple[str, str], ...] = (
    (r"wrong password or no key found", "the key does not open this repository: it was made with another one"),
    (r"bucket does not exist|nosuchbucket", "there is no such bucket: make it first, or correct its name"),
    (
        r"access denied|accessdenied|\b403\b|forbidden|allaccessdisabled|access key id you provided does not exist|"
        r"signature we calculated|invalidaccesskeyid|signaturedoesnotmatch|not authori[sz]ed",
        "the storage refuses these credentials: they need to list, read and write there",
    ),
    (r"\b401\b|unauthori[sz]ed", "the storage refuses this login"),
    (r"permission denied \(|host key verification failed", "the SSH server is another one, or refuses this key"),
    (
        r"connection refused|no route to host|network is unreachable|i/o timeout|no such host|deadline exceeded|"
        r"connection timed out",
        "the storage cannot be reached from the pod's network",
    ),
    (r"no space left|disk quota", "no room is left"),
    (r"out of memory|cannot allocate", "the pod's memory is used up"),
)


def reason_of(words: str, otherwise: str) -> str:
    """Why it failed, for people: what to do, and restic's own last words."""
    said = last_words(words)
    for pattern, told in REASONS:
        if re.search(pattern, words, re.IGNORECASE):
            return f"{told} ({said})" if said else told
    return f"{otherwise} ({said})" if said else otherwise


def unrestored(words: str) -> str:
    """Why a restore failed: the first entry that could not be made where there are such, else as `reason_of`."""
    ignored = re.findall(r"^ignoring error for (.+)$", words, re.MULTILINE)
    if not ignored:
        return reason_of(words, "the files could not be restored")
    return f"{len(ignored)} entries of the snapshot could not be restored, the first: {last_words(ignored[0])}"


def last_words(text: str) -> str:
    """The line that says most, on one line."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("Fatal:")]
    said = (fatal or lines or [""])[-1].removeprefix("Fatal: ")
    return "".join(sign for sign in said if sign.isprintable())[:MAX_WORDS]


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with none of these in it."""
    for one in sorted((one for one in secrets if len(one) >= 4), key=len, reverse=True):
        text = text.replace(one, "***").replace(quote(one, safe=""), "***")
    return text
