"""What is worked out of a pod without making one: its share, its network, its walls, its log."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.protocol.specification import DeclaredHost, parse_specification
from assay.provider.database import open_database
from assay.provider.devices import host_parts
from assay.provider.devices.host_parts import new_part
from assay.provider.errors import BadProviderSetting, ProviderError, RuntimeUnavailable
from assay.provider.pods import share, volume
from assay.provider.pods.assemble import host_and_kept
from assay.provider.pods.layout import PodFolders
from assay.provider.pods.lease_pods import PodBook
from assay.provider.pods.neighbours import introduce, with_neighbours
from assay.provider.pods.network import resolvers
from assay.provider.pods.network_rules import NetworkPolicy, PodLink, table
from assay.provider.pods.options import create_options
from assay.provider.pods.pod import HostShare, PodImage, PodSpec
from assay.provider.pods.processes.start_command import follow
from assay.provider.pods.records import spec_from_json, spec_to_json
from assay.provider.pods.seccomp import profile
from assay.provider.pods.share import (
    DevicePart,
    HostResources,
    KeptBack,
    declared,
    device_share,
    device_shares,
    free_cores,
    image_room,
    missing_disk,
    together,
)
from assay.provider.pods.slots import PodSlots, first_id
from assay.provider.settings import ProviderSettings

GIB = 1 << 30
HOST = HostResources(tuple(range(64)), 512 * GIB, 4096 * GIB)
KEPT = KeptBack(4, 32 * GIB, 96 * GIB)
SPEC = PodSpec(7, "0xR", PodImage("debian:12", "ab" * 32, ("serve",), (80,), (("A", "b"),)), HostShare(), 9.5)


def test_book__image_chosen_by_whom_a_lease_seemed_to_belong_to__is_not_that_of_its_renter() -> None:
    book, image = PodBook(open_database(None)), PodImage("debian:12", "ab" * 32, environment=(("SECRET", "x"),))
    book.note_image(7, "0xBefore", image)
    book.note_renter(7, "0xRenter")
    assert book.image(7, "0xRenter") is None and book.image(7, "0xBefore") == image
    book.note_image(7, "0xRenter", replace(image, reference="mine"))
    assert [one.reference for one in book.images(7)] == ["debian:12", "mine"]
    assert book.image(7, "0xRenter") == replace(image, reference="mine")


def test_neighbours__in_a_file_of_names__are_renewed_and_all_else_is_kept(tmp_path: Path) -> None:
    mine = "127.0.0.1 localhost pod-7\n192.0.2.1 mine\n10.213.0.9 pod-6\n10.213.0.9 pod-6 mine\n"
    text = with_neighbours(mine, {9: "10.213.0.4", 8: "10.213.0.3"}, ["10.213."])
    kept = "127.0.0.1 localhost pod-7\n192.0.2.1 mine\n10.213.0.9 pod-6 mine\n"
    assert text == f"{kept}10.213.0.3 pod-8\n10.213.0.4 pod-9\n"
    assert with_neighbours(text, {}, ["10.213."]) == kept
    files = {lease: (tmp_path / str(lease), f"10.213.0.{lease}") for lease in (7, 8, 9)}
    (tmp_path / "7").write_bytes(b"\xff mine\n")
    (tmp_path / "8").write_text("x" * (1 << 17))
    (tmp_path / "9").symlink_to(tmp_path / "7")
    introduce(files, ["10.213.", "10.214."], {})
    assert (tmp_path / "7").read_bytes() == b"\xff mine\n10.213.0.8 pod-8\n10.213.0.9 pod-9\n"
    assert (tmp_path / "8").stat().st_size == 1 << 17


def test_limits__that_this_daemon_may_not_raise__are_kept_to_unless_more_was_asked_for() -> None:
    low = replace(HOST, processes=10_000, open_files=20_000)
    share = device_share(low, KEPT, 8)
    assert (share.processes, share.open_files) == (10_000 // 8, 20_000)
    promised = device_shares(low, KEPT, {"a": DeclaredHost(4, 1024, 4096), "b": DeclaredHost(4, 1024, 4096)})
    assert {(one.processes, one.open_files) for one in promised.values()} == {(4096, 20_000)}
    assert device_share(HOST, KEPT, 8).open_files == HostShare().open_files
    for wanted in (DevicePart(open_files=65_536), DevicePart(processes=2_000)):
        with pytest.raises(BadProviderSetting, match="may give at most"):
            device_share(low, KEPT, 8, wanted)


def test_share__of_eight_devices__is_an_eighth_of_what_is_not_kept_back() -> None:
    share = device_share(HOST, KEPT, 8)
    assert (share.cores, share.memory_bytes, share.disk_bytes) == (7, 60 * GIB, 500 * GIB)
    assert share.times(8).cores <= 60 and share.times(8).memory_bytes <= 480 * GIB
    assert share.shm_bytes == 30 * GIB
    assert parse_specification({"host": declared(share).to_json()}).host == DeclaredHost(7, 61440, 512000)


@pytest.mark.parametrize(
    ("wanted", "devices", "words"),
    [
        (DevicePart(cores=16), 8, "pod_cores: 8 devices with 16"),
        (DevicePart(memory_bytes=400 * GIB), 2, "pod_memory"),
        (DevicePart(disk_bytes=5000 * GIB), 1, "pod_disk"),
        (DevicePart(), 80, "pod_cores: 0 for each of 80 devices"),
    ],
)
def test_share__that_the_host_does_not_have__is_refused(wanted: DevicePart, devices: int, words: str) -> None:
    with pytest.raises(BadProviderSetting, match=words):
        device_share(HOST, KEPT, devices, wanted)


def test_image_room__on_the_disk_of_pods__is_the_caches_bound_or_a_quarter_of_the_disk() -> None:
    assert image_room(HOST, 200 * GIB) == 200 * GIB
    assert image_room(replace(HOST, disk_bytes=300 * GIB), 200 * GIB) == 75 * GIB


@pytest.mark.parametrize(("images", "disk"), [(None, 480), (0, 355), (100, 430)])
def test_share__where_images_are_on_the_same_disk__leaves_them_room_whatever_is_there_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: int | None, disk: int
) -> None:
    monkeypatch.setattr(share, "os", SimpleNamespace(
        statvfs=lambda _: SimpleNamespace(f_bavail=500, f_frsize=GIB), sched_getaffinity=lambda _: {0, 1},
        sysconf=lambda name: 1 << 18,
    ))  # fmt: skip
    held = None if images is None else images * GIB
    pods = SimpleNamespace(held_bytes=lambda: 0, image_bytes=lambda: held)
    settings = ProviderSettings.of({"data_dir": tmp_path})
    assert device_share(*host_and_kept(settings, pods), 1).disk_bytes == disk * GIB  # type: ignore[arg-type]


def test_cores__of_pods__are_nobody_elses_nor_the_hosts() -> None:
    first = free_cores(HOST, KEPT, [], 30)
    second = free_cores(HOST, KEPT, [first], 30)
    assert len(set(first) | set(second)) == 60 and min(first + second) == 4
    assert free_cores(HOST, KEPT, [first, second], 1) == ()


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        {"cores": 1},
        {"cores": True, "memoryMiB": 1, "diskMiB": 1},
        {"cores": 1, "memoryMiB": -1, "diskMiB": 1},
    ],
)
def test_declared_host__odd__is_not_declared(value: object) -> None:
    assert parse_specification({"host": value}).host is None


def test_policy__as_set__is_read_and_told_again() -> None:
    assert NetworkPolicy.parse(["none"]).names() == ["none"]
    assert NetworkPolicy.parse(["internet", "198.51.100.7/32"]).names() == ["internet", "198.51.100.7/32"]
    listed = NetworkPolicy.parse(["*.example.org:443", "198.51.100.0/24"])
    assert listed.names() == ["*.example.org:443", "198.51.100.0/24"] and not listed.names_resolved
    for wrong in (["none", "internet"], ["none", "10.0.0.0/8"], ["internet", "example.org"], ["no way"]):
        with pytest.raises(ProviderError):
            NetworkPolicy.parse(wrong)


def test_rules__of_pods__let_one_renters_pods_reach_each_other_and_nobody_elses() -> None:
    links = [PodLink("as1", "10.213.0.2", "a"), PodLink("as2", "10.213.0.3", "a"), PodLink("as3", "10.213.0.4", "b")]
    made = table("t", "as", links, NetworkPolicy(internet=True), ("9.9.9.9",))
    friends = next(line for line in made.splitlines() if "iifname . ip daddr" in line)
    assert '"as1" . 10.213.0.3' in friends and '"as2" . 10.213.0.2' in friends and "10.213.0.4" not in friends
    order = [
        made.index(part) for part in ("nfproto != ipv4 drop", "ip saddr !=", friends, "reject with", "established")
    ]
    assert order == sorted(order)
    for refused in ("169.254.0.0/16", "10.0.0.0/8", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"):
        assert made.index(refused) < made.index("tcp dport 25") < made.index("meta l4proto { tcp, udp, icmp } accept")


def test_rules__without_the_internet__let_no_names_be_asked_for() -> None:
    made = table("t", "as", [PodLink("as1", "10.213.0.2", "a")], NetworkPolicy(), ("9.9.9.9",))
    assert "dport 53" not in made and "icmp } accept" not in made


def test_rules__of_no_pods_yet__drop_what_comes_from_any() -> None:
    made = table("t", "as1-", [], NetworkPolicy(internet=True), ("9.9.9.9",))
    rules = made[made.index("chain from_pods") :].splitlines()[1:3]
    assert [rule.strip() for rule in rules] == ["meta nfproto != ipv4 drop", "drop"]
    assert 'iifname "as1-*" goto from_pods' in made and "masquerade" not in made


def test_resolvers__of_a_host__leave_out_its_own_loopback(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\noptions edns0\n")
    real.write_text("nameserver 10.0.0.2\nnameserver ::1\nnameserver x\n")
    assert resolvers((stub, real)) == ("10.0.0.2",)
    assert resolvers((stub, tmp_path / "none")) == ("9.9.9.9", "1.1.1.1")


def test_options__of_a_pod__name_every_wall(tmp_path: Path) -> None:
    spec = replace(SPEC, cards=("nvidia.com/gpu=GPU-a", "nvidia.com/gpu=GPU-b"), cpuset=(4, 5))
    options = create_options(spec, PodFolders(tmp_path / "l", tmp_path / "r"), 3, Path("/init"), Path("/p"), None, {})
    text = " ".join(options)
    for wall in (
        f"--uidmap 0:{first_id(3)}:65536", "--network none", "--cap-drop all", "seccomp=/p", "--log-driver none",
        "--image-volume ignore", "--cpuset-cpus 4,5", "CUDA_VISIBLE_DEVICES=0,1", "NVIDIA_VISIBLE_DEVICES=void",
        "--ulimit core=0:0", "dst=/run/assay,ro", f"--memory-swap {spec.share.memory_bytes}",
    ):  # fmt: skip
        assert wall in text
    assert "privileged" not in text and "NET_ADMIN" not in text and "SYS_ADMIN" not in text
    # An image's own wish for cards is not heard.
    wish = replace(spec, cards=(), image=replace(SPEC.image, environment=(("NVIDIA_VISIBLE_DEVICES", "all"),)))
    made = create_options(wish, PodFolders(tmp_path / "l", tmp_path / "r"), 3, Path("/i"), Path("/p"), None, {})
    assert "NVIDIA_VISIBLE_DEVICES=void" in made and "NVIDIA_VISIBLE_DEVICES=all" not in made


def test_seccomp__from_the_engines_list__takes_what_widens_the_way_in() -> None:
    default = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            {"names": ["clone", "clone3", "mount", "read", "unshare"], "action": "SCMP_ACT_ALLOW", "args": []},
            {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        ],
    }
    made = profile(default)
    allowed = [name for rule in made["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]]
    assert sorted(allowed) == ["clone", "read", "unshare"]
    assert all(rule["args"] for rule in made["syscalls"] if {"clone", "unshare"} & set(rule["names"]))
    with pytest.raises(RuntimeUnavailable):
        profile({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []})


def test_slots__of_leases__are_kept_and_come_free_with_their_folders(tmp_path: Path) -> None:
    leases = [tmp_path / name for name in "abc"]
    for lease in leases:
        lease.mkdir()
    slots = PodSlots(tmp_path / "slots")
    assert [slots.of(lease) for lease in leases] == [0, 1, 2]
    assert PodSlots(tmp_path / "slots").of(leases[1]) == 1
    leases[0].rmdir()
    slots.free(leases[1])
    (tmp_path / "d").mkdir()
    assert slots.of(tmp_path / "d") in (0, 1)


def test_spec__kept_beside_its_pod__is_the_same_again() -> None:
    assert spec_from_json(json.loads(json.dumps(spec_to_json(SPEC)))) == SPEC


def test_log__of_a_start_command__keeps_the_newest(tmp_path: Path) -> None:
    log = tmp_path / "pod.log"
    script = "for i in $(seq 4000); do echo line $i; done; exit 3"
    assert follow(["sh", "-c", script], log, limit=10_000) == 3
    assert "line 4000" in log.read_text() and "exit code 3" in log.read_text()
    assert log.stat().st_size + log.with_name("pod.log.1").stat().st_size < 3 * 10_000 + 200_000


def test_shares__promised_by_specifications__are_given_as_they_stand_and_the_rest_is_parted() -> None:
    big, small = DeclaredHost(30, 200 * 1024, 2000 * 1024), DeclaredHost(2, 1024, 1024)
    shares = device_shares(HOST, KEPT, {"a": big, "b": small, "c": None, "d": None}, DevicePart(processes=99))
    assert (shares["a"].cores, shares["a"].memory_bytes, shares["a"].processes) == (30, 200 * GIB, 99)
    assert (shares["b"].cores, shares["b"].disk_bytes) == (2, GIB)
    assert shares["c"] == shares["d"] and shares["c"].cores == 14
    assert sum(one.cores for one in shares.values()) <= 60
    node = together([shares["a"], shares["b"]])
    assert (node.cores, node.memory_bytes, node.processes, node.bandwidth_bps) == (32, 201 * GIB, 198, 0)


@pytest.mark.parametrize("name", ["cores", "memory"])
def test_shares__specifications_that_promise_more_than_there_is__are_refused(name: str) -> None:
    part = DeclaredHost(31, 1, 1) if name == "cores" else DeclaredHost(1, 241 * 1024, 1)
    with pytest.raises(BadProviderSetting, match=f"2 devices promise .* {name}, and this host has .*host_keep_{name}"):
        device_shares(HOST, KEPT, {"a": part, "b": part})
    assert len(device_shares(HOST, KEPT, {"a": part, "b": part}, retired=["b"])) == 2


def test_missing_disk__as_images_come_and_go__is_told_and_refuses_nobody() -> None:
    half = DeclaredHost(1, 1, 2100 * 1024)
    assert len(device_shares(HOST, KEPT, {"a": half, "b": half})) == 2
    assert missing_disk(HOST, [half, half]) == 104 * GIB and missing_disk(HOST, [half]) == 0


def test_new_part__card_by_card__is_the_same_for_all_and_a_full_host_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(host_parts, "read_host", lambda folder, held: HOST)
    settings = ProviderSettings.of(
        {
            "data_dir": tmp_path,
            "host_keep_cores": 4,
            "host_keep_memory": 32 * GIB,
            "host_keep_disk": 96 * GIB,
            "image_cache": 1,
        }
    )
    standing: list[DeclaredHost | None] = []
    for _ in range(8):
        standing.append(new_part(settings, 8, 1, standing))
    assert standing == [DeclaredHost(7, 61_440, 511_999)] * 8
    with pytest.raises(BadProviderSetting, match="8 devices that are enrolled here have the rest"):
        new_part(settings, 8, 5, standing)
    assert new_part(settings.model_copy(update={"runtime": "bubblewrap"}), 8, 1, []) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_groups__left_to_the_hosts_root__become_the_pods_and_no_link_is_followed(tmp_path: Path) -> None:
    ours, linked, elsewhere = tmp_path / "ours", tmp_path / "linked", tmp_path / "elsewhere"
    for folder in (ours, linked, elsewhere):
        (folder / "etc").mkdir(parents=True)
    for folder in (ours, elsewhere):
        (folder / "etc/group").write_text("root:x:0:\n")
        (folder / "etc/group").chmod(0o600)
    (linked / "etc/group").symlink_to(elsewhere / "etc/group")
    (tmp_path / "astray").mkdir()
    (tmp_path / "astray/etc").symlink_to(elsewhere / "etc")
    for root in (ours, linked, tmp_path / "astray", tmp_path):
        volume.give_groups(root, 70_000)
    given, kept = (ours / "etc/group").stat(), (elsewhere / "etc/group").stat()
    assert (given.st_uid, given.st_gid, given.st_mode & 0o777) == (70_000, 70_000, 0o644)
    assert (kept.st_uid, kept.st_mode & 0o777) == (0, 0o600)
