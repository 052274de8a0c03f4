"""Cases of parametrised tests: few in every run, all in deep runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def deep_but(every_run: Iterable[Any], cases: Iterable[Any]) -> list[Any]:
    """`cases` as `pytest.mark.parametrize` takes them, each a value or a tuple of values: those of `every_run` as they
    are, the others in deep runs only. Raises ValueError where one of `every_run` is no case."""
    kept, found = list(every_run), list(cases)
    if missing := [one for one in kept if one not in found]:
        raise ValueError(f"not among the cases: {missing}")
    return [
        pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=() if one in kept else pytest.mark.deep)
        for one in found
    ]
