"""The examples on two leases, Debian pods of a provider of its own on the demo's network; JupyterLab by template."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from assay.protocol.rates import streamed
from assay.templates.loading import shipped
from tests.end_to_end.conftest import ROOT, Demo, Shell, until
from tests.end_to_end.debian import debian_missing, kept_layer
from tests.end_to_end.providers import Provider, free_port
from tests.end_to_end.rented_pods import COMMAND_SECONDS, Pod, pod_provider, pods_missing
from tests.integration.provider.image_registry import ImageRegistry, busybox, image_registry
from tests.integration.provider.podman import IMAGE, invented_card, podman_service

MEASURED_SECONDS, FETCH_SECONDS, RUN_SECONDS = 240.0, 400.0, 240.0
PACKAGES, WHEELS = ("python3", "python3-pip"), ("numpy<2", "jupyterlab==4.4.*", "ipykernel")
CARDS, STEPS, FRAMES = (90, 91), 1_500, 24
FRAME_BYTES = len(b"P6 320 200 255\n") + 3 * 320 * 200
EXAMPLES = ROOT / "examples"
REASON = pods_missing() or debian_missing()
pytestmark = [pytest.mark.deep, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
# Whether the network that was stopped is the one that was not, and how far they are.
SAME = """
import numpy
one, other = numpy.load("tuned.npz"), numpy.load("whole/tuned.npz")
print(all((one[name] == other[name]).all() for name in one.files), int(one["step"]))
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    with image_registry(tmp_path_factory.mktemp("registry"), login=False) as served:
        yield served


