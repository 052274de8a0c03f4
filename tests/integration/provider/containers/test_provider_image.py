"""The provider's container image, built as `ops/Containerfile` says on a Debian of this machine's mirror, with the
engine of its host: what it can do, and what becomes of pods that it has started once it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assay.chain import key_files
from assay.chain.key_files import Key
from tests.end_to_end.debian import SUITE, debian_missing, mirror
from tests.integration.provider.conftest import until
from tests.integration.provider.podman import IMAGE, missing, podman_service
from tests.integration.validator.local_chain import LocalChain

pytestmark = pytest.mark.deep

ROOT = Path(__file__).resolve().parents[4]
BASE, BUILT = "localhost/assay-debian:1", "localhost/assay-provider:1"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
POD_SECONDS = 45.0
# Starts a pod as the daemon does, and ends: all that is left is what stands beside the pod.
START_POD = """
import sys, time
from pathlib import Path
from assay.provider.pods.assemble import asker
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import agent_name, runtime_folder
from assay.provider.pods.network import PodNetwork
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.pod import HostShare, PodSpec, Program
from assay.provider.pods.slots import PodSlots
import subprocess
engine, folder, image, seconds = sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
network = PodNetwork(agent_name(folder), NetworkPolicy.parse(("internet",)))
pods = PodmanPods(folder / "leases", runtime_folder(folder), asker(engine), network, PodSlots())
pods.check()
if seconds:
    share = HostShare(1, 128 << 20, 96 << 20, processes=64, open_files=1024)
    pods.ensure(PodSpec(1, "0xRenter", pods.local_image(image), share, time.time() + seconds))
    said = subprocess.run(pods.exec_argv(1, Program(("sh", "-c", "id -u; nproc"))), capture_output=True, text=True)
    print(pods.status(1).pid, said.stdout.split(), said.stderr)
else:
    print(pods.status(1).state, pods.status(1).reason)
    pods.remove(1)
    network.close()
"""


class ProviderImage:
    """The image in an engine's store, and what it is run with: what `docs/how-to/provider.md` says."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.data = folder / "data"
        self.podman = [
            "podman", "--root", str(folder / "storage"), "--runroot", str(folder / "run"),
            "--storage-driver", "overlay",
        ]  # fmt: skip
        self.environment = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}

    def build(self) -> None:
        root, archive = self.folder / "debian", self.folder / "debian.tar"
        include = "python3-venv,ca-certificates"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={include}", SUITE, root, str(mirror())],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        (root / str(CERTIFICATES)[1:]).write_bytes(CERTIFICATES.read_bytes())
        subprocess.run(["tar", "-C", root, "--numeric-owner", "--exclude=./dev/*", "-cf", archive, "."], check=True)
        subprocess.run(["rm", "-rf", root], check=True)
        changes = [f"--change=ENV {name}={CERTIFICATES}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
        self._run("import", "-q", *changes, str(archive), BASE)
        archive.unlink()
        self._run(
            "build", "-q", "--isolation", "chroot", "--target", "provider", "--build-arg", f"PYTHON={BASE}",
            "--build-arg", "EXTRAS=", "-t", BUILT, "-f", str(ROOT / "ops/Containerfile"), str(ROOT),
        )  # fmt: skip

    def run(self, *command: str, entry: str = "assay", variables: dict[str, str] | None = None) -> str:
        """Output of a command in a container of the image; with its exit code in the last line."""
        binds = [f"{self.folder}:{self.folder}:rshared", "/run/assay-pods:/run/assay-pods:rshared"]
        binds += ["/var/lib/assay:/var/lib/assay", "/dev:/dev", "/sys/fs/cgroup:/sys/fs/cgroup"]
        options = [part for bind in binds for part in ("--volume", bind)]
        for name, value in (variables or {}).items():
            options += ["--env", f"{name}={value}"]
        done = subprocess.run(
            [*self.podman, "run", "--rm", "--privileged", "--network", "host", "--pid", "host", "--cgroupns", "host",
             "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=2048:2048", *options, "--entrypoint", entry, BUILT,
             *command],
            env=self.environment, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        return f"{done.stdout}{done.stderr}\n{done.returncode}"

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [*self.podman, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Mounts below the folder are seen in and out of containers, as below / where systemd runs."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "--make-rshared", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderImage]:
    if reason := missing() or debian_missing() or (os.geteuid() and "needs root"):
        pytest.skip(reason)
    folder, pods = tmp_path_factory.mktemp("image"), Path("/run/assay-pods")
    pods.mkdir(exist_ok=True)
    Path("/var/lib/assay").mkdir(exist_ok=True)
    with shared(folder), shared(pods), podman_service(folder) as address:
        made = ProviderImage(folder, address)
        made.build()
        yield made


def test_doctor__in_the_image__finds_the_hosts_engine_and_pods(image: ProviderImage) -> None:
    chain = LocalChain(image.folder / "chain")
    (image.folder / "password").write_text("password")
    (image.folder / "password").chmod(0o600)
    key_files.create(image.folder / "key.json", "password", key=Key.generate(), light=True)

    async def started() -> None:
        await chain.start()
        await chain.chain.close()

    try:
        asyncio.run(started())
        said = image.run(
            "provider", "doctor", "--port", "18700", "--ssh-port", "18701", "--runtime", "container", "-o", "json",
            variables={
                "ASSAY_RPC": chain.rpc,
                "ASSAY_DEPLOYMENT": str(chain.deployment_file),
                "ASSAY_KEY_FILE": str(image.folder / "key.json"),
                "ASSAY_PASSWORD_FILE": str(image.folder / "password"),
                "ASSAY_DATA_DIR": str(image.data),
                "ASSAY_CONTAINER_ENGINE": image.address,
                "ASSAY_CONTAINER_IMAGE": IMAGE,
                "ASSAY_HOST_KEEP_CORES": "0",
                "ASSAY_HOST_KEEP_MEMORY": "0",
                "ASSAY_HOST_KEEP_DISK": "0",
            },
        )  # fmt: skip
    finally:
        asyncio.run(chain.stop())
    found = {one["check"]: one for one in json.loads(said[said.index("{") : said.rindex("}") + 1])["findings"]}
    print({name: (one["level"], one["found"]) for name, one in found.items()})
    for check in ("clock", "chain", "runtime", "pods", "image"):
        assert found[check]["level"] == "ok", found[check]
    assert found["port"]["fine"] and found["ssh"]["fine"]


def test_pod__started_from_the_image__outlives_its_container_and_is_ended_by_the_next(image: ProviderImage) -> None:
    began = time.time()
    said = image.run(
        "-c", START_POD, image.address, str(image.data), IMAGE, str(POD_SECONDS), entry="/opt/assay/.venv/bin/python3"
    )
    assert said.endswith("\n0"), said
    pid = int(said.split()[0])
    assert Path(f"/proc/{pid}").exists(), said
    # Its keepers were the container's processes, and are gone: nothing ends it in time but another start.
    time.sleep(max(0.0, began + POD_SECONDS + 2 - time.time()))
    said = image.run("-c", START_POD, image.address, str(image.data), IMAGE, "0", entry="/opt/assay/.venv/bin/python3")
    assert said.startswith("running") and said.endswith("\n0"), said
    until(lambda: not Path(f"/proc/{pid}").exists(), 10)
