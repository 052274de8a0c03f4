"""`assay backup`, `assay restore`: a lease's files outside its provider, and back."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.option_groups import OptionGroup
from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Connection, LeaseId, Output, renter_command
from assay.renter.backups.backup_files import BackupFiles, BackupPlace
from assay.renter.backups.repositories import StorageOptions, key_file, repository_of
from assay.renter.errors import BadInput
from assay.renter.money.amounts import moment, parse_duration

if TYPE_CHECKING:
    from assay.renter.renter import Renter
    from assay.renter.session.provider_session import ProviderSession
    from assay.wire.storage.backups import BackupShownBody, RepositoryBody

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
SNAPSHOT_COLUMNS = {"id": "snapshot", "at": "made", "lease": "lease"}
ESCROW = "LeaseEscrow"
MIB = 1 << 20


@dataclass(frozen=True)
class Storage(OptionGroup):
    """What opens the storage that backups are in, beside the variables that AWS's tools and restic take."""

    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="address of S3 [env: AWS_ENDPOINT_URL_S3; else Amazon's]")
    ] = None
    repository_key: Annotated[
        Path | None,
        typer.Option("--repository-key", help="file with the repository's key; without it one is made and kept here"),
    ] = None
    ssh_key: Annotated[Path | None, typer.Option("--ssh-key", help="for sftp: file with the private key")] = None
    ssh_host_key: Annotated[
        str | None, typer.Option("--ssh-host-key", help="for sftp: the server's key, 'ssh-ed25519 AAAA…'")
    ] = None

    def at(self, lease: int, place: str, every: int | None = None) -> BackupPlace:
        """As it is remembered of a lease."""
        password, key = (None if one is None else str(one.absolute()) for one in (self.repository_key, self.ssh_key))
        return BackupPlace(lease, place, self.endpoint, password, key, self.ssh_host_key, every)


def files_of(renter: Renter, connection: Connection) -> BackupFiles:
    """What is remembered of this wallet's backups."""
    return BackupFiles(connection.settings().data_dir, renter.chain.chain_id, renter.chain.deployment.address(ESCROW))


def opened(files: BackupFiles, place: BackupPlace) -> RepositoryBody:
    """The repository with all that opens it; a key that is made for it is told of. Raises BadInput."""
    options = StorageOptions(
        place.place,
        place.endpoint,
        None if place.repository_key is None else Path(place.repository_key),
        None if place.ssh_key is None else Path(place.ssh_key),
        place.ssh_host_key,
    )
    known = set(files.keys.glob("*.key"))
    repository = repository_of(options, files.keys, os.environ)
    made = key_file(files.keys, repository.address)
    if place.repository_key is None and made not in known:
        note(f"a key was made for this repository: {made}; keep a copy elsewhere: without it nobody reads the backups")
    return repository


@renter_command(commands, "backup")
async def backup(
    lease: LeaseId,
    connection: Connection,
    storage: Storage,
    to: Annotated[
        str | None, typer.Option("--to", help="s3://BUCKET/PREFIX, sftp://USER@HOST/PATH or rest:https://HOST/PATH")
    ] = None,
    every: Annotated[str | None, typer.Option("--every", help="again and again: 15m, 2h")] = None,
    list_: Annotated[bool, typer.Option("--list", help="name the snapshots that are there")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="make no more; those that were made stay")] = False,
    status: Annotated[bool, typer.Option("--status", help="say how they stand")] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Keep what is in a lease's /workspace outside its provider: encrypted by restic at the provider with a key made
    here, so that the storage holds nothing that can be read. With --every the provider goes on while this machine is
    off, and holds the key in memory alone: after a restart of it, ask again."""
    from assay.renter.backups.lease_backups import backups, begin_backup, follow, snapshots, stop_backups

    if sum((list_, stop, status)) > 1 or (every and (list_ or stop or status)):
        raise BadInput("--list, --stop, --status, --every: one at a time")
    seconds = parse_duration(every) if every else None
    if seconds is not None and not 60 <= seconds <= 7 * 24 * 3600:
        raise BadInput(f"--every {every}: from 1m to 7d")
    async with connection.renter() as renter:
        session = await renter.session(lease)
        files = files_of(renter, connection)
        if stop or status:
            shown = await (stop_backups(session) if stop else backups(session))
            return show(_json(lease, shown) if output is not OutputFormat.table else _text(lease, shown), output)
        place = _place(files, lease, storage, to, seconds)
        repository = opened(files, place)
        if list_:
            found = await snapshots(session, repository)
            rows = [one.to_json() for one in found.snapshots]
            show_rows("snapshots", rows, SNAPSHOT_COLUMNS, output)
            if found.left_out:
                note(f"{found.left_out} older ones are not shown")
            return
        begun = await begin_backup(session, repository, seconds)
        files.write(await with_pod(session, place))
        shown = await follow(session, begun, note)
    show(_json(lease, shown) if output is not OutputFormat.table else _text(lease, shown), output)
    if shown.last is not None and shown.last.unread:
        note(f"{shown.last.unread} files could not be read and are not in it: they changed or went meanwhile")
    if seconds is not None:
        note(f"the provider goes on every {every}; `assay backup {lease} --status` tells how, --stop ends it")


async def with_pod(session: ProviderSession, place: BackupPlace) -> BackupPlace:
    """With what the lease's pod starts from. Raises ProviderRefused, Unreachable."""
    shown = await session.pod()
    return replace(place, image=shown.image, digest=shown.digest, start=tuple(shown.start), ports=tuple(shown.ports))


