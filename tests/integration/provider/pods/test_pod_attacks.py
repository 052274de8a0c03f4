"""What root in a pod may not do, tried as root in a real pod: one pod and its neighbours for all of it."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from assay.provider.errors import ProviderError
from assay.provider.pods.network import address_of
from assay.provider.pods.pod import PodImage
from assay.provider.pods.processes.start_command import MAX_LOG
from tests.integration.provider.conftest import until
from tests.integration.provider.outside import OUTSIDE, Outside
from tests.integration.provider.pod_bench import SHARE, PodBench
from tests.integration.provider.podman import IMAGE, PodmanService, invented_card

pytestmark = pytest.mark.deep

ATTACKS = Path(__file__).with_name("pod_attacks.py").read_text()
NAMES = re.findall(r'^attempt\(\n? *"([^"]+)"', ATTACKS, re.MULTILINE)
MINE, FRIEND, STRANGER = 1, 2, 3


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as made:
        yield made


@pytest.fixture(scope="module")
def bench(engine: str, outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodBench]:
    made = PodBench(engine, tmp_path_factory.mktemp("attacked"))
    made.pods.network.resolvers = (OUTSIDE,)
    made.start(MINE)
    made.start(FRIEND)
    made.start(STRANGER, renter="0xAnother")
    yield made
    made.close()


@pytest.fixture(scope="module")
def tried(bench: PodBench) -> dict[str, str]:
    """What came of each attempt."""
    with socket.socket(socket.AF_UNIX) as host:
        host.bind("\0assay-host-socket")
        host.listen()
        code, output = bench.run(MINE, "python3", "-c", ATTACKS)
    assert code == 0, output
    return dict(json.loads(output.splitlines()[-1]))


@pytest.mark.parametrize("name", NAMES)
def test_root_in_a_pod__tries_to(tried: dict[str, str], name: str) -> None:
    assert tried[name].startswith("refused"), tried[name]


def test_root_in_a_pod__trying_each_listed_way__gets_nowhere(tried: dict[str, str]) -> None:
    assert {name: how for name, how in tried.items() if not how.startswith("refused")} == {}
    assert len(tried) > 60


REACH = """
import json, socket, sys, threading
QUERY = bytes.fromhex("000101000001000000000000") + b"\\x08outwards\\x07example\\0" + bytes.fromhex("00010001")
found = {}
def reach(host, port, kind):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    made.settimeout(2.0)
    try:
        made.connect((host, port))
        made.send(b"x" if kind == "tcp" else QUERY)
        made.recv(64)
        found[host] = True
    except OSError:
        found[host] = False
