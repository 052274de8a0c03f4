"""Logs as one JSON object a line on standard error."""

from __future__ import annotations

import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Of lines that strangers can bring about again and again: they must not fill a disk.
PER_SECOND = 1.0
BURST = 60.0
MAX_EVENTS = 1_000  # ours are fewer; libraries put what they like into theirs
LIMITED = frozenset({"warning", "error"})


class Repeats:
    """A structlog processor, and for libraries' lines a filter: of warnings and errors with one text `BURST` at once
    and one a second pass, and the next that passes says in `left_out` how many did not.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float, int]] = OrderedDict()

    def __call__(self, _logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Raises DropEvent for a line too many."""
        if method not in LIMITED:
            return line
        left_out = self._take(str(line.get("event")))
        if left_out is None:
            raise structlog.DropEvent
        if left_out:
            line["left_out"] = left_out
        return line

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a library's line passes."""
        return self._take(str(record.msg)) is not None

    def _take(self, event: str) -> int | None:
        now = self._now()
        left, then, left_out = self._buckets.pop(event, (BURST, now, 0))
        left = min(BURST, left + (now - then) * PER_SECOND)
        passes = left >= 1
        self._buckets[event] = (left - 1, now, 0) if passes else (left, now, left_out + 1)
        if len(self._buckets) > MAX_EVENTS:
            self._buckets.popitem(last=False)
        return left_out if passes else None


def configure(level: str) -> None:
    """Sets up structlog at one of `LEVELS`, and the standard library's loggers from warnings on."""
    repeats = Repeats()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            repeats,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(repeats)
    # Libraries' own lines in the same form, so that a reader of the log needs one parser.
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
