"""Pods for tests of access: one container of a lease, as rooted, mapped and walled as a pod is, made from this
machine's own programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from assay.provider.errors import NotFound
from assay.provider.pods.pod import PodStatus, Program

PROGRAMS = tuple(
    f"/usr/bin/{name}" for name in ("bash", "tmux", "ssh-add", "stty", "nohup", "setsid", "flock", "printenv")
)
IMAGE = "localhost/assay-pod-test:1"
FIRST_ID = 1 << 31  # outside, of the root inside


def missing() -> str | None:
    """Why there can be no pod here, None where there can."""
    for name in ("podman", "runc", "tmux", "ssh-add", "rsync", "sftp"):
        if shutil.which(name) is None:
            return f"needs {name}"
    if os.geteuid() != 0:
        return "needs root"
    return None if Path("/bin/busybox").exists() else "needs busybox-static"


def make_root(root: Path, programs: Sequence[str] = PROGRAMS) -> None:
    """A root file system without SFTP, scp or rsync: busybox, and a few programs with what they load."""
    for name in ("bin", "usr/bin", "tmp", "workspace", "etc", "proc", "dev", "sys", "root", "run", "lib64"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name not in ("busybox", "scp", "rsync", "sftp-server"):
            (root / "bin" / name).symlink_to("busybox")
    linked = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout.split()
    for library in {word for word in linked if word.startswith("/") and not word.endswith(":")}:
        target = root / library[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    for program in programs:
        (root / "bin" / Path(program).name).unlink(missing_ok=True)
        shutil.copy(program, root / program[1:])
    for terminal in ("x/xterm", "s/screen", "d/dumb"):
        with suppress(FileNotFoundError):
            (root / "usr/share/terminfo" / terminal).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path("/lib/terminfo") / terminal, root / "usr/share/terminfo" / terminal)
    shutil.copytree("/usr/lib/locale/C.utf8", root / "usr/lib/locale/C.utf8")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/usr/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")


class OnePod:
    """The pod of one lease. Satisfies as much of `Pods` as access needs."""

    def __init__(self, folder: Path, lease_id: int = 3) -> None:
        self.folder = folder
        self.lease_id = lease_id
        (folder / "tools").mkdir(parents=True)
        (folder / "workspace").mkdir()
        self._storage = [
            "podman", "--log-level", "error", "--root", str(folder / "storage"), "--runroot", str(folder / "run"),
            "--storage-driver", "overlay", "--runtime", "runc", "--cgroup-manager", "cgroupfs",
        ]  # fmt: skip
        make_root(folder / "rootfs")
        archive = folder / "rootfs.tar"
        subprocess.run(["tar", "-C", folder / "rootfs", "-cf", archive, "."], check=True)
        self._podman("import", "-q", "--change", "ENV FROM_IMAGE=yes", str(archive), IMAGE)
        archive.unlink()
        self.container = self._podman(
            "run", "-d", "--uidmap", f"0:{FIRST_ID}:65536", "--gidmap", f"0:{FIRST_ID}:65536",
            "--network", "none", "--ulimit", "nofile=1024:1024",
            "--ulimit", "nproc=512:512", "--shm-size", "64m", "--init",
            "-v", f"{folder}/tools:/run/assay:ro", "-v", f"{folder}/workspace:/workspace:U", IMAGE,
            "/bin/sleep", "9999",
        )  # fmt: skip
        found = json.loads(self._podman("inspect", self.container))[0]
        self.pid = int(found["State"]["Pid"])

    def _podman(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._storage, *arguments], capture_output=True, text=True, cwd=self.folder, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def status(self, lease_id: int) -> PodStatus:
        return PodStatus("running", self.pid) if lease_id == self.lease_id else PodStatus("absent")

    def exec_argv(self, lease_id: int, program: Program) -> list[str]:
        if lease_id != self.lease_id:
            raise NotFound(f"no pod of lease {lease_id} runs")
        options = ["--cwd", program.folder, "--user", program.user]
        for name, value in program.environment.items():
            options += ["--env", f"{name}={value}"]
        return ["runc", "exec", *(["--tty"] if program.tty else []), *options, self.container, *program.argv]

    def tools_folder(self, lease_id: int) -> Path:
        return self.folder / "tools"

    def workspace(self, lease_id: int) -> Path:
        return self.folder / "workspace"

    def inside(self, *command: str) -> str:
        """What a program in the pod prints."""
        argv = self.exec_argv(self.lease_id, Program(command))
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def close(self) -> None:
        with suppress(AssertionError):
            self._podman("rm", "-f", "-t", "0", self.container)
        subprocess.run(["umount", self.folder / "storage/overlay"], check=False, capture_output=True)
