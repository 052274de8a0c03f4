"""The root of the command line: subcommands are imported only when they are called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperGroup

# name on the command line -> (module that exports a typer.Typer named `commands`, help)
SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "proof": ("assay.cli.proof_commands", "Commit to, open and verify a proof of compute."),
    "adversary": ("assay.cli.adversary_commands", "Play attacks on the proof and count what is caught."),
    "provider": ("assay.cli.provider_commands", "Put devices up for lease."),
    "validator": ("assay.cli.validator_commands", "Challenge devices and sign what was measured."),
    "watch": ("assay.cli.watch_commands", "Check what validators publish and prove faults."),
    "market": ("assay.cli.market_commands", "Index the network; search it in a browser or over HTTP."),
    "simulate": ("assay.cli.simulate_commands", "What each way of cheating earns or loses."),
    "lease": ("assay.cli.lease_commands", "Lease a measured device and run a job on it."),
}


class LazyGroup(TyperGroup):
    """A command group that imports a subcommand's module when that subcommand is asked for."""

    # Typer carries its own copy of click and does not export those types.
    def list_commands(self, ctx: Any) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in SUBCOMMANDS:
            return None
        module, _ = SUBCOMMANDS[cmd_name]
        commands: typer.Typer = importlib.import_module(module).commands
        command = typer.main.get_command(commands)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in SUBCOMMANDS.items()])


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """A decentralized GPU market in which every GPU has been measured."""


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of the `assay` command."""
    return app(args=sys.argv[1:] if arguments is None else arguments, prog_name="assay")


if __name__ == "__main__":
    main()
