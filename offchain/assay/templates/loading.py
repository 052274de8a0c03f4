"""Reads templates: those of the package, and those of folders that are named."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from assay.wire.pods import PodTemplate

MAX_FILE = 64 << 10
MAX_TEMPLATES = 256
SHIPPED = Path(__file__).parent / "shipped"


class BadTemplate(ValueError):
    """A file that is no template: which, and what of it is off its rules."""


def parse_template(name: str, text: str) -> PodTemplate:
    """The template in a file's text; `name` is the file's, without its ending. Raises BadTemplate."""
    try:
        return PodTemplate(**{**tomllib.loads(text), "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadTemplate(f"template {name!r}: {where}: {first['msg']}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadTemplate(f"template {name!r}: {error}") from None


def read_folder(folder: Path) -> dict[str, PodTemplate]:
    """The templates of a folder by their names: every file NAME.toml. Raises BadTemplate for one that is none, and for
    a folder that cannot be read."""
    found = {}
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
        if len(paths) > MAX_TEMPLATES:
            raise BadTemplate(f"{folder}: it holds {len(paths)} templates, at most {MAX_TEMPLATES} are read")
        for path in paths:
            with path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
            if len(content) > MAX_FILE:
                raise BadTemplate(f"{path}: longer than {MAX_FILE} bytes")
            found[path.stem] = parse_template(path.stem, content.decode())
    except OSError as error:
        raise BadTemplate(f"{folder}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadTemplate(f"{path}: not in UTF-8") from None
    return found


@cache
def shipped() -> dict[str, PodTemplate]:
    """The templates that everybody has."""
    return read_folder(SHIPPED)


def templates_of(folders: Iterable[Path]) -> dict[str, PodTemplate]:
    """Those that everybody has, and those of folders, which go before them. Raises BadTemplate."""
    found = dict(shipped())
    for folder in folders:
        found |= read_folder(folder)
    return dict(sorted(found.items()))