threads = [threading.Thread(target=reach, args=(host, *sys.argv[1:3])) for host in sys.argv[3:]]
for one in threads: one._args = (one._args[0], int(one._args[1]), one._args[2]); one.start()
for one in threads: one.join()
print(json.dumps(found))
"""


def reached(bench: PodBench, lease_id: int, port: int, *hosts: str, kind: str = "tcp") -> list[str]:
    """Which of the hosts a program in the pod reaches and hears from."""
    code, output = bench.run(lease_id, "python3", "-c", REACH, str(port), kind, *hosts)
    assert code == 0, output
    return [host for host, answered in json.loads(output.splitlines()[-1]).items() if answered]


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_network__to_the_internet__is_reached_without_a_proxy(bench: PodBench, kind: str) -> None:
    assert reached(bench, MINE, 7000, OUTSIDE, kind=kind) == [OUTSIDE]


def test_network__by_a_name_that_points_inwards__is_refused_by_its_address(bench: PodBench) -> None:
    names = ("outwards.example", "metadata.example", "private.example", "host.example")
    assert reached(bench, MINE, 7000, *names) == ["outwards.example"]


def test_network__to_this_host_its_network_and_metadata__is_refused(bench: PodBench, outside: Outside) -> None:
    with socket.create_server(("0.0.0.0", 0)) as agent:  # noqa: S104 - as an agent listens
        port = agent.getsockname()[1]
        own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
        tried = [*own, outside.gateway, "127.0.0.1", "169.254.1.1", "169.254.169.254", "10.213.0.1", "0.0.0.0"]  # noqa: S104
        tried += ["192.168.1.1", "10.0.0.1", "172.16.0.1", "100.64.0.1", "168.63.129.16", "::1", "fe80::1", "fd00::1"]
        tried += ["::ffff:10.0.0.1", "2606:4700:4700::1111", "255.255.255.255", "224.0.0.1"]
        assert reached(bench, MINE, port, *tried) == []
        agent.setblocking(False)
        with pytest.raises(BlockingIOError):
            agent.accept()


def test_network__between_pods__is_one_renters_own(bench: PodBench) -> None:
    serve = "import socket; s=socket.create_server(('', 7001)); \nwhile True: c,_=s.accept(); c.send(b'hello')"
    address = address_of(bench.pods.slots.of(bench.pods.folders(FRIEND).lease))
    child = subprocess.Popen(bench.argv(FRIEND, "python3", "-c", serve))
    try:
        assert reached(bench, STRANGER, 7001, address) == []
        until(lambda: reached(bench, MINE, 7001, address) == [address], 15)
    finally:
        child.kill()
        child.wait()


def test_network__with_anothers_address__is_dropped(bench: PodBench) -> None:
    """Root cannot give its interface another address; the host drops what claims one all the same."""
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    interface = bench.pods.network.interface(bench.pods.slots.of(bench.pods.folders(MINE).lease))
    assert f'"{interface}" . {address_of(bench.pods.slots.of(bench.pods.folders(MINE).lease))}' in rules
    code, output = bench.run(MINE, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind")
    assert code != 0, output


@pytest.mark.deep
def test_network__policy_none__reaches_nothing_by_names_either(
    engine: str, bench: PodBench, outside: Outside, tmp_path: Path
) -> None:
    assert reached(bench, MINE, 53, OUTSIDE, kind="udp") == [OUTSIDE]
    closed = PodBench(engine, tmp_path, ("none",))
    closed.pods.network.resolvers = (OUTSIDE,)
    try:
        closed.start(9)
        assert reached(closed, 9, 7000, OUTSIDE) == []
        assert reached(closed, 9, 53, OUTSIDE, kind="udp") == []
        assert closed.sh(9, "cat /etc/resolv.conf") == ""
    finally:
        closed.close()


def test_disk__filled_by_blocks_and_by_inodes__keeps_to_its_quota_and_can_be_started_again(bench: PodBench) -> None:
    free = shutil.disk_usage(bench.folder).free
    bench.sh(
        MINE,
        "dd if=/dev/zero of=/big bs=1M count=500 2>/dev/null; dd if=/dev/zero of=/etc/hosts bs=1M 2>/dev/null; true",
    )
    assert shutil.disk_usage(bench.folder).free > free - (64 << 20)
    many = "try:\n for i in range(10**6): open(f'/workspace/{i}','w')\nexcept OSError as e: print(e.errno)"
    assert bench.sh(MINE, f'python3 -c "{many}"') == "28"
    bench.pods.stop(MINE, "full")
    bench.start(MINE)
    clean = "import os; [os.unlink(f'/workspace/{name}') for name in os.listdir('/workspace')]"
    bench.sh(MINE, f'rm -f /big; echo > /etc/hosts; python3 -c "{clean}"')


def test_memory__beyond_the_share__ends_the_program_and_not_the_pod(bench: PodBench) -> None:
    pid = bench.pods.status(MINE).pid
    code, _ = bench.run(MINE, "python3", "-c", "x = bytearray(1 << 30); print(len(x))")
    assert code == 137
    code, output = bench.run(
        MINE, "sh", "-c", "dd if=/dev/zero of=/dev/shm/big bs=1M count=200 2>&1; rm -f /dev/shm/big"
    )
    assert "No space" in output
    assert bench.pods.status(MINE).pid == pid


def test_processes__a_fork_bomb__stays_in_its_pod(bench: PodBench) -> None:
    bomb = "import os\nwhile True:\n try: os.fork()\n except OSError: pass"
    child = subprocess.Popen(bench.argv(STRANGER, "python3", "-c", bomb, group="bomb"))
    pid = bench.pods.status(STRANGER).pid
    assert pid is not None
    until(lambda: (bench.pods.use(STRANGER) or fail()).processes >= SHARE.processes - 4)
    time.sleep(0.5)
    assert (bench.pods.use(STRANGER) or fail()).processes <= SHARE.processes
    assert bench.sh(MINE, "echo alive") == "alive"
    began = time.monotonic()
    child.kill()
    child.wait()
    until(lambda: (bench.pods.use(STRANGER) or fail()).processes < 8, 15)
    assert time.monotonic() - began < 15


def fail() -> object:
    raise AssertionError("the pod does not run")


def test_open_files__beyond_the_share__are_refused(bench: PodBench) -> None:
    many = "import os\nn=0\ntry:\n while True: os.open('/dev/null',0); n+=1\nexcept OSError: print(n)"
    assert int(bench.sh(MINE, f'python3 -c "{many}"')) < SHARE.open_files


def test_set_uid__made_in_a_pod__is_nobodys_on_the_host(bench: PodBench) -> None:
    bench.sh(MINE, "cp /bin/busybox /workspace/su; python3 -c \"import os; os.chmod('/workspace/su', 0o6755)\"")
    made = (bench.pods.workspace(MINE) / "su").stat()
    assert made.st_mode & 0o4000 and made.st_uid == bench.pods.owner(MINE)[0]
    code, output = bench.run(MINE, "python3", "-c", "import os; os.chown('/workspace/su', 65536, 65536)")
    assert code != 0, output


def test_links__under_the_hosts_feet__lead_nowhere(bench: PodBench, tmp_path: Path) -> None:
    """Whatever stands in place of what the host writes, it is the pod's own that is written."""
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    bench.sh(MINE, f"rm -rf /workspace/out; ln -s {secret} /workspace/out; ln -sf /etc/shadow /workspace/shadow")
    assert bench.run(MINE, "cat", "/workspace/out")[0] != 0
    # The files of /etc that the host wrote are mounts of the pod's own volume: they can be changed, not replaced.
    assert bench.run(MINE, "rm", "/etc/hosts")[0] != 0
    assert bench.run(MINE, "rm", "-rf", "/workspace")[0] != 0
    bench.sh(MINE, "mkdir -p /workspace")
    bench.pods.stop(MINE, "again")
    bench.start(MINE)
    assert secret.read_text() == "SECRET"


