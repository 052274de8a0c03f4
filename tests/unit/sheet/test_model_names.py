"""Names of cards: whatever people and drivers write, they find what they name and nothing else."""

from __future__ import annotations

import pytest

from assay.sheet.known_models import KNOWN_MODELS
from assay.sheet.model_names import is_named, named_model, of_expected_bps, sold_gb, words_of

# As NVML names them, with the MiB that it tells.
TOLD = {
    "NVIDIA H100 80GB HBM3": 81_559,
    "NVIDIA H100 PCIe": 81_559,
    "NVIDIA H100 NVL": 95_830,
    "NVIDIA H200": 143_771,
    "NVIDIA GH200 480GB": 97_871,
    "NVIDIA A100-SXM4-80GB": 81_920,
    "NVIDIA A100 80GB PCIe": 81_920,
    "NVIDIA A100-PCIE-40GB": 40_960,
    "NVIDIA A100-SXM4-80GB MIG 3g.40gb": 40_192,
    "NVIDIA A10": 23_028,
    "NVIDIA A10G": 23_028,
    "NVIDIA L40S": 46_068,
    "NVIDIA L40": 46_068,
    "NVIDIA L4": 23_034,
    "Tesla T4": 15_360,
    "Tesla V100-SXM2-32GB": 32_768,
    "NVIDIA RTX A6000": 49_140,
    "NVIDIA RTX 6000 Ada Generation": 49_140,
    "NVIDIA GeForce RTX 4090": 24_564,
    "NVIDIA GeForce RTX 4090 D": 24_564,
    "NVIDIA GeForce RTX 4090 Laptop GPU": 16_376,
    "NVIDIA GeForce RTX 4070": 12_282,
    "NVIDIA GeForce RTX 4070 Ti": 12_282,
    "NVIDIA GeForce RTX 4070 Ti SUPER": 16_376,
    "CPU only: AMD EPYC, 2 threads": 7_950,
}


def found(query: str) -> set[str]:
    wanted = words_of(query)
    return {name for name, mib in TOLD.items() if is_named(wanted, named_model(name, mib).words)}


@pytest.mark.parametrize(
    "query, expected",
    [
        ("H100 SXM", {"NVIDIA H100 80GB HBM3"}),
        ("h100-sxm5", {"NVIDIA H100 80GB HBM3"}),
        ("H100SXM", {"NVIDIA H100 80GB HBM3"}),
        ("H100", {"NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe", "NVIDIA H100 NVL"}),
        ("NVIDIA H100 80GB HBM3", {"NVIDIA H100 80GB HBM3"}),
        ("A100 80GB", {"NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe"}),
        ("a100 80 gb pcie", {"NVIDIA A100 80GB PCIe"}),
        ("A100_SXM4", {"NVIDIA A100-SXM4-80GB"}),
        ("A100 40GB", {"NVIDIA A100-PCIE-40GB"}),
        ("a100 mig", {"NVIDIA A100-SXM4-80GB MIG 3g.40gb"}),
        ("a10", {"NVIDIA A10"}),
        ("A10G", {"NVIDIA A10G"}),
        ("l40", {"NVIDIA L40"}),
        ("L4", {"NVIDIA L4"}),
        ("h200", {"NVIDIA H200"}),
        ("GH200", {"NVIDIA GH200 480GB"}),
        ("RTX_4090", {"NVIDIA GeForce RTX 4090"}),
        ("rtx4090", {"NVIDIA GeForce RTX 4090"}),
        ("4090", {"NVIDIA GeForce RTX 4090"}),
        ("GeForce RTX 4090", {"NVIDIA GeForce RTX 4090"}),
        ("4090 laptop", {"NVIDIA GeForce RTX 4090 Laptop GPU"}),
        ("4070", {"NVIDIA GeForce RTX 4070"}),
        ("4070Ti", {"NVIDIA GeForce RTX 4070 Ti"}),
        ("rtx 4070 ti", {"NVIDIA GeForce RTX 4070 Ti"}),
        ("4070TiSuper", {"NVIDIA GeForce RTX 4070 Ti SUPER"}),
        ("A6000", {"NVIDIA RTX A6000"}),
        ("6000 Ada", {"NVIDIA RTX 6000 Ada Generation"}),
        ("v100", {"Tesla V100-SXM2-32GB"}),
        ("cpu", {"CPU only: AMD EPYC, 2 threads"}),
        ("nvidia", set()),
        ("", set()),
    ],
)
def test_model__as_people_write_it__finds_what_it_names_and_nothing_else(query: str, expected: set[str]) -> None:
    assert found(query) == expected


