"""What stands in for NVML in tests can be asked all that the package asks, and what is read of its links."""

from __future__ import annotations

import re
from pathlib import Path

import assay.provider
from assay.provider.devices.inventory import read_inventory
from tests.invented_cards.pynvml import Invented, card


def test_invented_cards__asked_for_whatever_the_provider_asks__have_it() -> None:
    sources = Path(assay.provider.__file__).parent.rglob("*.py")
    asked = {name for path in sources for name in re.findall(r"\bnvml\.(nvml[A-Z]\w+)", path.read_text())}
    assert len(asked) > 20
    assert [name for name in sorted(asked) if not hasattr(Invented, name)] == []


def test_links__of_a_card__are_all_that_are_up_and_none_of_a_slice() -> None:
    cards = [card(0), card(1, links=[4, 0, 4]), card(2, links=[])]
    found = read_inventory(Invented(lambda: {"cards": cards})).accelerators
    assert [one.card_link_mbs for one in found] == [18 * 25_000, 2 * 25_000, 0]
    assert {one.pcie_mbs for one in found} == {63_008}
