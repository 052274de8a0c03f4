"""`assay context`: named sets of rpc, deployment, market and key, one of them in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Output, finish
from assay.renter.contexts import Contexts, contexts_file, home_filled, read_contexts, write_contexts
from assay.renter.settings import RenterSettings

commands = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Manage named sets of rpc, deployment, market and key.",
)
COLUMNS = {
    "current": "in use",
    "name": "name",
    "rpc": "rpc",
    "deployment": "deployment",
    "market": "market",
    "key_file": "key file",
}


def _names(incomplete: str) -> list[str]:
    """For shell completion."""
    return [name for name in read_contexts(contexts_file()).named if name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(help="name of the context", autocompletion=_names)]


@commands.command(name="set")
def set_context(
    name: Name,
    rpc: Annotated[str | None, typer.Option("--rpc", help="JSON-RPC addresses, separated by commas")] = None,
    deployment: Annotated[Path | None, typer.Option("--deployment", help="file with addresses and ABIs")] = None,
    market: Annotated[str | None, typer.Option("--market", help="address of a market")] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", help="encrypted key file of the wallet")] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="file with its password")] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="journals and handovers")] = None,
) -> None:
    """Create a context, or change the given values of one. The first one is used at once."""
    paths = {"deployment": deployment, "key_file": key_file, "password_file": password_file, "data_dir": data_dir}

    # Absolute, for a context is used from other folders too.
    def work() -> Contexts:
        absolute = {key: str(home_filled(path).absolute()) if path else None for key, path in paths.items()}
        values = {"rpc": rpc, "market": market, **absolute}
        path = contexts_file()
        contexts = read_contexts(path).setting(name, values)
        RenterSettings.of(contexts.named[name])
        write_contexts(path, contexts)
        return contexts

    contexts = finish(work)
    note(f"context {name} is set" + (" and in use" if contexts.current == name else ""))


@commands.command()
def use(name: Name) -> None:
    """Use a context from now on."""
    finish(lambda: write_contexts(contexts_file(), read_contexts(contexts_file()).using(name)))
    note(f"context {name} is in use")


@commands.command()
def remove(name: Name) -> None:
    """Remove a context. Files that it names stay."""
    finish(lambda: write_contexts(contexts_file(), read_contexts(contexts_file()).without(name)))
    note(f"context {name} is removed")


@commands.command(name="list")
def list_contexts(output: Output = OutputFormat.table) -> None:
    """List contexts."""
    contexts = finish(lambda: read_contexts(contexts_file()))
    rows = [
        {"name": name, "current": "*" if name == contexts.current else "", **values}
        for name, values in sorted(contexts.named.items())
    ]
    show_rows("contexts", rows, COLUMNS, output)


@commands.command(name="show")
def show_context(
    name: Annotated[str | None, typer.Argument(help="default the one in use", autocompletion=_names)] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Show one context."""
    contexts = finish(lambda: read_contexts(contexts_file()))
    chosen = name or contexts.current
    values = finish(lambda: contexts.get(chosen or "(none in use)"))
    show({"name": chosen, **values}, output)
