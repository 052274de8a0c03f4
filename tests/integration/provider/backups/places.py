"""A lease's workspace on a small disk, a process that stands for its pod, and storage for backups: real but for the
container around them."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from assay.provider.backups.confine import CLONE_NEWUSER
from assay.provider.backups.keeper import BackupKeeper
from assay.provider.pods.layout import PodFolders
from assay.provider.pods.network import PodNetwork
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.pod import PodStatus

FIRST_ID = 0x7100_0000
PASSWORD, SECRET = "correct horse battery staple", "the-secret-of-the-bucket"
BUCKET = "kept"


def missing() -> str | None:
    """Why there can be no backups here, None where there can."""
    if os.geteuid() != 0:
        return "needs root"
    return None if shutil.which("restic") else "needs restic"


@dataclass
class Place:
    """One lease: `pid` stands for its pod's first process."""

    folders: PodFolders
    pid: int
    lease_id: int

    @property
    def workspace(self) -> Path:
        return self.folders.volume / "workspace"

    def write(self, name: str, content: bytes, mode: int = 0o600) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        for one in (path, *path.parents):
            if one == self.folders.volume:
                break
            os.chown(one, FIRST_ID, FIRST_ID)
        return path

    def keeper(self, role: str, repository: Mapping[str, Any], **asked: Any) -> BackupKeeper:
        whole = {"repository": dict(repository), "lease": self.lease_id, "resolvers": [], "proxies": {}, **asked}
        if role == "restore":
            whole = {"snapshot": "latest", "of_lease": None, **whole}
        return BackupKeeper(self.folders, role, whole)


class OnePlace:
    """As much of pods as backups need."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.network = PodNetwork("test", NetworkPolicy.parse(["none"]))

    def status(self, lease_id: int) -> PodStatus:
        return PodStatus("running", self._place.pid)

    def folders(self, lease_id: int) -> PodFolders:
        return self._place.folders


@contextmanager
def place(folder: Path, lease_id: int = 3, size: int | None = 64 << 20) -> Iterator[Place]:
    """Made, and taken down whatever happens; without a size on the folder's own disk."""
    folders = PodFolders(folder / str(lease_id), folder / f"run-{lease_id}")
    for one in (folders.pod, folders.volume):
        one.mkdir(parents=True)
    if size is not None:
        options = f"size={size},nr_inodes=4096"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folders.volume], check=True)
    pid = _stand_in()
    try:
        folders.pid.write_text(str(pid))
        folders.container.write_text("/")  # what every control group has in its path
        folders.deadline.write_text(repr(time.time() + 600))
        for one in (folders.workspace, folders.volume / "workspace"):
            one.mkdir()
            os.chown(one, FIRST_ID, FIRST_ID)
        yield Place(folders, pid, lease_id)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if size is not None:
            subprocess.run(["umount", "-l", folders.volume], check=True)


def _stand_in() -> int:
    """A process that is root among users of its own, which are the pod's outside."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).unshare(CLONE_NEWUSER)
        os.write(write, b"x")
        while True:
            signal.pause()
    os.read(read, 1)
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{name}").write_text(f"0 {FIRST_ID} 65536")
    return pid


@contextmanager
def bucket() -> Iterator[str]:
    """The address of S3 with one empty bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        subprocess.run(["curl", "-sf", "-X", "PUT", f"{address}/{BUCKET}"], check=True, stdout=subprocess.DEVNULL)
        yield address
    finally:
        server.stop()


def repository(address: str, prefix: str, bucket_name: str = BUCKET, **changed: Any) -> dict[str, Any]:
    """As a renter hands it over."""
    found = {
        "address": f"s3:{address}/{bucket_name}/{prefix}",
        "user": "renter",
        "secret": SECRET,
        "password": PASSWORD,
    }
    return {**found, **changed}


@contextmanager
def refusing() -> Iterator[str]:
    """S3 that lets nobody do anything."""

    class Handler(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = _refuse

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def contents(root: Path) -> dict[str, tuple[str, int, int]]:
    """(what, mode, owner) of everything below a folder."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            what = f"-> {path.readlink()}"
        elif path.is_file():
            what = path.read_bytes().hex()
        else:
            what = f"kind {status.st_mode >> 12:o}"
        found[str(path.relative_to(root))] = (what, status.st_mode & 0o7777, status.st_uid)
    return found


def progress(folders: PodFolders, role: str) -> dict[str, Any]:
    """As it is kept."""
    found: dict[str, Any] = json.loads((folders.pod / f"{role}.json").read_text())
    return found
