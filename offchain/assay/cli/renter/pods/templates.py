"""`assay templates`: ready-made pods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import OutputFormat, show_rows
from assay.cli.renter.options import Connection, Output, renter_command
from assay.cli.renter.pods.options import TEMPLATES_VARIABLE, templates_known

if TYPE_CHECKING:
    from assay.wire.pods import PodTemplate

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
TEMPLATE_COLUMNS = {
    "name": "template", "title": "what", "minMemory": "least memory of a card", "ports": "ports", "image": "image",
    "from": "from",
}  # fmt: skip


@renter_command(commands, "templates")
async def templates(
    connection: Connection,
    folder: Annotated[
        Path | None,
        typer.Option("--templates", help=f"folder with your own templates [env: {TEMPLATES_VARIABLE}]"),
    ] = None,
    lease: Annotated[
        int | None, typer.Option("--lease", help="include templates of this lease's provider", min=1)
    ] = None,
    output: Output = OutputFormat.table,
) -> None:
    """List ready-made pods for `assay rent --template` and `assay pod set --template`."""
    known: dict[str, tuple[PodTemplate, str]] = {}
    if lease is not None:
        async with connection.renter() as renter:
            known = {name: (one, "provider") for name, one in (await (await renter.session(lease)).templates()).items()}
    known |= {name: (one, "here") for name, one in templates_known(folder).items()}
    rows = [template_json(one, where) for _, (one, where) in sorted(known.items())]
    fields = ("name", "title", "description", "image", "ports", "minMemoryMib", "start", "environment", "from")
    shown = rows if output is not OutputFormat.table else [_template_row(row) for row in rows]
    show_rows("templates", shown, TEMPLATE_COLUMNS, output, fields)


def template_json(template: PodTemplate, where: str) -> dict[str, Any]:
    """A template; `from` is whose it is."""
    return {**template.to_json(), "from": where}


def _template_row(row: dict[str, Any]) -> dict[str, Any]:
    least = row["minMemoryMib"]
    return {
        **row,
        "minMemory": f"{least / 1024:g} GiB" if least else "any",
        "ports": ", ".join(str(port) for port in row["ports"]),
    }