@pytest.fixture(scope="module")
def image(registry: ImageRegistry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Debian with NumPy and JupyterLab."""
    layer = kept_layer(tmp_path_factory.mktemp("debian"), PACKAGES, WHEELS)
    return registry.publish("renter/science", "1", [layer]).name


@pytest.fixture(scope="module")
def provider(
    demo: Demo, registry: ImageRegistry, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    settings = {
        "CONTAINER_IMAGE": IMAGE, "PRIVATE_REGISTRIES": registry.origin, "POD_DISK": str(1 << 30),
        "POD_MEMORY": str(2 << 30), "POD_CORES": "1", "HOST_KEEP_CORES": "0",
        "HOST_KEEP_DISK": str(1 << 30), "IMAGE_CACHE": str(4 << 30),
    }  # fmt: skip
    with ExitStack() as stack:
        cards = [stack.enter_context(invented_card(number)) for number in CARDS]
        engine = stack.enter_context(podman_service(tmp_path_factory.mktemp("podman")))
        folder = tmp_path_factory.mktemp("pod-provider")
        yield stack.enter_context(pod_provider(demo, folder, engine, settings, cards))


def both_on_offer(demo: Demo, shell: Shell, provider: Provider) -> None:
    until(
        "both cards on offer", lambda: len(provider.offers(demo, shell, "--gpus", "1")) == len(CARDS), MEASURED_SECONDS
    )


@pytest.fixture(scope="module")
def two(demo: Demo, shell: Shell, provider: Provider, image: str) -> tuple[Pod, Pod]:
    """Two leases of one card each."""
    both_on_offer(demo, shell, provider)
    of = ("rent", "--provider", provider.address, "--nodes", "2", "--image", image)
    ran = shell(*of, "--duration", "30m", "--yes", "-o", "json", timeout=FETCH_SECONDS)
    assert ran.status == 0, ran.err + (provider.folder / "provider.log").read_text()[-3000:]
    first, second = (Pod(str(one["leaseId"]), provider, shell) for one in ran.json["leases"])
    return first, second


def run(pod: Pod, *command: str, upload: str | None = None) -> str:
    """What a job printed, which ended well."""
    files = ("--upload", str(EXAMPLES / upload)) if upload else ()
    ran = pod.shell("run", pod.number, *files, "--", *command, timeout=RUN_SECONDS)
    assert ran.status == 0, ran.out + ran.err
    return ran.out


def steps(output: str) -> list[tuple[int, float]]:
    """(step, accuracy) of each line that tells them."""
    told = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [(one["step"], one["accuracy"]) for one in told]


def test_rent__image_that_cannot_be_had__says_why_and_costs_nothing(
    demo: Demo, shell: Shell, provider: Provider, registry: ImageRegistry
) -> None:
    good = registry.publish("renter/small", "1", [busybox()])
    other = registry.publish("renter/elsewhere", "1", [busybox()], architecture="s390x")
    wrong = {
        (registry.authority + "/renter/none-such:1",): "has no such",
        (other.name,): "s390x",
        (good.name, "--digest", other.digest): "has no such",
    }
    before: set[int] = set()
    for image, reason in wrong.items():
        both_on_offer(demo, shell, provider)
        line = ("rent", "--provider", provider.address, "--image", *image, "--duration", "30m", "--yes")
        ran = shell(*line, timeout=FETCH_SECONDS)
        assert ran.status in (5, 6) and reason in ran.err and "Traceback" not in ran.err, ran.err
        rows = {one["leaseId"]: one for one in shell("leases", "--all", "-o", "json").json["leases"]}
        (number,) = set(rows) - before
        before = set(rows)
        bill = shell("leases", str(number), "--receipt", "-o", "json").json
        units = {name: int(value) for name, value in bill["baseUnits"].items()}
        assert (bill["status"], bill["seconds"], units["streamed"], units["net"]) == ("cancelled", 0, 0, 0), bill
        assert units["refundable"] == 0
        amounts = {one["what"]: one["amount"] for one in bill["transactions"]}
        assert amounts["paid back to the renter"] == amounts["deposit paid in"], bill


def test_fine_tune__stopped_on_the_way__goes_on_from_its_checkpoint_to_the_same_network(two: tuple[Pod, Pod]) -> None:
    pod = two[0]
    assert steps(run(pod, "python3", "fine_tune.py", "--base", upload="fine_tune.py"))[-1][1] > 0.99
    line = ("python3", "fine_tune.py", "--steps", str(STEPS))
    job = pod.shell("run", pod.number, "--detach", "-o", "json", "--", *line).json["jobId"]
    until("the tuning", lambda: len(steps(pod.shell("logs", pod.number, job).out)) > 3, RUN_SECONDS)
    used = pod.shell("top", pod.number, "--json").json
    assert 0.02 < used["speeds"]["cores"] < 1.2 and used["share"]["cores"] == 1, used
    assert 16 << 20 < used["now"]["memoryBytes"] < used["share"]["memoryBytes"] and used["now"]["processes"] >= 3, used
    assert 0 < used["now"]["diskBytes"] < used["share"]["diskBytes"], used
    assert pod.shell("stop-job", pod.number, job).status == 0
    before = steps(pod.shell("logs", pod.number, job).out)
    assert before[0][1] < 0.7 and before[-1][0] < STEPS  # turned away from what the base has learned
    assert pod("ls /dev/shm") == []
    after = steps(run(pod, *line))
    assert 0 < after[0][0] <= before[-1][0] + 50 and after[0][1] > before[0][1]
    assert after[-1][0] == STEPS and after[-1][1] > 0.99
    # One that nothing stops comes to the same, to the last bit.
    run(pod, "sh", "-c", f"mkdir whole && cp base.npz whole && cd whole && python3 ../{' '.join(line[1:])}")
    assert run(pod, "python3", "-c", SAME).split() == ["True", str(STEPS)]
    assert pod.shell("cp", f"{pod.number}:tuned.npz", f"{pod.shell.folder}/tuned.npz").status == 0
    assert (pod.shell.folder / "tuned.npz").stat().st_size > 10_000


@contextmanager
def tunnel(pod: Pod, inside: int) -> Iterator[int]:
    """A port of this machine that leads to one of the pod's loopback, as `assay ssh -L` makes it."""
    port = free_port()
    forwarded = subprocess.Popen(
        ["assay", "ssh", pod.number, "-L", f"{port}:localhost:{inside}", "--", "sleep", "300"],
        env=pod.shell.environment, cwd=pod.shell.folder, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield port
        assert forwarded.poll() is None
    finally:
        forwarded.terminate()
        forwarded.wait(timeout=30)


def test_serve_model__in_a_pod__answers_a_client_here_through_ssh(two: tuple[Pod, Pod]) -> None:
    pod = two[1]
    example = str(EXAMPLES / "serve_model.py")
    line = ("run", pod.number, "--detach", "--upload", example, "-o", "json", "--", "python3", "serve_model.py")
    job = pod.shell(*line, "--serve", "8000").json["jobId"]
    until("the model", lambda: "serving on 8000" in pod.shell("logs", pod.number, job).out, 60)
    with tunnel(pod, 8000) as port:

        def asked() -> str:
            done = subprocess.run([sys.executable, example, "--ask", str(port)], capture_output=True, text=True)
            return done.stdout if done.returncode == 0 else ""

        through = json.loads(until("an answer through the tunnel", asked, 60))
    assert pod.shell("stop-job", pod.number, job).status == 0
    within = json.loads(run(pod, "python3", "serve_model.py"))
    for measured in (through, within):
        assert measured["requests"] == 100 and 0 < measured["medianMs"] <= measured["p99Ms"]
    print("asked through ssh -L:", through, "within the pod:", within)


def test_jupyterlab__by_its_template__is_reached_as_that_says_and_runs_a_cell(two: tuple[Pod, Pod], image: str) -> None:
    pod, template = two[1], shipped()["jupyterlab"]
    pod("echo kept > /workspace/kept; echo gone > /root/gone")
    line = ("pod", "set", pod.number, "--template", "jupyterlab", "--image", image, "--yes")
    ran = pod.shell(*line, timeout=FETCH_SECONDS)
    assert ran.status == 0, ran.err
    (inside,) = template.ports
    assert f"assay ssh {pod.number} -L {inside}:localhost:{inside}" in ran.out
    shown = pod.shown()
    assert (shown["start"], shown["ports"]) == (list(template.start), [inside])
    with tunnel(pod, inside) as port:
        until("JupyterLab", lambda: get(port, "/api/status"), RUN_SECONDS)
        assert b"JupyterLab" in (get(port, "/lab") or b"")
        listed = json.loads(get(port, "/api/contents") or b"{}")["content"]
        assert "kept" in [one["name"] for one in listed]
        printed = asyncio.run(cell(port, "import os; print(6 * 7, os.getuid(), os.getcwd(), os.listdir('/root'))"))
    assert printed.startswith("42 0 /workspace") and "gone" not in printed


def get(port: int, path: str) -> bytes | None:
    """What is served there without a token, None where nothing is yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return bytes(answer.read())
    except OSError:
        return None


async def cell(port: int, code: str) -> str:
    """What a cell prints in a new kernel."""
    origin, jar = f"http://127.0.0.1:{port}", aiohttp.CookieJar(unsafe=True)  # of a host without a name
    async with asyncio.timeout(RUN_SECONDS), aiohttp.ClientSession(cookie_jar=jar) as client:
        await client.get(f"{origin}/lab")  # for the cookie that a form must carry
        token = {one.key: one.value for one in jar}.get("_xsrf", "")
        async with client.post(f"{origin}/api/kernels", json={}, headers={"X-XSRFToken": token}) as made:
            assert made.status == 201, await made.text()
            kernel = (await made.json())["id"]
        async with client.ws_connect(f"{origin}/api/kernels/{kernel}/channels") as socket:
            head = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "", "version": "5.3"}
            content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
            asked = {"header": head, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
            await socket.send_json(asked)
            while True:
                told: dict[str, Any] = await socket.receive_json()
                assert told["msg_type"] != "error", told
                if told["msg_type"] == "stream":
                    return str(told["content"]["text"]).strip()


def test_render_frames__over_two_leases_of_which_one_ends__are_all_rendered_by_the_other(
    two: tuple[Pod, Pod], tmp_path: Path
) -> None:
    first, second = two
    line = ("--leases", first.number, second.number, "--frames", str(FRAMES), "--into", str(tmp_path / "frames"))
    with (tmp_path / "printed").open("w") as printed:
        spread = subprocess.Popen(
            [sys.executable, str(EXAMPLES / "render_frames.py"), *line],
            env=first.shell.environment, cwd=tmp_path, stdout=printed, stderr=subprocess.STDOUT,
        )  # fmt: skip
    said: Callable[[], str] = (tmp_path / "printed").read_text
    try:
        for pod in two:
            until("a frame of each", lambda of=pod: f"lease {of.number}: frame" in said(), RUN_SECONDS)
        assert spread.poll() is None, said()
        ended = second.shell("end", second.number, "--yes", "-o", "json", timeout=COMMAND_SECONDS).json
        bill = second.shell("leases", second.number, "--receipt", "-o", "json").json
        # What it says was paid is the bill's: the stream of its seconds, less the downtime that came back.
        told = {name: ended[name] for name in ("paid", "streamed", "downtimeRefund", "refunded")}
        assert told == {"paid": bill["net"], **{name: bill[name] for name in list(told)[1:]}}, (ended, bill)
        assert int(bill["baseUnits"]["streamed"]) == streamed(int(bill["rate"]), bill["seconds"])
        assert spread.wait(RUN_SECONDS) == 0, said()
    finally:
        spread.kill()
        spread.wait()
    assert f"lease {second.number} takes no further part" in said(), said()
    frames = [(tmp_path / f"frames/frame-{number:04d}.ppm").read_bytes() for number in range(FRAMES)]
    assert all(len(frame) == FRAME_BYTES and frame.startswith(b"P6 320 200 255\n") for frame in frames)
    assert len(set(frames)) == FRAMES and len(list((tmp_path / "frames").iterdir())) == FRAMES
    assert first.shell("end", first.number, "--yes", timeout=COMMAND_SECONDS).status == 0
