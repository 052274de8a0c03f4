"""What commands print: JSON for programs, tables for people, errors on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NoReturn

import typer


class OutputFormat(StrEnum):
    """How a result is printed on standard output."""

    table = "table"
    json = "json"


def show(values: Mapping[str, Any], output: OutputFormat) -> None:
    """Prints one result."""
    if output is OutputFormat.json:
        sys.stdout.write(json.dumps(values) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in values.items():
        table.add_row(name, _text(value))
    Console(soft_wrap=True).print(table)


def fail(message: str, status: int = 2) -> NoReturn:
    """Ends the command with a line on standard error."""
    sys.stderr.write(f"error: {message}\n")
    raise typer.Exit(status)


def _text(value: Any) -> str:
    if isinstance(value, list):
        shown = [str(item) for item in value[:8]]
        return "\n".join(shown) + (f"\n… {len(value) - 8} more" if len(value) > 8 else "")
    return str(value)
