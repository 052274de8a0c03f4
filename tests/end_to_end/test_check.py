"""A lease looked at from inside, in a Debian pod: measured with fio, and its card (here a processor) proven there with
the very code of the network's proof, under a nonce of the renter's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Demo, Shell, until
from tests.end_to_end.debian import debian_layer, debian_missing
from tests.end_to_end.providers import Provider
from tests.end_to_end.rented_pods import COMMAND_SECONDS, Pod, pod_provider, pods_missing
from tests.integration.provider.image_registry import image_registry
from tests.integration.provider.podman import IMAGE, invented_card, podman_service

MEASURED_SECONDS, FETCH_SECONDS, PROVEN_SECONDS = 240.0, 400.0, 500.0
DISK, MEMORY, CARD = 5 << 30, 3 << 30, 90
LIBRARIES = ("numpy<2.5", "numba", "pycryptodome")
PLATFORMS = [word for name in ("2014", "_2_27", "_2_28") for word in ("--platform", f"manylinux{name}_x86_64")]
REASON = pods_missing() or debian_missing()
pytestmark = [pytest.mark.deep, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the prover needs, for the Python of the image."""
    folder = tmp_path_factory.mktemp("wheels")
    line = ["pip", "download", "--quiet", "--only-binary=:all:", "--python-version", "3.11", *PLATFORMS, "-d", folder]
    subprocess.run([*line, *LIBRARIES], check=True)
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    layer = debian_layer(tmp_path_factory.mktemp("debian"), "python3", "fio")
    with image_registry(tmp_path_factory.mktemp("registry"), login=False) as registry:
        yield registry.publish("renter/debian", "12", [layer]).name, registry.origin


@pytest.fixture(scope="module")
def provider(demo: Demo, image: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    settings = {
        "CONTAINER_IMAGE": IMAGE, "PRIVATE_REGISTRIES": image[1], "POD_DISK": str(DISK), "POD_MEMORY": str(MEMORY),
        "POD_CORES": "1", "HOST_KEEP_CORES": "0", "HOST_KEEP_DISK": str(1 << 30), "IMAGE_CACHE": str(4 << 30),
    }  # fmt: skip
    with ExitStack() as stack:
        card = stack.enter_context(invented_card(CARD))
        engine = stack.enter_context(podman_service(tmp_path_factory.mktemp("podman")))
        folder = tmp_path_factory.mktemp("pod-provider")
        yield stack.enter_context(pod_provider(demo, folder, engine, settings, [card]))


@pytest.fixture(scope="module")
def pod(demo: Demo, shell: Shell, provider: Provider, image: tuple[str, str], wheels: Path) -> Pod:
    """A lease that was looked at from inside when it began."""
    listing = provider.offered(demo, shell, MEASURED_SECONDS)
    line = ("rent", listing["shortId"], "--image", image[0], "--duration", "40m", "--yes", "-o", "json")
    ran = shell(*line, "--check", "--wheels", str(wheels), timeout=FETCH_SECONDS + PROVEN_SECONDS)
    sys.stderr.write(ran.out + ran.err)
    assert ran.status == 0, ran.err + (provider.folder / "provider.log").read_text()[-3000:]
    assert "has what its sheet says" in ran.err and "not proven" not in ran.err
    return Pod(str(ran.json["leaseId"]), provider, shell)


def test_check__of_an_honest_pod__measures_proves_and_finds_nothing_short(pod: Pod) -> None:
    ran = pod.shell("check", pod.number, "--prove", "-o", "json", timeout=PROVEN_SECONDS)
    sys.stderr.write(ran.out + ran.err)
    rows = {one["name"]: one for one in json.loads(ran.out)["check"]}
    assert ran.status == 0, ran.out + ran.err + pod.log
    assert rows["scoreGops"]["result"] == "ok" and rows["memoryMib"]["result"] == "ok", rows
    assert rows["hostCores"]["measured"] == 1 and rows["hostCores"]["whose"] == "declared"
    assert "proved itself in the pod" in ran.err
    # What it proved with stays for the next time, of the run itself nothing does.
    assert pod("ls -A .assay-prover; ls *.py") == ["cache", "prover.zip", "site", "source", "wheels",
                                                   "assay_check.py", "assay_prover.py"]  # fmt: skip


def test_keep__with_proofs_again_and_again__has_them_while_the_lease_runs(pod: Pod) -> None:
    line = ["assay", "keep", pod.number, "--prove-every", "5s", "--every", "1", "--end-unproven"]
    keeping = subprocess.Popen(line, cwd=pod.shell.folder, env=pod.shell.environment, stderr=subprocess.PIPE, text=True)
    try:
        assert keeping.stderr is not None
        told: list[str] = []
        for text in keeping.stderr:
            told.append(text)
            if sum("proved itself in the pod again" in one for one in told) == 2 or len(told) > 20:
                break
    finally:
        keeping.terminate()
        keeping.wait(timeout=COMMAND_SECONDS)
    assert sum("proved itself in the pod again" in one for one in told) == 2, told


def test_check__where_the_image_cannot_prove__says_why_and_measures_all_the_same(pod: Pod) -> None:
    pod("rm -rf .assay-prover")
    ran = pod.shell("check", pod.number, timeout=COMMAND_SECONDS)
    assert ran.status == 0 and "not proven: the pod cannot prove: pip could not fetch" in ran.err, ran.err
    assert pod.shell("check", pod.number, "--prove", timeout=COMMAND_SECONDS).status == 6


def test_check__of_a_disk_that_the_renter_filled__is_still_no_fault_of_the_provider(pod: Pod) -> None:
    """Sizes count, not what is free."""
    pod("dd if=/dev/zero of=/root/much bs=1M count=1024 2>/dev/null; echo done")
    ran = pod.shell("check", pod.number, "--no-prove", "-o", "json", timeout=COMMAND_SECONDS)
    rows = {one["name"]: one for one in json.loads(ran.out)["check"]}
    assert rows["hostDiskMib"]["result"] == "ok", rows
    until("its end", lambda: pod.shell("end", pod.number, "--yes", timeout=COMMAND_SECONDS).status == 0, 60)
