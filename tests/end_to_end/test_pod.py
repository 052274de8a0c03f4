"""The machine that one rents: two Debian pods at once, typed from `rent` to `end`, then a node of cards, on a
provider's daemon of its own with Podman, on the demo's network. Cards are invented, processors prove."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from assay.provider.pods.layout import runtime_folder
from assay.provider.pods.processes.keeper import FIRST, SECOND
from tests.end_to_end.conftest import Demo, Shell, until
from tests.end_to_end.debian import debian_layer, debian_missing, egress_to_mirror
from tests.end_to_end.providers import Provider
from tests.end_to_end.rented_pods import COMMAND_SECONDS, Pod, pod_provider, pods_missing, typed
from tests.integration.provider.image_registry import image_registry
from tests.integration.provider.podman import IMAGE, invented_card, podman_service

MEASURED_SECONDS, BACK_SECONDS, WIPED_SECONDS, FETCH_SECONDS = 240.0, 90.0, 90.0, 400.0
DISK, MEMORY, LARGE, SHARED = 5 << 30, 3 << 30, 2 << 30, 1 << 30
WORKERS, EPOCHS = 4, 10
# A node has a whole core of its host for each of its cards.
CARDS = 4 if (os.cpu_count() or 1) >= 4 else 2
FIRST_CARD = 80
REASON = pods_missing() or debian_missing()
pytestmark = [pytest.mark.deep, pytest.mark.skipif(REASON is not None, reason=str(REASON))]

# As PyTorch loads data: processes that fill tensors in shared memory, in turn with one that learns from them.
JOB = f"""
import json, os, time
from multiprocessing import Process, Queue, shared_memory
from pathlib import Path
SIZE, WORKERS, EPOCHS, PIECE = {SHARED}, {WORKERS}, {EPOCHS}, 16 << 20
def work(name, number, tasks, done):
    memory = shared_memory.SharedMemory(name)
    part = SIZE // WORKERS
    while (epoch := tasks.get()) is not None:
        piece = bytes([epoch]) * PIECE
        for at in range(number * part, (number + 1) * part, PIECE):
            memory.buf[at : at + PIECE] = piece
        done.put(number)
    memory.close()
