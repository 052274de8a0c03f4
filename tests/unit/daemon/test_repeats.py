"""Lines of one text: so many, and then one a second."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from assay.daemon.json_log import BURST, MAX_EVENTS, Repeats


def passes(repeats: Repeats, event: str, method: str = "warning") -> dict[str, Any] | None:
    try:
        return dict(repeats(None, method, {"event": event}))
    except structlog.DropEvent:
        return None


@pytest.fixture
def now() -> Iterator[list[float]]:
    yield [0.0]


def test_lines__one_text_without_end__are_left_out_and_counted(now: list[float]) -> None:
    repeats = Repeats(lambda: now[0])
    shown = [passes(repeats, "connection refused") for _ in range(10_000)]
    assert sum(line is not None for line in shown) == BURST
    assert passes(repeats, "another") == {"event": "another"}
    assert passes(repeats, "connection refused", "info") is not None
    now[0] = 1.0
    assert passes(repeats, "connection refused") == {"event": "connection refused", "left_out": 10_000 - BURST}
    assert passes(repeats, "connection refused") is None


def test_lines__of_libraries__are_filtered_alike(now: list[float]) -> None:
    repeats = Repeats(lambda: now[0])
    record = logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, "Invalid HTTP request received.", None, None)
    assert sum(repeats.filter(record) for _ in range(10_000)) == BURST


def test_lines__each_with_another_text__are_not_all_remembered(now: list[float]) -> None:
    repeats = Repeats(lambda: now[0])
    for n in range(3 * MAX_EVENTS):
        passes(repeats, str(n))
    assert len(repeats._buckets) == MAX_EVENTS