def test_hard_links__to_what_the_host_keeps__are_refused_and_wiped_with_the_rest(bench: PodBench) -> None:
    for kept in ("/run/assay/ends-at", "/run/assay-init", "/etc/hosts", "/proc/self/exe"):
        assert bench.run(MINE, "python3", "-c", f"import os; os.link('{kept}', '/workspace/linked')")[0] != 0, kept
    own = "import os; open('/usr/own','w').write('x'); [os.link('/usr/own', f'/usr/own{n}') for n in range(1000)]"
    bench.sh(MINE, f'python3 -c "{own}"')
    assert bench.sh(MINE, "ls /usr | head -n 2000 | cat").count("own") == 1001


def hostile_image(bench: PodBench, name: str, *entries: tarfile.TarInfo, changes: Sequence[str] = ()) -> PodImage:
    """An image with a shell and such entries, put into the engine's own store."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add("/bin/busybox", "bin/busybox")
        for link in ("sh", "cat", "ls", "id", "sleep", "rm"):
            entry = tarfile.TarInfo(f"bin/{link}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
        for entry in entries:
            archive.addfile(entry, io.BytesIO(b"x" * entry.size))
    client = docker.APIClient(base_url=bench.engine)
    try:
        answer = client.post(
            f"{client.base_url}/v4.0.0/libpod/images/import",
            params={"reference": f"localhost/{name}:1", "changes": list(changes)},
            data=packed.getvalue(),
            headers={"content-type": "application/x-tar"},
        )
        if not answer.ok:
            raise ProviderError(f"podman: {answer.text}")
    finally:
        client.close()
    return bench.pods.local_image(f"localhost/{name}:1")


def linked(name: str, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry


@pytest.mark.parametrize("target", ["/etc", "../../../../../../../../etc", "/proc/1/root/etc", "/run/assay", "nowhere"])
def test_image__with_a_link_in_the_workspaces_place__stays_within_itself(bench: PodBench, target: str) -> None:
    lease = 20
    image = hostile_image(bench, "linked", linked("workspace", target))
    try:
        bench.start(lease, image=image)
        bench.run(lease, "sh", "-c", "echo mine > /workspace/assay-planted; echo mine > assay-planted")
    except ProviderError as error:
        assert "podman" in str(error)  # the engine will not have it: no less well
    finally:
        bench.pods.remove(lease)
    assert not Path("/etc/assay-planted").exists()


def test_image__whose_archive_climbs__stays_within_itself(bench: PodBench, tmp_path: Path) -> None:
    through = tarfile.TarInfo("way/through")
    climbing = [tarfile.TarInfo(f"{'../' * 30}{tmp_path}/climbed"), tarfile.TarInfo(f"/{tmp_path}/absolute"), through]
    for number, entry in enumerate(climbing):
        entry.size = 1
        try:
            image = hostile_image(bench, f"climbs{number}", linked("way", str(tmp_path)), entry)
            bench.start(21, image=image)
            assert bench.sh(21, "id -u") == "0"
        except ProviderError as error:
            assert "processing tar file" in str(error)  # the engine will not unpack it: no less well
        finally:
            bench.pods.remove(21)
    assert list(tmp_path.iterdir()) == []


def test_image__with_a_hostile_entry_point_and_volumes__runs_neither_and_all_is_within_the_quota(
    bench: PodBench,
) -> None:
    changes = [
        'ENTRYPOINT ["/bin/sh", "-c", "while :; do :; done"]', 'CMD ["x"]', "USER 12345", "VOLUME /data",
        "VOLUME /workspace/data", "ENV LD_PRELOAD=/x.so", "WORKDIR /proc",
    ]  # fmt: skip
    image = hostile_image(bench, "hostile", changes=changes)
    try:
        pid = bench.start(22, image=image).pid
        assert pid is not None and b"assay-init" in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert bench.sh(22, "id -u; busybox pwd", environment={"LD_PRELOAD": ""}).split() == ["0", "/workspace"]
        mounts = bench.sh(22, "cat /proc/self/mountinfo")
        assert " /data " not in mounts and " /workspace/data " not in mounts
    finally:
        bench.pods.remove(22)


def test_lease__anothers_files_and_credentials__are_not_there(bench: PodBench) -> None:
    bench.sh(FRIEND, "echo theirs > /workspace/theirs")
    for path in ("/workspace/theirs", str(bench.pods.workspace(FRIEND)), str(bench.pods.folders(FRIEND).spec)):
        assert bench.run(MINE, "ls", path)[0] != 0
    volume = bench.pods.folders(FRIEND).pod
    assert volume.stat().st_mode & 0o077 == 0


def test_cards__of_two_leases__are_each_ones_own(engine: str, tmp_path: Path) -> None:
    cards = PodBench(engine, tmp_path)
    with invented_card(70) as first, invented_card(71) as second:
        try:
            cards.start(1, cards=(first,))
            cards.start(2, cards=(second,))
            seen = [cards.sh(lease, "ls /dev").split() for lease in (1, 2)]
            assert [[name for name in one if "gpu" in name] for one in seen] == [["assay-gpu70"], ["assay-gpu71"]]
            assert cards.sh(1, "echo $CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES") == "0 void"
            assert cards.sh(2, "head -c 4 /dev/assay-gpu71") == 4 * "\0"
            make = "import os; os.mknod('/dev/theirs', 0o20666, os.makedev(1, 5))"
            assert cards.run(2, "python3", "-c", make)[0] != 0
        finally:
            cards.close()


def test_node_of_four_cards__is_one_pod_with_all_of_them_and_no_fifth(engine: str, tmp_path: Path) -> None:
    cards = PodBench(engine, tmp_path)
    with contextlib.ExitStack() as stack:
        names = [stack.enter_context(invented_card(number)) for number in range(72, 77)]
        try:
            cards.start(1, cards=tuple(names[:4]), share=SHARE.times(4))
            seen = [name for name in cards.sh(1, "ls /dev").split() if "gpu" in name]
            assert seen == [f"assay-gpu{number}" for number in range(72, 76)]
            assert cards.sh(1, "echo $CUDA_VISIBLE_DEVICES") == "0,1,2,3"
            assert int(cards.sh(1, "df -Pk /dev/shm | busybox tail -1").split()[1]) << 10 == 2 * SHARE.memory_bytes
        finally:
            cards.close()


@pytest.mark.deep
def test_next_renter__of_a_lease_that_was_wiped__finds_nothing(bench: PodBench) -> None:
    bench.sh(STRANGER, "echo SECRET > /workspace/left; echo SECRET > /usr/left")
    folder = bench.pods.folders(STRANGER)
    bench.pods.remove(STRANGER)
    assert not folder.image.exists()
    bench.start(STRANGER, renter="0xThird")
    assert bench.run(STRANGER, "cat", "/workspace/left")[0] != 0
    assert bench.run(STRANGER, "cat", "/usr/left")[0] != 0


def test_processes__of_a_session_or_a_daemon__end_with_the_pod_whoever_is_gone(bench: PodBench) -> None:
    bench.sh(STRANGER, "(setsid sleep 8765 >/dev/null 2>&1 &)")
    pid = bench.pods.status(STRANGER).pid
    bench.pods.extend(STRANGER, time.time() + 1.0)
    until(lambda: not Path(f"/proc/{pid}").exists(), 10)
    until(lambda: all(b"8765" not in _words(path) for path in Path("/proc").glob("[0-9]*/cmdline")), 5)


def test_processes__when_the_engine_is_gone__run_on_and_end_with_the_lease(bench: PodBench) -> None:
    lease, service = 23, PodmanService.of[bench.engine]
    pid = bench.start(lease).pid
    bench.sh(lease, "(setsid sleep 9876 >/dev/null 2>&1 &)")
    service.kill()
    try:
        assert bench.sh(lease, "echo there") == "there"
        bench.pods.extend(lease, time.time() + 1.0)
        until(lambda: not Path(f"/proc/{pid}").exists(), 10)
        until(lambda: all(b"9876" not in _words(path) for path in Path("/proc").glob("[0-9]*/cmdline")), 5)
    finally:
        service.start()
    bench.pods.remove(lease)


def test_output__of_a_start_command_without_end__keeps_to_its_log(bench: PodBench) -> None:
    lease = 24
    bench.start(lease, image=replace(bench.pods.local_image(IMAGE), start=("yes", "x" * 1000)))
    log = bench.pods.log_path(lease)
    older = log.with_name(f"{log.name}.1")
    until(older.exists, 60)
    first = older.stat().st_ino
    until(lambda: older.stat().st_ino != first, 60)  # all of it written twice
    sizes = [path.stat().st_size for path in (log, older)]
    assert max(sizes) <= MAX_LOG and {path.name for path in log.parent.glob(f"{log.name}*")} == {log.name, older.name}
    assert bench.sh(lease, "id -u") == "0"
    bench.pods.remove(lease)


def _words(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
