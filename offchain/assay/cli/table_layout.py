"""How a table fits a terminal: whole words, whole numbers, and records where the columns find no room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.cells import cell_len

GAP = "  "


def table_lines(
    titles: Sequence[str] | None, rows: Sequence[Sequence[str]], width: int | None
) -> tuple[list[str], list[str]]:
    """(lines of titles, lines of rows); a cell may have lines of its own.

    No word is cut: columns wrap between words, and where even that does not fit `width` (None: it is no screen), each
    row becomes a record, a cell a line. Columns without any content are left out.
    """
    kept = [place for place in range(len(titles or (rows[0] if rows else ()))) if _has_content(place, rows)]
    titles = [titles[place] for place in kept] if titles is not None else None
    rows = [[row[place] for place in kept] for row in rows]
    widths = _widths(titles, rows, width)
    if widths is None:
        return [], list(_records(titles, rows) if titles is not None else _pairs(rows))
    header = list(_wrapped(titles, widths)) if titles is not None else []
    return header, [line for row in rows for line in _wrapped(row, widths)]


def _has_content(place: int, rows: Sequence[Sequence[str]]) -> bool:
    return not rows or any(row[place] for row in rows)


def _widths(titles: Sequence[str] | None, rows: Sequence[Sequence[str]], width: int | None) -> list[int] | None:
    """A width for each column; None where whole words do not fit."""
    everything = [titles, *rows] if titles is not None else rows
    widest, least = _each(_longest_line, everything), _each(_longest_word, everything)
    room = (width or 0) - len(GAP) * (len(widest) - 1)
    if width is None or sum(widest) <= room:
        return widest
    if sum(least) > room:
        return None
    # Titles wrap before what stands below them does.
    untitled = [max(*pair) for pair in zip(_each(_longest_line, rows), least, strict=True)] if rows else least
    for floor in (untitled, least):
        while sum(widest) > room and (giving := [p for p, w in enumerate(widest) if w > floor[p]]):
            widest[max(giving, key=lambda p: widest[p])] -= 1
    return widest


def _each(measure: Callable[[str], int], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(measure(cell) for cell in column) for column in zip(*rows, strict=True)]


def _longest_line(cell: str) -> int:
    return max(cell_len(line) for line in cell.split("\n"))


def _longest_word(cell: str) -> int:
    return max((cell_len(word) for word in cell.split()), default=0)


def _wrapped(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """The lines of one row."""
    columns = [
        [line for part in cell.split("\n") for line in _words_in(part, w)]
        for cell, w in zip(cells, widths, strict=True)
    ]
    for height in range(max((len(lines) for lines in columns), default=0)):
        parts = [lines[height] if height < len(lines) else "" for lines in columns]
        padded = (part + " " * (w - cell_len(part)) for part, w in zip(parts, widths, strict=True))
        yield GAP.join(padded).rstrip()


def _words_in(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _records(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number:
            yield ""
        yield from _pairs([(title, cell) for title, cell in zip(titles, row, strict=True) if cell])


def _pairs(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A name and its value a line, however long: a terminal wraps it, and it can still be copied."""
    widest = max(cell_len(row[0]) for row in rows)
    for name, *values in rows:
        lines = [line for value in values for line in value.split("\n")] or [""]
        for place, line in enumerate(lines):
            shown = name if place == 0 else ""
            yield f"{shown}{' ' * (widest - cell_len(shown))}{GAP}{line}".rstrip()
