"""How pages write flags."""

from __future__ import annotations

import pytest

from assay.market.web.formats import flags, flags_mood


@pytest.mark.parametrize(
    "value, text, mood",
    [
        (1, "passed", "good"),
        (129, "passed, memory proven", "good"),
        (2, "leased", "cool"),
        (6, "leased, late", "cool"),
        (4, "late", "bad"),
        (5, "passed, late", "bad"),
        (132, "late, memory proven", "bad"),
        (0, "failed", "bad"),
    ],
)
def test_flags__of_an_observation_or_report__are_named_and_coloured(value: int, text: str, mood: str) -> None:
    assert (flags(value), flags_mood(value)) == (text, mood)
