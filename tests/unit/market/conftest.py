"""An index in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assay.market.follow.index import Index
from assay.market.store.database import open_database


@pytest.fixture
def index() -> Iterator[Index]:
    engine = open_database("sqlite://")
    yield Index(engine, max_age=2)
    engine.dispose()
