"""A container engine for tests: podman's service with one image that is made from this machine's own programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

IMAGE = "localhost/assay-test:1"
WITH_ENTRY_POINT, WITH_VOLUMES, WITH_VOLUME_INSIDE = (
    f"localhost/assay-{name}:1" for name in ("entry-point", "volumes", "volume-inside")
)
VARIANTS = {
    WITH_ENTRY_POINT: ['ENTRYPOINT ["/bin/echo", "not the job"]', 'CMD ["x"]'],
    WITH_VOLUMES: ["VOLUME /data", "VOLUME /var/lib/x"],
    WITH_VOLUME_INSIDE: ["VOLUME /workspace/data"],
}
PYTHON = Path("/usr/bin/python3.11")
PROGRAMS = (
    "sh", "echo", "id", "cat", "ls", "sleep", "env", "touch", "mount", "head", "yes", "seq", "pwd", "httpd", "dd", "rm",
)  # fmt: skip
PACKAGE_WASTE = shutil.ignore_patterns("tests", "__pycache__")


def missing() -> str | None:
    """Why there can be no engine here, None where there can."""
    if not shutil.which("podman") or not shutil.which("runc"):
        return "needs podman and runc"
    return (
        None if Path("/bin/busybox").exists() and PYTHON.exists() else "needs busybox-static and Debian's Python 3.11"
    )


def make_archive(folder: Path, packages: Sequence[Path] = ()) -> Path:
    """A root file system with busybox, Python, and folders of `packages` that Python finds."""
    root = folder / "rootfs"
    for name in ("bin", "tmp", "workspace", "etc", "proc", "dev", "sys"):
        (root / name).mkdir(parents=True)
    for package in packages:
        shutil.copytree(package, root / "usr/lib/python3/dist-packages" / package.name, ignore=PACKAGE_WASTE)
    (root / "tmp").chmod(0o1777)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in PROGRAMS:
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("nobody:x:65534:65534:nobody:/workspace:/bin/sh\n")
    (root / "bin/python3").symlink_to(f"/usr/bin/{PYTHON.name}")
    library = Path("/usr/lib") / PYTHON.name
    modules = [str(path) for path in (library / "lib-dynload").glob("*.so")]
    linked = subprocess.run(["ldd", PYTHON, *modules], capture_output=True, text=True, check=True).stdout.split()
    libraries = sorted({word for word in linked if word.startswith("/") and not word.endswith(":")} - set(modules))
    # What compiled packages link against, and Python itself does not.
    extra = ("librt.so.1", "libpthread.so.0", "libdl.so.2", "libutil.so.1", "libstdc++.so.6", "libgcc_s.so.1")
    libraries += [str(path) for name in extra if (path := Path(libraries[0]).parent / name).exists()]
    archive = folder / "rootfs.tar"
    skipped = ["--exclude=test", "--exclude=idlelib", "--exclude=config-*", "--exclude=pydoc_data"]
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    subprocess.run(
        [
            "tar",
            "-rhf",
            archive,
            *skipped,
            "-C",
            "/",
            str(PYTHON)[1:],
            str(library)[1:],
            *(one[1:] for one in libraries),
        ],
        check=True,
    )
    return archive


@contextmanager
def cdi_device(name: str, number: int = 0) -> Iterator[str]:
    """The CDI name of a harmless device, /dev/zero by another name, which CDI_SEEN in the environment gives away."""
    kind, folder = f"assay.test/{name}", Path("/run/cdi")
    node = {"path": f"/dev/assay-gpu{number}", "hostPath": "/dev/zero", "type": "c", "major": 1, "minor": 5}
    edits = {"env": [f"CDI_SEEN={name}"], "deviceNodes": [node]}
    folder.mkdir(exist_ok=True)
    file = folder / f"assay.test-{name}.json"
    file.write_text(
        json.dumps({"cdiVersion": "0.5.0", "kind": kind, "devices": [{"name": "0", "containerEdits": edits}]})
    )
    try:
        yield f"{kind}=0"
    finally:
        file.unlink()


@contextmanager
def invented_card(number: int) -> Iterator[str]:
    """The CDI name of an invented card: /dev/zero by another name, at a path that this
    host has as well."""
    node = Path(f"/dev/assay-gpu{number}")
    node.unlink(missing_ok=True)
    os.mknod(node, 0o20666, os.makedev(1, 5))
    try:
        with cdi_device(f"card{number}", number) as name:
            yield name
    finally:
        node.unlink()


def _fill(folder: Path, storage: list[str | Path], environment: dict[str, str], packages: Sequence[Path]) -> None:
    archive = make_archive(folder, packages)
    subprocess.run(["podman", *storage, "import", "-q", archive, IMAGE], check=True, env=environment)
    for image, changes in VARIANTS.items():
        recipe = folder / "Containerfile"
        recipe.write_text("\n".join([f"FROM {IMAGE}", *changes]))
        build = [
            "podman",
            *storage,
            "build",
            "-q",
            "--isolation",
            "chroot",
            "-t",
            image,
            "-f",
            recipe,
            folder / "empty",
        ]
        (folder / "empty").mkdir(exist_ok=True)
        subprocess.run(build, check=True, env=environment, stdout=subprocess.DEVNULL)
    archive.unlink()


class PodmanService:
    """A running service. One is started for each address; `killed` and started again, it has what it had."""

    of: ClassVar[dict[str, PodmanService]] = {}

    def __init__(self, folder: Path, storage: list[str | Path], environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self._socket = folder / "podman.sock"
        self._command = ["podman", *storage, "system", "service", "--time=0", f"unix://{self._socket}"]
        self.address = f"unix://{self._socket}"
        self._process = self._started()
        self.of[self.address] = self

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command,
            env=self._environment,
            stderr=(self._folder / "service.log").open("a"),
            cwd=self._folder,  # conmon leaves a file named oom where it stands
        )
        while not self._socket.exists():
            assert process.poll() is None, (self._folder / "service.log").read_text()
        return process

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait(timeout=30)
        self._socket.unlink()

    def start(self) -> None:
        self._process = self._started()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        del self.of[self.address]


@contextmanager
def podman_service(folder: Path, packages: Sequence[Path] = (), with_images: bool = True) -> Iterator[str]:
    """The address of a service of its own, with IMAGE and its variants in its store unless that stays empty; `packages`
    as in `make_archive`."""
    configuration = folder / "containers.conf"
    configuration.write_text(
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=512:512"]\n'
    )
    environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}
    storage = ["--root", folder / "storage", "--runroot", folder / "run", "--storage-driver", "overlay"]
    if with_images:
        _fill(folder, storage, environment, packages)
    service = PodmanService(folder, storage, environment)
    try:
        yield service.address
    finally:
        service.end()
        subprocess.run(["umount", folder / "storage/overlay"], check=False, capture_output=True)
