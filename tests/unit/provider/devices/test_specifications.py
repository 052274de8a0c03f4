"""What a device was enrolled as is kept, served only with the hash that the registry has, and found by search."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.market.sources.offers import specification as as_the_market_reads_it
from assay.protocol.specification import specification_hash
from assay.provider.devices.inventory import Accelerator
from assay.provider.devices.specifications import Specifications, checked_region
from assay.provider.errors import ProviderError
from tests.unit.provider.conftest import DEVICE_ID

CARD = Accelerator("gpu", 0, "NVIDIA H100 80GB HBM3", "GPU-1", 81_559, "570.1").specification("eu-west")


def test_specification__kept__comes_back_for_its_hash_alone(tmp_path: Path) -> None:
    kept = Specifications(tmp_path)
    kept.keep(DEVICE_ID, CARD)
    assert kept.of_device(DEVICE_ID, specification_hash(CARD)) == CARD
    assert kept.of_device(DEVICE_ID, bytes(32)) is None
    assert kept.of_device(bytes(32), specification_hash(CARD)) is None


def test_specification__kept_anew_while_the_first_is_on_its_way__both_come_back(tmp_path: Path) -> None:
    kept, later = Specifications(tmp_path), {**CARD, "host": {"cores": 3, "memoryMiB": 4, "diskMiB": 5}}
    for document in (CARD, CARD, later):
        kept.keep(DEVICE_ID, document)
    assert [kept.of_device(DEVICE_ID, specification_hash(one)) for one in (CARD, later)] == [CARD, later]
    assert kept.known() == [DEVICE_ID]


@pytest.mark.parametrize("content", ["", "[]", "null", "{", '{"model": "B200"}'])
def test_specification__changed_on_disk__is_not_served(tmp_path: Path, content: str) -> None:
    kept = Specifications(tmp_path)
    kept.keep(DEVICE_ID, CARD)
    kept.path(DEVICE_ID).write_text(content)
    assert kept.of_device(DEVICE_ID, specification_hash(CARD)) is None


def test_specification__read_by_the_market__has_the_registrys_hash_model_memory_and_region() -> None:
    read = as_the_market_reads_it(CARD)
    assert (read.spec_hash, read.model, read.memory_mib, read.region) == (
        specification_hash(CARD),
        "NVIDIA H100 80GB HBM3",
        81_559,
        "eu-west",
    )


@pytest.mark.parametrize("region", ["EU", "eu west", "-eu", "eu-", "x" * 41, "eu/west"])
def test_region__malformed__is_refused(region: str) -> None:
    with pytest.raises(ProviderError, match="region"):
        checked_region(region)
