"""Backups as the daemon's own side of them: begun, shown, ended. The renter's key passes through and is not kept."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from assay.provider.backups.keeper import BackupKeeper, Failed, Over
from assay.provider.backups.progress import (
    BACKUP,
    RESTORE,
    BackupProgress,
    read_progress,
    write_progress,
)
from assay.provider.backups.restic import Snapshot
from assay.provider.backups.root_archive import archived, image_of
from assay.provider.errors import Conflict, ProviderError, Unavailable
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.keeper import end_keeper, is_kept
from assay.provider.runtime.egress_proxy import proxy_environment
from assay.provider.runtime.own_program import own_program

START_S = 30.0
GONE_S = 10.0
KEYLESS = "whoever held the key here has ended: give the key again, by asking for the backup once more"


class LeaseBackups:
    """The backups of a daemon's leases. Calls block and may be made from any thread."""

    def __init__(self, pods: PodmanPods) -> None:
        self._pods = pods
        self._locks = defaultdict[int, threading.Lock](threading.Lock)

    def begin(self, lease_id: int, role: str, asked: Mapping[str, Any]) -> BackupProgress:
        """Begins a backup or a restore in place of one that is under way; `asked` has all that is secret. Raises
        Conflict, Unavailable."""
        folders = self._ready(lease_id)
        with self._locks[lease_id]:
            if role == RESTORE and is_kept(folders, RESTORE):
                raise Conflict(f"files are being restored into lease {lease_id} already: wait until they are")
            end_keeper(folders, role, GONE_S)
            before = read_progress(folders, role)
            address = str(asked["repository"]["address"])
            same = before is not None and before.address == address
            last = before.last if same and before else None
            fresh = BackupProgress(address=address, every=asked.get("every"), last=last)
            write_progress(folders, role, fresh)
            try:
                subprocess.run(  # noqa: S603
                    own_program("assay.provider.backups.keeper", str(folders.lease), str(folders.run), role),
                    input=json.dumps(self._whole(lease_id, asked)).encode(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                    cwd="/",
                    timeout=START_S,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise Unavailable(f"the backup cannot be begun: {type(error).__name__}") from None
        return fresh

    def shown(self, lease_id: int, role: str) -> BackupProgress:
        """How it stands; state `none` where none was asked for."""
        folders = self._pods.folders(lease_id)
        with self._locks[lease_id]:
            kept, found = is_kept(folders, role), read_progress(folders, role)
        if found is None:
            return BackupProgress(state="none")
        if found.state in ("working", "waiting") and not kept:
            return replace(found, state="keyless", failure=KEYLESS, next_at=None)
        return found

    def stop(self, lease_id: int) -> BackupProgress:
        """Ends a lease's backups; what is in the repository stays, the key is gone from here."""
        folders = self._pods.folders(lease_id)
        with self._locks[lease_id]:
            end_keeper(folders, BACKUP, GONE_S)
            found = read_progress(folders, BACKUP)
            if found is None:
                return BackupProgress(state="none")
            if found.state in ("working", "waiting", "keyless"):
                found = replace(found, state="stopped", failure=None, next_at=None)
                write_progress(folders, BACKUP, found)
            return found

    def snapshots(self, lease_id: int, asked: Mapping[str, Any]) -> Sequence[Snapshot]:
        """What a repository holds, oldest first. Raises Conflict, ProviderError with the reason."""
        folders = self._ready(lease_id)
        try:
            return BackupKeeper(folders, BACKUP, self._whole(lease_id, asked)).snapshots()
        except (Failed, Over) as error:
            raise ProviderError(str(error)) from None

    def root_archive(self, lease_id: int) -> Generator[bytes, None, None]:
        """A running pod's root file system, framed. Raises Conflict, ProviderError."""
        folders = self._running(lease_id)
        return archived(folders, self._pods.root_files(lease_id), image_of(self._pods, lease_id))

    def _ready(self, lease_id: int) -> PodFolders:
        if shutil.which("restic") is None:
            raise Conflict("this provider has no restic, which backups are made with (package restic)")
        return self._running(lease_id)

    def _running(self, lease_id: int) -> PodFolders:
        if self._pods.status(lease_id).state != "running":
            raise Conflict(f"the pod of lease {lease_id} does not run: its files are saved and restored while it does")
        return self._pods.folders(lease_id)

    def _whole(self, lease_id: int, asked: Mapping[str, Any]) -> dict[str, Any]:
        policy, network = self._pods.network.policy, self._pods.network
        return {
            **asked,
            "lease": lease_id,
            "resolvers": list(network.resolvers) if policy.names_resolved else [],
            "proxies": {} if policy.hosts.closed else dict(proxy_environment()),
        }
