"""What is wrong with settings, in one line: here because every program's settings begin with the chain's."""

from __future__ import annotations

from pydantic import ValidationError


def setting_fault(error: ValidationError) -> str:
    """The first setting that is off its rules, its value, and the rule."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "settings"
    return f"{where} = {first['input']!r}: {first['msg']}"
