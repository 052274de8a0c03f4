"""The example jobs on a lease: a provider of its own on the demo's network runs them in containers of podman."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from tests.end_to_end.conftest import ROOT, START_SECONDS, Demo, Shell, until
from tests.end_to_end.providers import Provider, free_port
from tests.integration.provider.podman import IMAGE, missing, podman_service

MEASURED_SECONDS, RUN_SECONDS = 180.0, 150.0
FRAME_BYTES = len(b"P6 320 200 255\n") + 3 * 320 * 200
pytestmark = [pytest.mark.deep, pytest.mark.skipif(missing() is not None, reason=str(missing()))]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Podman, its image with NumPy."""
    package = Path(numpy.__file__).parent
    libraries = package.with_name("numpy.libs")
    with podman_service(
        tmp_path_factory.mktemp("podman"), [package, *([libraries] if libraries.exists() else [])]
    ) as at:
        yield at


@pytest.fixture(scope="module")
def lease(demo: Demo, shell: Shell, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The number of a lease whose jobs run in containers."""
    until("the network", lambda: demo.check() or " daemons" in (demo.folder / "printed").read_text(), START_SECONDS)
    containers = {"ASSAY_CONTAINER_ENGINE": engine, "ASSAY_CONTAINER_IMAGE": IMAGE, "ASSAY_DISK": "watched"}
    provider = Provider(demo, tmp_path_factory.mktemp("provider"), containers)
    provider.enrol("device")
    provider.start("--runtime", "container", "--price-per-hour", "0.5", "--min-duration", "10")
    try:
        listing = provider.offered(demo, shell, MEASURED_SECONDS, "--region", "eu")
        rented = shell("rent", listing["shortId"], "--duration", "15m", "--yes", "-o", "json", timeout=RUN_SECONDS)
        number = str(rented.json["leaseId"])
        yield number
        shell("end", number, "--yes")
    finally:
        provider.stop()


def run(shell: Shell, lease: str, name: str, *more: str) -> str:
    """What an example printed, which ended well."""
    upload = ("--upload", str(ROOT / "examples" / name))
    ran = shell("run", lease, *upload, *more, "--", "python3", name, timeout=RUN_SECONDS)
    assert ran.status == 0, ran.out + ran.err
    return ran.out


def test_train_network__on_a_lease__learns_and_its_weights_come_back(lease: str, shell: Shell, tmp_path: Path) -> None:
    out = run(shell, lease, "train_network.py", "--download", f"weights.npz:{tmp_path}/weights.npz")
    steps = [json.loads(line) for line in out.splitlines()]
    assert [one["step"] for one in steps] == [100, 200, 300, 400, 500, 600]
    assert steps[-1]["accuracy"] > 0.9
    with numpy.load(tmp_path / "weights.npz") as weights:
        assert [weights[name].shape for name in weights.files][:3] == [(2, 64), (64, 64), (64, 1)]


def test_render_frames__on_a_lease__come_back_as_images_that_differ(lease: str, shell: Shell, tmp_path: Path) -> None:
    names = [f"frame-{number:04d}.ppm" for number in range(8)]
    wanted = [word for name in names for word in ("--download", f"{name}:{tmp_path / name}")]
    out = run(shell, lease, "render_frames.py", *wanted)
    assert [line.split(":")[0] for line in out.splitlines()] == [f"frame {number}" for number in range(8)]
    frames = {(tmp_path / name).read_bytes() for name in names}
    assert len(frames) == 8
    assert all(len(frame) == FRAME_BYTES and frame.startswith(b"P6 320 200 255\n") for frame in frames)


def test_serve_model__within_a_lease__says_its_latency(lease: str, shell: Shell) -> None:
    measured = json.loads(run(shell, lease, "serve_model.py"))
    assert measured["requests"] == 100 and 0 < measured["medianMs"] <= measured["p99Ms"]


def test_serve_model__through_ssh__answers_a_client_here(lease: str, shell: Shell) -> None:
    example, port = str(ROOT / "examples/serve_model.py"), free_port()
    started = shell(
        "run", lease, "--detach", "--upload", example, "-o", "json", "--", "python3", "serve_model.py",
        "--serve", "8000",
    )  # fmt: skip
    job = started.json["jobId"]
    until("the model", lambda: "serving on 8000" in shell("logs", lease, job).out, 60)
    tunnel = subprocess.Popen(
        ["assay", "ssh", lease, "-L", f"{port}:localhost:8000", "--", "sleep", "120"],
        env=shell.environment,
        cwd=shell.folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:

        def asked() -> str:
            assert tunnel.poll() is None, tunnel.stderr and tunnel.stderr.read()
            done = subprocess.run([sys.executable, example, "--ask", str(port)], capture_output=True, text=True)
            return done.stdout if done.returncode == 0 else ""

        measured = json.loads(until("an answer through the tunnel", asked, 60))
        assert measured["requests"] == 100 and 0 < measured["medianMs"] <= measured["p99Ms"]
        print("through ssh -L:", measured)
    finally:
        tunnel.terminate()
        tunnel.wait(timeout=30)
        assert shell("stop-job", lease, job).status == 0