if __name__ == "__main__":
    checkpoint = Path("/workspace/checkpoint.json")
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else {{"epoch": 0, "sum": 0}}
    print("begins at", state["epoch"], flush=True)
    memory = shared_memory.SharedMemory(create=True, size=SIZE)
    queues, done = [Queue() for _ in range(WORKERS)], Queue()
    workers = [Process(target=work, args=(memory.name, n, queues[n], done)) for n in range(WORKERS)]
    for one in workers: one.start()
    for epoch in range(state["epoch"] + 1, EPOCHS + 1):
        for one in queues: one.put(epoch)
        for _ in workers: done.get()
        state = {{"epoch": epoch, "sum": state["sum"] + sum(memory.buf[n * SIZE // WORKERS] for n in range(WORKERS))}}
        checkpoint.with_suffix(".new").write_text(json.dumps(state))
        checkpoint.with_suffix(".new").rename(checkpoint)
        time.sleep(1.0)
    for one in queues: one.put(None)
    for one in workers: one.join()
    memory.close(); memory.unlink()
    print("learned", state["sum"], flush=True)
"""
LEARNED = f"learned {WORKERS * sum(range(1, EPOCHS + 1))}"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A Debian with apt at a registry: its name, and the registry's origin."""
    layer = debian_layer(tmp_path_factory.mktemp("debian"))
    with image_registry(tmp_path_factory.mktemp("registry"), login=False) as registry:
        yield registry.publish("renter/debian", "12", [layer]).name, registry.origin


@pytest.fixture(scope="module")
def provider(demo: Demo, image: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    settings = {
        "CONTAINER_IMAGE": IMAGE, "PRIVATE_REGISTRIES": image[1], "EGRESS": egress_to_mirror(),
        "POD_DISK": str(DISK), "POD_MEMORY": str(MEMORY), "POD_CORES": "1",
        "HOST_KEEP_CORES": "0", "HOST_KEEP_DISK": str(1 << 30), "IMAGE_CACHE": str(4 << 30),
        "NODE_SIZES": str(CARDS),
    }  # fmt: skip
    with ExitStack() as stack:
        cards = [stack.enter_context(invented_card(FIRST_CARD + number)) for number in range(CARDS)]
        engine = stack.enter_context(podman_service(tmp_path_factory.mktemp("podman")))
        folder = tmp_path_factory.mktemp("pod-provider")
        yield stack.enter_context(pod_provider(demo, folder, engine, settings, cards))


@pytest.fixture(scope="module")
def two(demo: Demo, shell: Shell, provider: Provider, image: tuple[str, str]) -> tuple[Pod, Pod]:
    """Two leases of one card each, rented at once."""

    def measured() -> bool:
        return len(provider.offers(demo, shell, "--gpus", "1")) == CARDS

    until("every card measured", measured, MEASURED_SECONDS)
    line = (
        "rent", "--provider", provider.address, "--nodes", "2", "--image", image[0], "--duration", "40m", "--yes",
        "-o", "json",
    )  # fmt: skip
    ran = shell(*line, timeout=FETCH_SECONDS)
    assert ran.status == 0, ran.err + (provider.folder / "provider.log").read_text()[-3000:]
    first, second = (Pod(str(one["leaseId"]), provider, shell) for one in ran.json["leases"])
    return first, second


@pytest.fixture
def pod(two: tuple[Pod, Pod]) -> Pod:
    return two[0]


def test_pod__of_a_debian__is_a_machine_of_the_share_that_it_says(pod: Pod) -> None:
    script = "id -u; nproc; df -Pk / | tail -n 1; df -Pk /dev/shm | tail -n 1; . /etc/os-release; echo $ID; pwd"
    user, cores, disk, shm, name, folder = pod(script)
    assert (user, cores, name, folder) == ("0", "1", "debian", "/workspace")
    assert DISK * 0.85 < int(disk.split()[1]) << 10 <= DISK
    assert int(shm.split()[1]) << 10 == MEMORY // 2
    told = pod.shown()
    assert told["state"] == "running" and told["image"].endswith("/renter/debian:12"), told
    assert (told["share"]["cores"], told["share"]["diskBytes"]) == (1, DISK)


def test_packages__installed_with_apt__are_there_when_one_comes_again(pod: Pod) -> None:
    quiet = "DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0"
    pod(f"{quiet} update && {quiet} install -y --no-install-recommends python3 tmux procps >/dev/null && echo done")
    pod("useradd --create-home someone && echo mine > /root/mine && mkdir /srv/data")
    assert pod("python3 -c 'print(6 * 7)'; cat /root/mine; id -u someone; dpkg -s tmux | sed -n 2p") == [
        "42", "mine", "1000", "Status: install ok installed",
    ]  # fmt: skip
    free = pod("free -b")
    assert int(free[1].split()[1]) <= max(MEMORY, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def test_two_leases__on_one_host__have_a_card_each_and_reach_each_other(two: tuple[Pod, Pod], demo: Demo) -> None:
    script = "ls /dev | grep assay-gpu; echo $CUDA_VISIBLE_DEVICES; head -c 4 /dev/assay-gpu* | od -An -tx1"
    cards = [pod(script) for pod in two]
    assert len({one[0] for one in cards}) == 2
    for one in cards:
        assert one[1:] == ["0", " 00 00 00 00"]
    first, second = two
    addresses = [pod.shown()["address"] for pod in two]
    assert len(set(addresses)) == 2
    # Each knows the other by name, and reaches it.
    for one, other, address in ((first, second, addresses[1]), (second, first, addresses[0])):
        assert one(f"getent hosts pod-{other.number}")[0].split()[0] == address
    first("setsid python3 -m http.server 8123 --directory /srv >/dev/null 2>&1 < /dev/null & sleep 2")
    fetch = f"exec 3<>/dev/tcp/pod-{first.number}/8123; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; grep -a -o data <&3"
    assert "data" in second(f"bash -c {json.dumps(fetch)}")


def test_folder__by_rsync__there_and_back(pod: Pod, tmp_path: Path) -> None:
    config, host = pod.configured()
    there = tmp_path / "there"
    for number in range(200):
        (there / f"d{number % 7}").mkdir(parents=True, exist_ok=True)
        (there / f"d{number % 7}/f{number}").write_bytes(os.urandom(1000 + number))
    (there / "link").symlink_to("d1/f1")
    typed("rsync", "-a", "-e", f"ssh -F {config}", f"{there}/", f"{host}:data/")
    pod("cd data && mv d1 moved && echo more > moved/more")
    typed("rsync", "-a", "-e", f"ssh -F {config}", f"{host}:data/", f"{tmp_path}/back/")
    assert (tmp_path / "back/moved/more").read_text() == "more\n"
    (tmp_path / "back/moved/more").unlink()
    (tmp_path / "back/moved").rename(tmp_path / "back/d1")
    typed("diff", "-r", "--no-dereference", str(there), f"{tmp_path}/back")


def test_folder_of_ten_thousand_files__by_cp__goes_there_and_back(pod: Pod, tmp_path: Path) -> None:
    there = tmp_path / "many"
    for number in range(10_000):
        (there / f"d{number % 100}").mkdir(parents=True, exist_ok=True)
        (there / f"d{number % 100}/f{number}").write_bytes(b"%d" % number * 100)
    began = time.monotonic()
    assert pod.shell("cp", "-r", str(there), f"{pod.number}:many", timeout=COMMAND_SECONDS).status == 0
    copied = time.monotonic()
    assert pod("find many -type f | wc -l") == ["10000"]
    assert pod.shell("cp", "-r", f"{pod.number}:many", f"{tmp_path}/back", timeout=COMMAND_SECONDS).status == 0
    print(f"cp of 10,000 files: {copied - began:.1f} s there, {time.monotonic() - copied:.1f} s back")
    typed("diff", "-r", str(there), f"{tmp_path}/back")
    pod("rm -r many")


def test_file_of_two_gibibytes__by_sftp__arrives_whole(pod: Pod, tmp_path: Path) -> None:
    config, host = pod.configured()
    piece, hashed, large = os.urandom(64 << 20), hashlib.sha256(), tmp_path / "large"
    with large.open("wb") as file:
        for number in range(LARGE // len(piece)):
            block = number.to_bytes(8, "big") + piece[8:]
            hashed.update(block)
            file.write(block)
    typed("sftp", "-q", "-F", config, "-b", "-", host, stdin=f"put {large} large\n")
    large.unlink()
    assert pod("sha256sum large")[0].split()[0] == hashed.hexdigest()


def test_training__with_workers_and_shared_memory__goes_on_when_agent_and_supervisors_are_killed(
    pod: Pod, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(JOB)
    started = pod.shell(
        "run", pod.number, "--detach", "--upload", f"{tmp_path}/train.py", "-o", "json", "--", "python3", "train.py"
    )
    job = started.json["jobId"]
    pod("tmux new-session -d -s work 'sleep 7654'")
    until("the training", lambda: epoch_of(pod) >= 2, COMMAND_SECONDS)
    before, provider = pod.shown()["startedAt"], pod.provider
    # The agent, then one by one what keeps the pod.
    assert provider.process is not None
    os.killpg(provider.process.pid, signal.SIGKILL)
    provider.process.wait()
    for role in (FIRST, SECOND):
        record = runtime_folder(provider.folder / "data") / pod.number / f"keeper-{role}.json"
        killed = json.loads(record.read_text())["pid"]
        os.kill(killed, signal.SIGKILL)
        until("another keeper", lambda gone=killed, at=record: json.loads(at.read_text())["pid"] != gone, 15)
    provider.start(*provider.arguments)

    def back() -> Any:
        provider.check()
        ran = pod.shell("pod", "show", pod.number, "-o", "json")
        return ran.json if ran.status == 0 and ran.json["state"] == "running" else None

    assert until("the agent", back, BACK_SECONDS)["startedAt"] == before
    until("the end of the training", lambda: LEARNED in pod.shell("logs", pod.number, job).out, COMMAND_SECONDS)
    assert pod("tmux list-sessions -F '#{session_name}'; cat /root/mine; rm checkpoint.json") == ["work", "mine"]
    # The job's own supervisor: the job ends with it, and says so; what it had reached is there for the next.
    job = pod.shell("run", pod.number, "--detach", "-o", "json", "--", "python3", "train.py").json["jobId"]
    until("the training", lambda: epoch_of(pod) >= 2, COMMAND_SECONDS)
    control = next(pod.folder.glob(f"*/{job}/pid.json"))
    os.kill(json.loads(control.read_text())["pid"], signal.SIGKILL)

    def ended() -> Any:
        rows = {one["jobId"]: one for one in pod.shell("jobs", pod.number, "-o", "json").json["jobs"]}
        return rows[job] if rows[job]["status"] not in ("running", "waiting") else None

    assert until("the job's end", ended, BACK_SECONDS)["status"] != "exited"
    assert pod("pgrep -c -f '[t]rain.py' || true") == ["0"]
    # Killed, it could not take its shared memory away, and there is no room for another's beside it.
    pod("rm -f /dev/shm/psm_*")
    ran = pod.shell("run", pod.number, "--", "python3", "train.py", timeout=COMMAND_SECONDS)
    assert ran.status == 0 and LEARNED in ran.out and "begins at 0" not in ran.out, ran.out + ran.err


def epoch_of(pod: Pod) -> int:
    """How far the training in the pod has come."""
    told = pod("cat checkpoint.json 2>/dev/null || true")
    return int(json.loads(told[0])["epoch"]) if told else 0


def test_quota__filled__is_the_pods_own_and_can_be_freed(two: tuple[Pod, Pod]) -> None:
    pod, other = two
    free = os.statvfs(pod.provider.folder).f_bavail
    told = pod("dd if=/dev/zero of=/root/full bs=1M 2>&1 | grep -c 'No space left'; df -Pk / | tail -n 1")
    assert told[0] == "1" and int(told[1].split()[3]) < 1 << 10
    assert (free - os.statvfs(pod.provider.folder).f_bavail) * os.statvfs(pod.provider.folder).f_frsize < DISK
    assert other("echo more > /root/more; cat /root/more") == ["more"]
    assert pod("rm /root/full; echo again > /root/again; cat /root/again") == ["again"]


def test_end__takes_the_pods_and_wipes_what_they_left(two: tuple[Pod, Pod], demo: Demo) -> None:
    for pod in two:
        ended = pod.shell("end", pod.number, "--yes", timeout=COMMAND_SECONDS)
        assert ended.status == 0, ended.err
    for pod in two:
        until("the wiping", lambda of=pod: not (of.folder / "pod").exists(), WIPED_SECONDS)
        assert not (pod.folder / "workspace").exists()
        assert str(pod.folder) not in Path("/proc/self/mountinfo").read_text()
        assert pod.shell("ssh", pod.number, "--", "true").status != 0


def test_node__rented_whole__is_one_pod_with_all_its_cards(
    two: tuple[Pod, Pod], demo: Demo, shell: Shell, provider: Provider, image: tuple[str, str]
) -> None:
    (listing,) = until("the node", lambda: provider.offers(demo, shell, "--gpus", str(CARDS)), MEASURED_SECONDS)
    line = ("rent", listing["shortId"], "--gpus", str(CARDS), "--image", image[0], "--duration", "15m", "--yes")
    ran = shell(*line, "-o", "json", timeout=FETCH_SECONDS)
    assert ran.status == 0, ran.err
    node = Pod(str(ran.json["leaseId"]), provider, shell)
    assert node("nproc; ls /dev | grep -c assay-gpu; echo $CUDA_VISIBLE_DEVICES; df -Pk /dev/shm | tail -n 1 ")[:3] == [
        str(CARDS), str(CARDS), ",".join(map(str, range(CARDS))),
    ]  # fmt: skip
    share = node.shown()["share"]
    assert (share["cores"], share["memoryBytes"], share["diskBytes"]) == (CARDS, CARDS * MEMORY, CARDS * DISK)
    # Nothing of those that had its cards before.
    assert node("ls /root /workspace; which python3 || echo none") == ["/root:", "", "/workspace:", "none"]
    assert shell("end", node.number, "--yes", timeout=COMMAND_SECONDS).status == 0
