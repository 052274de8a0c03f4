"""Options that say what a pod starts from, and what becomes of them."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.option_groups import OptionGroup
from assay.renter.errors import BadInput

if TYPE_CHECKING:
    from assay.wire.pods import PodBody, PodTemplate

TEMPLATES_VARIABLE = "ASSAY_TEMPLATES"
MAX_PASSWORD = 4_096
Wheels = Annotated[
    Path | None,
    typer.Option("--wheels", help="folder of wheels to send along, for a pod that cannot download them", exists=True),
]


@dataclass(frozen=True)
class PodOptions(OptionGroup):
    """What a lease's pod starts from."""

    image: Annotated[str | None, typer.Option("--image", help="image for the pod: python:3.12, ghcr.io/owner/name")] = (
        None
    )
    template: Annotated[
        str | None,
        typer.Option("--template", help="a ready-made pod, see `assay templates`; --image replaces its image"),
    ] = None
    digest: Annotated[
        str | None, typer.Option("--digest", help="sha256:… that the image must have, whatever its tag says")
    ] = None
    registry_user: Annotated[str | None, typer.Option("--registry-user", help="user name at a private registry")] = None
    registry_password_file: Annotated[
        Path | None,
        typer.Option("--registry-password-file", help="file with its password; default ask on the terminal"),
    ] = None
    env: Annotated[list[str] | None, typer.Option("--env", help="NAME=VALUE, an environment variable of the pod")] = (
        None
    )
    templates: Annotated[
        Path | None,
        typer.Option("--templates", help=f"folder with your own templates [env: {TEMPLATES_VARIABLE}]"),
    ] = None

    @property
    def given(self) -> bool:
        """Whether anything was said of a pod."""
        return any(value for name, value in vars(self).items() if name != "templates")

    def wanted(self, ask: Callable[[str], str] = getpass.getpass) -> PodBody:
        """As it is sent. Raises BadInput for what is off its rules."""
        from assay.templates.choosing import BadChoice, chosen_pod

        known = templates_known(self.templates).get(self.template) if self.template else None
        given = {name: getattr(self, name) for name in ("image", "template", "digest")}
        try:
            return chosen_pod(known, **given, login=self._login(ask), environment=dict(map(variable, self.env or [])))
        except BadChoice as error:
            raise BadInput(str(error)) from None

    def _login(self, ask: Callable[[str], str]) -> dict[str, str] | None:
        if self.registry_user is None:
            if self.registry_password_file is not None:
                raise BadInput("--registry-password-file needs --registry-user")
            return None
        if self.registry_password_file is not None:
            return {"user": self.registry_user, "password": _first_line(self.registry_password_file)}
        if not sys.stdin.isatty():
            raise BadInput("there is no terminal to ask for the registry's password on: pass --registry-password-file")
        return {"user": self.registry_user, "password": ask(f"Password of {self.registry_user} at the registry: ")}


def variable(pair: str) -> tuple[str, str]:
    """The two sides of NAME=VALUE. Raises BadInput."""
    name, separator, value = pair.partition("=")
    if not separator or not name.isidentifier():
        raise BadInput(f"--env {pair!r}: expected NAME=VALUE")
    return name, value


def templates_known(folder: Path | None) -> dict[str, PodTemplate]:
    """The templates of the package, and of a folder of one's own. Raises BadInput."""
    from assay.templates.loading import BadTemplate, templates_of

    named = folder or (Path(told) if (told := os.environ.get(TEMPLATES_VARIABLE)) else None)
    try:
        return templates_of([] if named is None else [named])
    except BadTemplate as error:
        raise BadInput(str(error)) from None


def _first_line(path: Path) -> str:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--registry-password-file {path}: {getattr(error, 'strerror', None) or 'not text'}") from None
    password = text.splitlines()[0].strip() if text.strip() else ""
    if not password or len(password) > MAX_PASSWORD:
        raise BadInput(f"--registry-password-file {path}: its first line is empty, or longer than {MAX_PASSWORD}")
    return password


def wheels_in(folder: Path | None) -> tuple[Path, ...]:
    """The wheels of a folder, none where none is given. Raises BadInput for a folder without any."""
    if folder is None:
        return ()
    found = tuple(sorted(folder.glob("*.whl")))
    if not found:
        raise BadInput(f"--wheels {folder}: contains no wheels")
    return found
