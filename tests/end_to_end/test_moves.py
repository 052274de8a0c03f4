"""A lease whose files are backed up, and whose work goes on at another device: typed by its renter, and by itself when
its provider gives notice. On a provider's daemon with Podman, on the demo's network, with S3 outside of both."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from assay.chain.certificate import create_certificate
from tests.end_to_end.conftest import Demo, Shell, until
from tests.end_to_end.providers import Provider
from tests.end_to_end.rented_pods import COMMAND_SECONDS, Pod, pod_provider, pods_missing
from tests.integration.provider.backups.places import missing
from tests.integration.provider.outside import OUTSIDE, Outside
from tests.integration.provider.podman import IMAGE, invented_card, podman_service

MEASURED_SECONDS, MOVED_SECONDS = 240.0, 300.0
CARDS = (96, 97)
S3_PORT, BUCKET = 9_000, "kept"
STORAGE = f"http://{OUTSIDE}:{S3_PORT}"
S3 = f"from moto.server import main; main(['-H', '0.0.0.0', '-p', '{S3_PORT}'])"
REASON = pods_missing() or missing()
pytestmark = [pytest.mark.deep, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
SUMS = "cd /workspace && find . -type f -exec sha256sum {} + | sort"


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    """An internet in which S3 is."""
    with Outside() as made, ExitStack() as stack:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        served = subprocess.Popen(made.argv(sys.executable, "-c", S3), **quiet)
        stack.callback(served.wait)
        stack.callback(served.kill)
        line = ["curl", "-sf", "--connect-timeout", "1", "-X", "PUT", f"{STORAGE}/{BUCKET}"]
        until("the storage", lambda: subprocess.run(line, check=False, **quiet).returncode == 0, 60.0)
        yield made


@pytest.fixture(scope="module")
def provider(demo: Demo, outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    settings = {
        "CONTAINER_IMAGE": IMAGE, "POD_DISK": str(2 << 30), "POD_MEMORY": str(1 << 30), "POD_CORES": "1",
        "HOST_KEEP_CORES": "0", "HOST_KEEP_DISK": str(1 << 30), "IMAGE_CACHE": str(4 << 30), "NOTICE": "300",
    }  # fmt: skip
    with ExitStack() as stack:
        cards = [stack.enter_context(invented_card(number)) for number in CARDS]
        engine = stack.enter_context(podman_service(tmp_path_factory.mktemp("podman")))
        folder = tmp_path_factory.mktemp("pod-provider")
        (folder / "data").mkdir()
        create_certificate(folder / "data/tls")  # no key is sent to a provider without
        yield stack.enter_context(pod_provider(demo, folder, engine, settings, cards))


@pytest.fixture(scope="module")
def renter(shell: Shell) -> Shell:
    """Whose terminal knows what opens the storage."""
    opens = {"AWS_ACCESS_KEY_ID": "renter", "AWS_SECRET_ACCESS_KEY": "of the bucket"}
    return replace(shell, environment={**shell.environment, **opens})


@pytest.fixture(scope="module")
def pod(demo: Demo, renter: Shell, provider: Provider) -> Pod:
    """The first lease, backed up every quarter of an hour."""

    def offers() -> list[dict[str, Any]]:
        found = provider.offers(demo, renter)
        return found if len(found) == len(CARDS) else []

    listing = until("two measured offers", offers, MEASURED_SECONDS)[0]
    ran = renter("rent", listing["shortId"], "--duration", "40m", "--yes", "-o", "json", timeout=COMMAND_SECONDS)
    assert ran.status == 0, ran.err + (provider.folder / "provider.log").read_text()[-3000:]
    made = Pod(str(ran.json["leaseId"]), provider, renter)
    made("head -c 20000000 /dev/urandom > /workspace/weights; mkdir /workspace/d; echo first > /workspace/d/steps")
    place = ("--to", f"s3://{BUCKET}/lease", "--endpoint", STORAGE, "--every", "15m")
    kept = renter("backup", made.number, *place, timeout=COMMAND_SECONDS)
    assert kept.status == 0, kept.err + made.log
    return made


def leased(renter: Shell) -> dict[str, str]:
    """Status of each lease of the renter's, by number."""
    found = renter("leases", "--all", "-o", "json").json
    rows = found["leases"] if isinstance(found, dict) else found
    return {str(one["leaseId"]): str(one["status"]) for one in rows}


def test_move__to_another_device__has_all_files_there_and_ends_the_old_lease(
    demo: Demo, renter: Shell, provider: Provider, pod: Pod
) -> None:
    pod("echo second >> /workspace/d/steps")  # after the backup that there is
    before = pod(SUMS)
    (other,) = provider.offers(demo, renter)
    typed = ("move", pod.number, "--to", other["shortId"], "--budget", "20", "--yes", "-o", "json")
    ran = renter(*typed, timeout=MOVED_SECONDS)
    assert ran.status == 0, ran.err + pod.log
    new = Pod(str(ran.json["leaseId"]), provider, renter)
    assert new(SUMS) == before
    assert leased(renter)[pod.number] != "active" and leased(renter)[new.number] == "active"
    kept = renter("backup", new.number, "--status", "-o", "json").json
    assert (kept["every"], kept["failure"]) == (900, None), kept


def test_keep__its_provider_gives_notice__goes_on_elsewhere_with_its_files(
    demo: Demo, renter: Shell, provider: Provider, pod: Pod
) -> None:
    (number,) = [one for one, status in leased(renter).items() if status == "active"]
    held = Pod(number, provider, renter)
    held("echo third >> /workspace/d/steps")
    before = held(SUMS)
    until("the first device is free again", lambda: provider.offers(demo, renter), MEASURED_SECONDS)
    typed = ["assay", "keep", number, "--move", "--budget", "20", "--every", "2", "--yes"]
    typed += ["--provider", provider.address]
    with (provider.folder / "keep.log").open("w") as log:
        keeping = subprocess.Popen(
            typed, cwd=renter.folder, env=renter.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        provider("notice", number, "--yes")

        def said() -> str:
            assert keeping.poll() is None, (provider.folder / "keep.log").read_text()
            return (provider.folder / "keep.log").read_text()

        until("a move", lambda: f"lease {number} goes on as lease" in said(), MOVED_SECONDS)
        (new,) = [one for one, status in leased(renter).items() if status == "active" and one != number]
        assert Pod(new, provider, renter)(SUMS) == before
        assert leased(renter)[number] != "active"
    finally:
        keeping.send_signal(signal.SIGINT)
        keeping.wait(timeout=60)
    assert renter("end", new, "--yes", timeout=COMMAND_SECONDS).status == 0