def _place(files: BackupFiles, lease: int, storage: Storage, to: str | None, every: int | None) -> BackupPlace:
    if to is not None:
        return storage.at(lease, to, every)
    known = files.read(lease)
    if known is None:
        raise BadInput(f"where to? `assay backup {lease} --to s3://BUCKET/PREFIX`; it is remembered from then on")
    return replace(known, every=every)


@renter_command(commands, "restore")
async def restore(
    lease: LeaseId,
    connection: Connection,
    storage: Storage,
    from_: Annotated[
        str | None, typer.Option("--from", help="as --to of `assay backup`; the lease's own without")
    ] = None,
    of_lease: Annotated[
        int | None, typer.Option("--of-lease", help="the newest snapshot of this lease; of any without", min=1)
    ] = None,
    snapshot: Annotated[str, typer.Option("--snapshot", help="id of one; the newest without")] = "latest",
    output: Output = OutputFormat.table,
) -> None:
    """Put files that were backed up into a lease's /workspace. What is there already under the same name is replaced,
    all else stays. Nothing is written where the lease's disk is too small."""
    from assay.renter.backups.lease_backups import begin_restore, follow

    async with connection.renter() as renter:
        session = await renter.session(lease)
        files = files_of(renter, connection)
        place = storage.at(lease, from_) if from_ is not None else files.read(of_lease or lease)
        if place is None:
            raise BadInput(f"from where? `assay restore {lease} --from s3://BUCKET/PREFIX`")
        repository = opened(files, place)
        try:
            shown = await follow(session, await begin_restore(session, repository, snapshot, of_lease), note)
        except ValueError as error:
            raise BadInput(f"--snapshot {snapshot[:80]!r}: expected latest, or an id of 8 to 64 hex digits") from error
    show(_json(lease, shown) if output is not OutputFormat.table else _text(lease, shown), output)


def _json(lease: int, shown: BackupShownBody) -> dict[str, Any]:
    return {"leaseId": lease, **shown.to_json()}


def _text(lease: int, shown: BackupShownBody) -> dict[str, Any]:
    from assay.cli.renter.texts import duration_text

    values: dict[str, Any] = {"lease": lease, "state": shown.state}
    values["at" if shown.kind == "backup" else "from"] = shown.address
    values["every"] = duration_text(shown.every) if shown.every else ""
    values["next"] = moment(int(shown.next_at)) if shown.next_at else ""
    if shown.last is not None:
        last = shown.last
        added = f", {last.added / MIB:,.1f} MiB of it new" if shown.kind == "backup" else ""
        values["snapshot"] = f"{last.snapshot[:8]} of {moment(int(last.at))}, in {last.seconds:.0f} s"
        values["holds"] = f"{last.files:,} files, {last.bytes / MIB:,.1f} MiB{added}"
    values["failures in a row"] = shown.failures or ""
    values["why"] = shown.failure or ""
    return {name: value for name, value in values.items() if value != ""}
