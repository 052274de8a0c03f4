"""What commands print: JSON or CSV for programs, tables for people, errors on standard error."""

from __future__ import annotations

import csv
import json
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NoReturn

import typer

# What a spreadsheet takes for the start of a formula, full-width forms too.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# Turn around what is read after them.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


class OutputFormat(StrEnum):
    """How a result is printed on standard output."""

    table = "table"
    json = "json"
    csv = "csv"


def show(values: Mapping[str, Any], output: OutputFormat) -> None:
    """Prints one result."""
    if output is OutputFormat.json:
        sys.stdout.write(json.dumps(values) + "\n")
    elif output is OutputFormat.csv:
        _write_csv(list(values), [values])
    else:
        _print_table(None, [[escaped(name), _text(value)] for name, value in values.items()])


def show_rows(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    output: OutputFormat,
    fields: Sequence[str] = (),
) -> None:
    """Prints a list of results: as {name: rows} in JSON, all fields in CSV, and of a table the `columns`, field ->
    title. `fields` are those of a row, for the header of a CSV without rows."""
    if output is OutputFormat.json:
        sys.stdout.write(json.dumps({name: list(rows)}) + "\n")
    elif output is OutputFormat.csv:
        _write_csv(list(rows[0]) if rows else list(fields or columns), rows)
    else:
        _print_table(list(columns.values()), [[_text(row.get(field, "")) for field in columns] for row in rows])


def fail(message: str, status: int = 2) -> NoReturn:
    """Ends the command with a line on standard error."""
    note(f"error: {message}")
    raise typer.Exit(status)


def note(text: str) -> None:
    """A line for people, on standard error."""
    sys.stderr.write(escaped(text) + "\n")


def escaped(text: str) -> str:
    """Text on one line, with everything that a terminal would obey or that cannot be seen written as an escape: what
    others wrote may be anything."""
    return "".join(_escape(c) if c in _DIRECTIONS or unicodedata.category(c) in _UNSEEN else c for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _write_csv(fields: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, fields, lineterminator="\n", extrasaction="ignore")
    writer.writerow({name: _cell(name) for name in fields})
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    """A number as it is; text on one line, and with a ' before what a spreadsheet would work out; what has parts as
    JSON, for a cell holds one value."""
    if isinstance(value, (list, dict)):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    works_out = value.startswith(_FORMULA) and not _NUMBER.fullmatch(value)
    return ("'" if works_out else "") + escaped(value)


def _print_table(titles: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.text import Text

    from assay.cli.table_layout import table_lines

    console = Console(soft_wrap=True)
    # Where nobody looks, nothing is made to fit a screen.
    header, body = table_lines(titles, rows, console.width if console.is_terminal else None)
    # As plain text: brackets in what others have written must not be taken for colours.
    for line in header:
        console.print(Text(line, "bold"))
    for line in body:
        console.print(Text(line), highlight=False)


def _text(value: Any) -> str:
    if value == []:
        return "none"
    if isinstance(value, list):
        shown = [_text(item) for item in value[:8]]
        return "\n".join(shown) + (f"\n… {len(value) - 8} more" if len(value) > 8 else "")
    if isinstance(value, dict) and value and all(isinstance(part, dict) for part in value.values()):
        return "\n".join(f"{escaped(name)}: {_text(part)}" for name, part in value.items())
    if isinstance(value, dict):
        return ", ".join(f"{escaped(name)} {_text(part)}" for name, part in value.items() if part is not None)
    if value is None:
        return ""
    return escaped(str(value))
