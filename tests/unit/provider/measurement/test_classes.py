"""Which class a card is advised to enrol in."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from assay.proof.engines import engine
from assay.proof.engines.gpu import GpuEngine
from assay.protocol.profile import NAMED, Profile
from assay.provider.errors import BadProviderSetting
from assay.provider.measurement.classes import MARGIN, TOO_EASY, advised, class_fits, class_number, why
from assay.provider.measurement.self_test import class_advice

# 60 % of data sheets' dense int8, in TOPS, and memory in MiB: derived, as the classes are.
CARDS = [
    ("RTX 3060", 61, 12_288, "entry"),
    ("RTX 3080", 143, 10_240, "entry"),
    ("RTX 4060 Ti", 106, 16_380, "entry"),
    ("RTX 3090", 170, 24_576, "edge"),
    ("RTX 4080", 234, 16_376, "performance"),
    ("RTX 4090", 396, 24_564, "workstation"),
    ("A100 80GB", 374, 81_920, "workstation"),
    ("L40S", 440, 46_068, "workstation"),
    ("H100 PCIe at 350 W", 750, 81_559, "server"),
    ("H100 SXM", 1_187, 81_559, "datacenter"),
    ("H200", 1_187, 143_771, "datacenter"),
]


@pytest.mark.parametrize(("card", "tops", "memory", "name"), CARDS, ids=[row[0] for row in CARDS])
def test_advised__cards_of_the_market__the_dearest_in_which_they_pass(
    card: str, tops: float, memory: int, name: str
) -> None:
    found = advised(class_fits(tops, memory, "cublas"))
    assert found is not None
    assert found.name == name
    assert found.proof_seconds <= MARGIN * found.deadline_seconds


def test_classes__one_after_the_other_by_rate__none_is_too_easy() -> None:
    """With memory for all, a card of any rate has a class that takes about half of the deadline or more."""
    tops = 50.0
    while tops < 1_700:
        found = advised(class_fits(tops, 1 << 20, "cublas"))
        assert found is not None
        assert found.proof_seconds >= TOO_EASY * found.deadline_seconds * MARGIN, (tops, found)
        tops *= 1.01


def test_classes__credit__in_proportion_to_the_work() -> None:
    rates = [p.credit / p.operations for name, p in NAMED.items() if name != "micro"]
    assert max(rates) / min(rates) < 1.01


def test_why__a_card_between_classes__says_what_the_next_would_take() -> None:
    assert "enrol as entry: a proof takes" in why(class_fits(61, 12_288, "cublas"))
    assert "; edge is too large (it needs" in why(class_fits(143, 10_240, "cublas"))
    assert "; datacenter is too hard (" in why(class_fits(750, 81_559, "cublas"))


@pytest.mark.parametrize("network", ["local", "sepolia", "base-mainnet"])
def test_class_number__by_name__is_where_the_network_has_these_sizes(network: str) -> None:
    rows = yaml.safe_load((Path(__file__).parents[4] / "deployments" / f"{network}.yml").read_text())["profiles"]
    sizes = ("M", "N", "K", "T", "chunk", "k", "W")
    profiles = {n: Profile(n, **{name: row[name] for name in sizes}) for n, row in enumerate(rows, 1)}
    for number, row in enumerate(rows, 1):
        assert class_number(row["name"], profiles) == number
    with pytest.raises(BadProviderSetting, match=r"--profile huge: a number, or one of .*micro \("):
        class_number("huge", profiles)


def test_advice__of_a_card__is_by_its_own_rate_and_memory_and_of_a_processor_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = object.__new__(GpuEngine)  # what it does is made up: no card is here
    card.name = "cublas"
    monkeypatch.setattr(GpuEngine, "pace", lambda self, seconds: 750.0 if seconds else 900.0)
    monkeypatch.setattr(GpuEngine, "memory_mib", lambda self: 81_559)
    found = why(class_advice(card))
    assert found == "enrol as server: a proof takes 10.0 s of 12 s; datacenter is too hard (13.2 s)"
    assert class_advice(engine("cpu")) == []


def test_why__a_processor_s_rate__no_class_of_cards() -> None:
    cards = {name: profile for name, profile in NAMED.items() if name != "micro"}
    assert why(class_fits(0.1, 1 << 14, "simt", cards)).startswith("no class: entry, the easiest, would take")
