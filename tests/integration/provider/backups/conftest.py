"""One bucket for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .places import Place, bucket, missing, place


@pytest.fixture(scope="session")
def storage() -> Iterator[str]:
    """Address of S3 with an empty bucket."""
    if reason := missing():
        pytest.skip(reason)
    with bucket() as address:
        yield address


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    """A lease's files."""
    if reason := missing():
        pytest.skip(reason)
    with place(tmp_path) as made:
        yield made
