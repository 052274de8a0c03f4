"""Backups and restores at a lease's provider: asked for, and followed to their end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from assay.protocol.text import printable
from assay.renter.errors import NotKept, Unreachable
from assay.renter.session.provider_session import ProviderSession
from assay.wire import paths
from assay.wire.storage.backups import (
    BackupBody,
    BackupShownBody,
    RepositoryBody,
    RestoreBody,
    SnapshotsBody,
)

LOOK_S = 1.0
TELL_S = 5.0
PATIENCE_S = 120.0  # in which a provider does not answer
BEGIN_S, LISTING_S = 60.0, 300.0
MIB = 1 << 20


async def begin_backup(session: ProviderSession, repository: RepositoryBody, every: int | None) -> BackupShownBody:
    """Has a backup made, and with `every` again and again. Raises ProviderRefused, BadInput without TLS."""
    body = {**BackupBody(repository=repository, every=every).to_json(), "repository": repository.to_secret_json()}
    return _shown(await session.asked("PUT", paths.BACKUP, body, BEGIN_S, secret=True))


async def begin_restore(
    session: ProviderSession, repository: RepositoryBody, snapshot: str, lease: int | None
) -> BackupShownBody:
    """Has a snapshot put into the lease's workspace. Raises as above."""
    wanted = RestoreBody(repository=repository, snapshot=snapshot, lease=lease)
    body = {**wanted.to_json(), "repository": repository.to_secret_json()}
    return _shown(await session.asked("POST", paths.RESTORE, body, BEGIN_S, secret=True))


async def backups(session: ProviderSession) -> BackupShownBody:
    """How a lease's backups stand."""
    return _shown(await session.asked("GET", paths.BACKUP))


async def stop_backups(session: ProviderSession) -> BackupShownBody:
    """Has no more made, and the key forgotten there."""
    return _shown(await session.asked("DELETE", paths.BACKUP, None, BEGIN_S))


async def snapshots(session: ProviderSession, repository: RepositoryBody) -> SnapshotsBody:
    """What a repository holds, oldest first."""
    answer = await session.asked("POST", paths.SNAPSHOTS, repository.to_secret_json(), LISTING_S, secret=True)
    try:
        return SnapshotsBody.model_validate(answer)
    except ValidationError as error:
        raise Unreachable(f"the provider's list of snapshots is malformed: {error.errors()[0]['msg']}") from None


async def follow(
    session: ProviderSession,
    begun: BackupShownBody,
    tell: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    now: Callable[[], float] = time.monotonic,
) -> BackupShownBody:
    """Stays until a backup or a restore that was begun is whole, telling how far it is. Raises NotKept with the reason
    where it failed, Unreachable for a provider that falls silent."""
    path = paths.RESTORE if begun.kind == "restore" else paths.BACKUP
    shown, answered, told = begun, now(), now()
    while shown.state == "working":
        await sleep(LOOK_S)
        try:
            shown = _shown(await session.asked("GET", path))
        except Unreachable:
            if now() - answered > PATIENCE_S:
                raise
            continue
        answered = now()
        if shown.state == "working" and now() - told >= TELL_S:
            told = now()
            tell(progress_text(shown))
    if shown.failure is not None or shown.last is None:
        what = "the files were not restored" if shown.kind == "restore" else "no backup was made"
        raise NotKept(f"{what}: {printable(shown.failure or f'it is {shown.state}', ' ')}")
    return shown


def progress_text(shown: BackupShownBody) -> str:
    """How far it is, for people."""
    what = "restoring" if shown.kind == "restore" else "backing up"
    if not shown.total_bytes:
        return f"{what}: the repository is being opened"
    share = min(100, 100 * shown.done_bytes // shown.total_bytes)
    return f"{what} {share} %: {shown.done_bytes / MIB:,.0f} of {shown.total_bytes / MIB:,.0f} MiB"


def _shown(answer: object) -> BackupShownBody:
    try:
        return BackupShownBody.model_validate(answer)
    except ValidationError as error:
        raise Unreachable(f"the provider's answer about backups is malformed: {error.errors()[0]['msg']}") from None
