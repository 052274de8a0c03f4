"""A podman service of its own with one small image in its store: what a provider's jobs run in while it is measured."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGE = "localhost/assay-bench:1"
APPLETS = ("sh", "echo", "cat", "sleep", "ls", "id")
START_SECONDS = 30
POD_BYTES = 512 << 20  # enough for what is measured, and soon allotted
CONFIGURATION = (
    '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=512:512"]\n'
)


def engine_available() -> bool:
    """Whether podman, runc and a static busybox are here, and podman may be used (root)."""
    return bool(shutil.which("podman") and shutil.which("runc") and Path("/bin/busybox").exists() and os.getuid() == 0)


@contextmanager
def container_engine(folder: Path) -> Iterator[dict[str, str]]:
    """The variables that point a provider at the engine, for the time of a `with` block."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf").write_text(CONFIGURATION)
    environment = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
    storage = ["--root", folder / "storage", "--runroot", folder / "run", "--storage-driver", "overlay"]
    _import_image(folder, storage, environment)
    socket = folder / "podman.sock"
    socket.unlink(missing_ok=True)
    with (folder / "service.log").open("w") as log:
        service = subprocess.Popen(
            ["podman", *storage, "system", "service", "--time=0", f"unix://{socket}"],
            env=environment,
            stderr=log,
            cwd=folder,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not socket.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"podman's service did not start within {START_SECONDS} s: {folder}/service.log")
            time.sleep(0.05)
        yield {
            "ASSAY_CONTAINER_ENGINE": f"unix://{socket}",
            "ASSAY_CONTAINER_IMAGE": IMAGE,
            "ASSAY_POD_DISK": str(POD_BYTES),
            "ASSAY_POD_MEMORY": str(POD_BYTES),
            "ASSAY_GRACE": "1",
        }
    finally:
        service.terminate()
        service.wait(START_SECONDS)
        subprocess.run(["umount", folder / "storage/overlay"], check=False, capture_output=True)


def _import_image(folder: Path, storage: list[object], environment: dict[str, str]) -> None:
    root, archive = folder / "rootfs", folder / "rootfs.tar"
    for name in ("bin", "tmp", "workspace", "etc", "proc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in APPLETS:
        (root / "bin" / name).unlink(missing_ok=True)
        (root / "bin" / name).symlink_to("busybox")
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    subprocess.run(["podman", *map(str, storage), "import", "-q", archive, IMAGE], check=True, env=environment)