@pytest.mark.parametrize(
    "bait", ["H100 H200 B200 A100 RTX 4090", "A10 (faster than H100)", "RTX 3060 as good as a 4090"]
)
def test_model__that_names_cards_of_several_kinds__is_found_as_none_and_expected_nothing_of(bait: str) -> None:
    named = named_model(bait, 81_559)
    assert not any(is_named(words_of(query), named.words) for query in ("H100", "4090", "a10", "3060", bait))
    assert (named.candidates, named.name) == ((), bait)


def test_expected__of_a_name_without_its_form__is_the_least_of_its_forms() -> None:
    assert named_model("H100").expected_gops == named_model("H100 PCIe").expected_gops
    assert named_model("NVIDIA H100 80GB HBM3").expected_gops > named_model("H100").expected_gops
    assert named_model("something else").expected_gops == 0


@pytest.mark.parametrize(
    "declared, mib, written",
    [
        ("NVIDIA H100 80GB HBM3", 81_559, "H100 SXM"),
        ("H100", 81_920, "H100 80GB"),
        ("H100", 0, "H100"),
        ("NVIDIA A100-SXM4-80GB", 81_920, "A100 SXM 80GB"),
        ("NVIDIA GeForce RTX 4090", 24_564, "RTX 4090"),
        ("NVIDIA Something 9", 1_024, "Something 9"),
    ],
)
def test_name__as_declared__is_written_in_one_way(declared: str, mib: int, written: str) -> None:
    assert named_model(declared, mib).name == written


def test_name__as_it_is_written_here__means_what_was_declared() -> None:
    """A market searches by the name alone."""
    for declared, mib in TOLD.items():
        named = named_model(declared, mib)
        assert named_model(named.name).words == named.words, declared


def test_memory__as_drivers_tell_it__is_what_the_card_is_sold_as() -> None:
    expected = {81_559: 80, 81_920: 80, 143_771: 141, 95_830: 94, 46_068: 48, 23_028: 24, 24_564: 24, 15_360: 16, 0: 0}
    assert {mib: sold_gb(mib) for mib in expected} == expected
    assert sold_gb(24_576 * 2 - 8_000) < 48  # what lacks a sixth is not sold as that


def test_memory__of_a_card_that_declares_less_than_its_model_has__is_what_it_declares() -> None:
    assert named_model("NVIDIA H100 80GB HBM3", 24_576).memory_gb == 24
    assert named_model("NVIDIA A100-SXM4-80GB MIG 3g.40gb", 40_192).memory_gb == 40


def test_share_of_expected__of_a_card_that_makes_half__is_half() -> None:
    expected = named_model("H100 SXM").expected_gops
    assert of_expected_bps(expected // 2, expected) in (4_999, 5_000)
    # A class caps what a score can be: a card above it is whole at the cap.
    assert of_expected_bps(700_000, expected, 700_000) == 10_000
    assert of_expected_bps(0, expected) == of_expected_bps(5, 0) == 0


def test_known_models__each__says_where_its_figures_are_from_and_is_found_by_its_own_name() -> None:
    assert all(one.source and one.memory_gb > 0 and one.bandwidth_gbs > 0 for one in KNOWN_MODELS)
    for one in KNOWN_MODELS:
        assert one in named_model(one.name, one.memory_gb * 1_024).candidates, one
    assert len({(one.name, one.memory_gb) for one in KNOWN_MODELS}) == len(KNOWN_MODELS)
