"""Named sets of settings, one of them in use: where the chain, the market and the wallet are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assay.renter.errors import BadInput
from assay.settings.base import expanded

FILE_VARIABLE = "ASSAY_CONTEXTS"
FIELDS = ("rpc", "deployment", "market", "key_file", "password_file", "data_dir")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True)
class Contexts:
    """Contexts by name, each a set of settings as texts; `current` is the one in use."""

    named: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    current: str | None = None

    def get(self, name: str) -> Mapping[str, str]:
        """One context. Raises BadInput for a name that there is not."""
        if name not in self.named:
            known = ", ".join(sorted(self.named)) or "there are none yet"
            raise BadInput(f"context {name!r}: unknown; known: {known}")
        return self.named[name]

    def setting(self, name: str, values: Mapping[str, str | None]) -> Contexts:
        """With the values written over what the context has; the first context is in use at once. Raises BadInput."""
        if not _NAME.fullmatch(name):
            raise BadInput(f"context {name!r}: a name has at most 40 letters, digits, dots, dashes, underscores")
        given = {key: value for key, value in values.items() if value is not None and key in FIELDS}
        merged = {**self.named.get(name, {}), **given}
        return Contexts({**self.named, name: merged}, self.current or name)

    def using(self, name: str) -> Contexts:
        """With another one in use. Raises BadInput."""
        self.get(name)
        return Contexts(self.named, name)

    def without(self, name: str) -> Contexts:
        """Without one. Raises BadInput."""
        self.get(name)
        left = {key: value for key, value in self.named.items() if key != name}
        return Contexts(left, None if self.current == name else self.current)


def contexts_file(environment: Mapping[str, str] | None = None) -> Path:
    """Where contexts stand: ASSAY_CONTEXTS, else ~/.assay/contexts.json. Raises BadInput where the one that is named
    has no home folder to stand in; where none is named there are then no contexts."""
    named = (os.environ if environment is None else environment).get(FILE_VARIABLE)
    try:
        return expanded(Path(named or "~/.assay/contexts.json"))
    except ValueError as error:
        if named:
            raise BadInput(f"{FILE_VARIABLE} = {error}") from None
        return Path("/nonexistent/.assay/contexts.json")


def home_filled(path: Path) -> Path:
    """A path with `~` filled in. Raises BadInput where that is nobody's."""
    try:
        return expanded(path)
    except ValueError as error:
        raise BadInput(str(error)) from None


def read_contexts(path: Path) -> Contexts:
    """What the file holds; none where there is no file. Raises BadInput for a damaged one."""
    try:
        data = json.loads(path.read_bytes())  # with or without a byte order mark
        named = {
            str(name): {str(key): str(value) for key, value in values.items() if key in FIELDS}
            for name, values in data["contexts"].items()
        }
        current = data.get("current")
    except FileNotFoundError:
        return Contexts()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: cannot be read as contexts ({error}); mend it or move it away") from None
    return Contexts(named, current if current in named else None)


def write_contexts(path: Path, contexts: Contexts) -> None:
    """Writes the file for its owner only: an RPC address may hold an access key. Raises BadInput."""
    text = json.dumps({"current": contexts.current, "contexts": contexts.named}, indent=2, sort_keys=True) + "\n"
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        partial.replace(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from None
