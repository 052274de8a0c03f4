"""A pod's root file system as an archive, streamed while the pod runs: by tar behind the same walls as backups, so that
links that the pod plants lead nowhere.

The stream is frames: a length of four bytes and so many bytes. The first is JSON about the image; then comes the
archive; a frame of no bytes ends it, and behind it its SHA-256, or 32 zero bytes where it is not whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from assay.provider.access.pod_tools import needed
from assay.provider.backups.confine import Walls
from assay.provider.backups.keeper import start_confined
from assay.provider.errors import Conflict
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.pod_process import first_process

PIECE = 1 << 20
INSIDE = "/root-files"
CHANGED_MEANWHILE = 1  # tar's exit code where a file changed while it was read
NOT_WHOLE = bytes(32)


def archived(folders: PodFolders, root: Path, image: Mapping[str, Any]) -> Generator[bytes, None, None]:
    """The frames; `root` is where the pod's root file system is on this host. A pod that stops leaves it not whole."""
    yield _frame(json.dumps(image).encode())
    tar = shutil.which("tar")
    if tar is None:
        raise Conflict("this provider has no tar")
    mount_point = folders.run / "archive-walls"
    mount_point.mkdir(exist_ok=True)
    walls = Walls(
        pid_file=str(folders.pid),
        container=folders.container.read_text().strip(),
        source=str(root),
        target=INSIDE,
        mount_point=str(mount_point),
        seen=tuple(sorted({tar, *map(str, needed(Path(tar)))})),
        networked=False,
    )
    # What the pod has at /workspace, /proc or /dev are other file systems: their folders are there, and empty.
    argv = [tar, "--create", "--numeric-owner", "--one-file-system", f"--directory={INSIDE}", "."]
    asked = {"walls": walls.to_json(), "argv": argv, "environment": {"PATH": "/usr/bin:/bin"}, "files": {}}
    child = start_confined(subprocess.DEVNULL)
    assert child.stdin is not None and child.stdout is not None  # noqa: S101
    digest = hashlib.sha256()
    try:
        child.stdin.write(json.dumps(asked).encode())
        child.stdin.close()
        running = True
        while running and (piece := child.stdout.read(PIECE)):
            digest.update(piece)
            yield _frame(piece)
            running = first_process(folders.pid, walls.container) is not None
        whole = running and child.wait() in (0, CHANGED_MEANWHILE)
        yield _frame(b"") + (digest.digest() if whole else NOT_WHOLE)
    finally:
        child.kill()
        child.stdout.close()
        child.wait()


def image_of(pods: PodmanPods, lease_id: int) -> Mapping[str, Any]:
    """What an image of a lease's pod says beside its files. Raises NotFound."""
    found = pods.image_settings(lease_id)
    config = dict(found.get("Config") or {})
    kept = {name: config[name] for name in ("Env", "Cmd", "Entrypoint", "WorkingDir", "Labels") if config.get(name)}
    return {"architecture": str(found.get("Architecture") or "amd64"), "os": "linux", "config": kept}


def _frame(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
