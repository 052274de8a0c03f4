"""An index in memory."""

from __future__ import annotations

import pytest

from assay.market.follow.index import MarketIndex

from .blank_database import blank_database

OWN = 2  # the numbers below are for what tests open beside it


@pytest.fixture
def index() -> MarketIndex:
    return MarketIndex(blank_database(OWN), max_age=2)
