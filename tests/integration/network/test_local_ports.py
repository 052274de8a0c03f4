"""Ports of daemons that listen some time after they were chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.devnet import ports


def test_free_ports__chosen_before_daemons_listen__are_none_that_the_kernel_gives_to_connections() -> None:
    lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    chosen = ports.free_ports(20)
    assert len(set(chosen)) == 20
    assert not [port for port in chosen if lowest <= port <= highest]


@pytest.mark.parametrize("told", ["", "words", "0 10"])
def test_free_ports__range_that_tells_nothing__are_found_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    (tmp_path / "range").write_text(told)
    monkeypatch.setattr(ports, "RANGE", tmp_path / "range")
    assert len(set(ports.free_ports(3))) == 3
