"""Mutants of a Solidity source: one small change each, as a careless edit or a removed defence would make it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SWAPS: tuple[tuple[str, str], ...] = (
    ("==", "!="),
    ("!=", "=="),
    ("<=", "<"),
    (">=", ">"),
    (" < ", " <= "),
    (" > ", " >= "),
    ("&&", "||"),
    ("||", "&&"),
    (" + ", " - "),
    (" - ", " + "),
    (" * ", " / "),
    (" / ", " * "),
    ("+= ", "-= "),
    ("-= ", "+= "),
    ("true", "false"),
    ("false", "true"),
)
MODIFIERS = re.compile(r"\b(onlyReserver|onlyFraudProofs|onlyToken|restricted|whenEntryOpen|nonReentrant)\b")
NEVER = re.compile(
    r"^\s*(//|/\*|\*|import|pragma|error|event|emit|using|library|contract|abstract|struct|enum|modifier)"
)
GUARD = re.compile(r"^(\s*)(else )?if \(.*\) revert .*;\s*$")
STATEMENT = re.compile(
    r"^\s+(?!return|revert|if|else|for|while|assembly|let|uint|int|bytes|address|bool|I[A-Z])"
    r"[A-Za-z_][\w.\[\]]*(\[.*\])?(\.\w+)* ?(=|\+=|-=|\|=|\()[^;]*;\s*$"
)
NUMBER = re.compile(r"(?<![\w.])(\d[\d_]*)(?![\w.])")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`line` counts from 1; `after` replaces the whole line."""

    path: str
    line: int
    operator: str
    before: str
    after: str


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a source, in the order of its lines. Comments, declarations of errors and events, and
    emitted events are left alone."""
    in_comment = False
    statement_open = False
    for number, line in enumerate(source.splitlines(), start=1):
        code = line.split("//")[0].rstrip()
        if "/*" in code:
            in_comment = True
        skip = in_comment or NEVER.match(line) or not code.strip() or statement_open
        if "*/" in code:
            in_comment = False
        # Declarations of several lines (events, errors, emits) end with a semicolon.
        opens = re.match(r"^\s*(event|error|emit|import)\b", code)
        if (opens or statement_open) and not in_comment:
            statement_open = not code.endswith(";")
        if skip:
            continue
        for after, operator in changes(line, code):
            if after != line:
                yield Mutant(path, number, operator, line, after)


def changes(line: str, code: str) -> Iterator[tuple[str, str]]:
    """What an error reports is left alone: only whether it is raised."""
    if GUARD.match(code):
        yield "", "guard removed"
    elif STATEMENT.match(code):
        yield "", "statement removed"
    code = code.split(" revert ")[0]
    for modifier in MODIFIERS.finditer(code):
        yield line[: modifier.start()] + line[modifier.end() :], f"{modifier.group()} removed"
    for old, new in SWAPS:
        for match in re.finditer(re.escape(old), code):
            at = match.start()
            if old in ("==", "!=") or code[at - 1 : at + 3] not in ("=> ", " =>"):
                yield line[:at] + new + line[match.end() :], f"{old.strip()} to {new.strip()}"
    for match in NUMBER.finditer(code):
        if "uint" in code[max(0, match.start() - 5) : match.start()]:
            continue
        value = int(match.group().replace("_", ""))
        yield line[: match.start()] + str(value + 1) + line[match.end() :], f"{value} to {value + 1}"
