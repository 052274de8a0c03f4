"""What a host finds out about itself for its devices' sheets."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.protocol.specification import parse_specification
from assay.provider.devices.host_sheet import BLOCK, cpu_mhz, disk_rates, host_sheet
from assay.provider.devices.inventory import Accelerator
from assay.provider.errors import BadProviderSetting
from assay.sheet.declared import DeclaredSheet, declared_in

CARD = Accelerator("gpu", 0, "NVIDIA H100 80GB HBM3", "GPU-1", 81_559, "570.1", cuda=1208, pcie_mbs=63_008)


def test_specification__of_a_card__declares_what_driver_and_host_tell() -> None:
    host = DeclaredSheet(cpu_mhz=3_700, disk_read_mbs=5_000, cards_in_host=8, network_up_mbps=1_000)
    read = declared_in(parse_specification(CARD.specification("eu-west", None, host)).document)
    assert (read.driver, read.cuda, read.pcie_mbs) == ("570.1", 1208, 63_008)
    assert (read.cpu_mhz, read.disk_read_mbs, read.cards_in_host, read.network_up_mbps) == (3_700, 5_000, 8, 1_000)


def test_specification__of_a_card_that_tells_nothing__is_what_it_was() -> None:
    assert "sheet" not in Accelerator("gpu", 0, "m", "GPU-1", 5, "570.1").specification("eu-west")


def test_disk__of_a_folder__has_both_rates_and_leaves_nothing(tmp_path: Path) -> None:
    write, read = disk_rates(tmp_path, most=2 * BLOCK)
    assert write > 0 and read > 0
    assert list(tmp_path.iterdir()) == []


def test_disk__that_cannot_be_written__is_not_declared(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert disk_rates(tmp_path / "file") == (0, 0)
    assert disk_rates(tmp_path, most=BLOCK - 1) == (0, 0)


def test_cores__by_what_the_kernel_tells__are_as_fast_as_they_get(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("cpu MHz\t\t: 2400.5\ncpu MHz\t\t: 3100.0\n")
    assert cpu_mhz(tmp_path, tmp_path) == 3_100
    place = tmp_path / "devices/system/cpu/cpu0/cpufreq"
    place.mkdir(parents=True)
    (place / "cpuinfo_max_freq").write_text("3700000\n")
    assert cpu_mhz(tmp_path, tmp_path) == 3_700
    assert cpu_mhz(tmp_path / "none", tmp_path / "none") == 0


@pytest.mark.parametrize("told", [-1, 1 << 31])
def test_network__out_of_bounds__is_refused_with_the_value(told: int, tmp_path: Path) -> None:
    with pytest.raises(BadProviderSetting, match=str(told)):
        host_sheet(tmp_path, 1, network_up=told, disk=False)
