"""What passes between the pods of a cluster, and what does not."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from assay.provider.clusters.packets import BadFrame, Frames, Paths, framed
from assay.provider.pods.layout import PodFolders
from assay.provider.pods.neighbours import with_neighbours
from assay.provider.pods.nodes import Nodes, tell, told
from assay.wire.clusters import ClusterBody, MemberBody, WayBody

OWN, FIRST, SECOND = "10.214.0.2", "10.214.0.1", "10.214.0.3"
PATHS = Paths(OWN, {0: FIRST, 2: SECOND})
KEY = "ssh-ed25519 AAAA"


def packet(source: str, target: str, version: int = 4, size: int = 40) -> bytes:
    head = bytes([version << 4 | 5]) + bytes(11) + IPv4Address(source).packed + IPv4Address(target).packed
    return head + bytes(size - len(head))


@given(st.lists(st.integers(20, 300)), st.lists(st.integers(1, 50), min_size=1))
def test_frames__cut_anywhere__are_the_packets_again(sizes: list[int], cuts: list[int]) -> None:
    packets = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    stream = b"".join(map(framed, packets))
    frames, found, at = Frames(), list[bytes](), 0
    while at < len(stream):
        for cut in cuts:
            found += frames.feed(stream[at : at + cut])
            at += cut
    assert found == packets


def test_frames__of_no_packet__break_the_link() -> None:
    with pytest.raises(BadFrame):
        list(Frames().feed(framed(bytes(19))))


def test_packets_out__go_to_the_member_they_name_and_no_further() -> None:
    assert [PATHS.leads_to(packet(OWN, one)) for one in (FIRST, SECOND)] == [0, 2]
    # To nobody; of another address, as an engine of the pod's own might; of another kind; too short.
    for wrong in (
        packet(OWN, "10.214.0.9"),
        packet(OWN, "224.0.0.1"),
        packet(FIRST, SECOND),
        packet(OWN, FIRST, 6),
        b"E",
    ):
        assert PATHS.leads_to(wrong) is None


def test_packets_in__with_anothers_address_or_for_another__do_not_enter() -> None:
    assert PATHS.may_come(packet(FIRST, OWN), 0)
    assert not PATHS.may_come(packet(SECOND, OWN), 0)
    assert not PATHS.may_come(packet("8.8.8.8", OWN), 0)
    assert not PATHS.may_come(packet(FIRST, "10.213.0.2"), 0)
    assert not PATHS.may_come(packet(FIRST, "127.0.0.1"), 0)
    assert not PATHS.may_come(packet(FIRST, OWN, 6), 0)
    assert not PATHS.may_come(packet(FIRST, OWN), 7)


def test_cluster__as_a_renter_sends_it__is_held_to_its_form() -> None:
    way = WayBody(host="11.22.33.44", port=22, host_key=KEY, link_key=KEY)
    here, there = MemberBody(lease_id=1, way=way), MemberBody(lease_id=2, way=way)
    assert ClusterBody(rank=1, members=[here, there]).rank == 1
    for rank, members in (
        (2, [here, there]),
        (0, [here]),
        (0, [here, here]),
        (0, [here, MemberBody(lease_id=2)]),
        (0, [MemberBody(lease_id=number) for number in range(1, 10)]),
    ):
        with pytest.raises(ValidationError):
            ClusterBody(rank=rank, members=members)
    for wrong in ({"host": "gpu.example"}, {"host": "::1"}, {"port": 0}, {"host_key": "one"}, {"link_key": "a b\nc d"}):
        with pytest.raises(ValidationError):
            WayBody(**{**way.model_dump(), **wrong})


def test_nodes__told_to_a_pod__are_its_variables_and_names(tmp_path: Path) -> None:
    folders = PodFolders(tmp_path / "lease", tmp_path / "run")
    folders.tools.mkdir(parents=True)
    assert told(folders).environment == {}
    nodes = Nodes(1, (FIRST, OWN), "nodes0", (7, 9))
    tell(folders, nodes)
    assert told(folders) == nodes
    assert nodes.environment["ASSAY_NODE_ADDRESSES"] == f"{FIRST},{OWN}"
    assert (nodes.environment["ASSAY_NODE_RANK"], nodes.environment["MASTER_ADDR"]) == ("1", FIRST)
    hosts = with_neighbours("127.0.0.1 localhost\n10.214.0.1 mine\n", {}, ("10.213.", "10.214."), nodes.names)
    assert hosts.splitlines()[-2:] == [f"{FIRST} node-0", f"{OWN} node-1"]
    assert with_neighbours(hosts, {}, ("10.213.", "10.214."), {}) == "127.0.0.1 localhost\n10.214.0.1 mine\n"
