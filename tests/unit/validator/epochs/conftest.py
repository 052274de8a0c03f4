"""For whole epochs of several validators in one process."""

from __future__ import annotations

from functools import lru_cache

import pytest

from assay.protocol import signing

# Every node recovers the same signatures, and the keys and messages of most epochs are the same.
RECOVERED = lru_cache(maxsize=1 << 17)(signing.recover)


@pytest.fixture(autouse=True)
def remembered_recoveries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "recover", RECOVERED)
