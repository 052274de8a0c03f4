"""The root of the command line: commands are imported only when they are called."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

# name on the command line -> (module with a typer.Typer named `commands` that has a command of this name, help)
RENTING: dict[str, tuple[str, str]] = {
    "search": ("assay.cli.renter.search", "List measured devices that can be leased."),
    "show": ("assay.cli.renter.search", "Show a device's data sheet, and who vouches for each value."),
    "quote": ("assay.cli.renter.search", "Ask a provider for a private price for this wallet."),
    "rent": ("assay.cli.renter.rent", "Lease a device, once this machine has verified its proof."),
    "leases": ("assay.cli.renter.leases", "List this wallet's leases and their money."),
    "run": ("assay.cli.renter.jobs", "Run a batch job: upload, follow, download; exits with its status."),
    "serve": ("assay.cli.renter.serving.serve", "Serve a template's server on several leases behind one address."),
    "jobs": ("assay.cli.renter.jobs", "List the jobs of a lease."),
    "logs": ("assay.cli.renter.jobs", "Print a job's output; -f follows it."),
    "stop-job": ("assay.cli.renter.jobs", "End a job."),
    "ssh": ("assay.cli.renter.access", "Open a shell on a lease with OpenSSH."),
    "notebook": ("assay.cli.renter.access", "Start a lease's notebook and open it in a browser."),
    "cp": ("assay.cli.renter.files", "Copy files to or from a lease, as scp does."),
    "templates": (
        "assay.cli.renter.pods.templates",
        "List ready-made pods: CUDA and PyTorch, JupyterLab, vLLM, and so on.",
    ),
    "backup": ("assay.cli.renter.pods.backups", "Keep a lease's files outside its provider, once or every so often."),
    "restore": ("assay.cli.renter.pods.backups", "Put files that were backed up into a lease."),
    "move": ("assay.cli.renter.pods.moving", "Have a lease's work go on at another provider."),
    "top": ("assay.cli.renter.pods.top", "Show what a lease's pod and cards use, live."),
    "expose": ("assay.cli.renter.pods.endpoints", "Open a port of a lease's pod to the internet."),
    "endpoints": ("assay.cli.renter.pods.endpoints", "List a lease's public ports and their traffic."),
    "check": ("assay.cli.renter.pods.checking", "Measure a lease from inside and compare it with its data sheet."),
    "keep": ("assay.cli.renter.keeping", "Watch a lease: top it up, claim downtime, leave once that is free."),
    "top-up": ("assay.cli.renter.leases", "Add to the deposit, so that a lease lasts longer."),
    "end": ("assay.cli.renter.leases", "End a lease now and collect what is left of its deposit."),
    "refund": ("assay.cli.renter.leases", "Collect what the escrow owes you, including attested downtime."),
    "wallet": ("assay.cli.renter.wallet", "Show the wallet and its balances, or create one."),
    "doctor": ("assay.cli.renter.wallet", "Check everything that renting needs."),
    "export": ("assay.cli.renter.access", "Print configuration for ssh, SkyPilot and dstack to reach leases."),
}
# name on the command line -> (module with a typer.Typer named `commands`, help)
GROUPS: dict[str, tuple[str, str]] = {
    "lease": ("assay.cli.renter.lease", "Show one lease in full: devices, money, notice, downtime."),
    "pod": ("assay.cli.renter.pods.pod", "Show, change or restart the pod of a lease."),
    "refunder": ("assay.cli.renter.refunder", "Manage who else may submit downtime of this wallet's leases."),
    "context": ("assay.cli.renter.contexts", "Manage named sets of rpc, deployment, market and key."),
    "provider": ("assay.cli.provider.commands", "Offer devices for lease."),
    "validator": ("assay.cli.validator_commands", "Challenge devices and sign what they proved."),
    "rewards": ("assay.cli.renter.rewards", "Show and claim the network rewards of a provider or validator."),
    "relay": (
        "assay.cli.relay_commands",
        "Be the public address of providers behind NAT, without reading what passes.",
    ),
    "watch": ("assay.cli.watch_commands", "Check what validators publish and prove faults."),
    "market": ("assay.cli.market_commands", "Index the network; search it in a browser or over HTTP."),
    "proof": ("assay.cli.proof_commands", "Commit to, open and verify a proof of compute."),
    "adversary": ("assay.cli.adversary_commands", "Run attacks on the proof and count how many are caught."),
    "simulate": ("assay.cli.simulate_commands", "Simulate what each way of cheating earns or loses."),
}


class LazyGroup(TyperGroup):
    """A command group that imports a command's module when that command is asked for."""

    # Typer carries its own copy of click and does not export those types.
    def list_commands(self, ctx: Any) -> list[str]:
        return [*RENTING, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in RENTING:
            commands: typer.Typer = importlib.import_module(RENTING[cmd_name][0]).commands
            return typer.main.get_group(commands).get_command(ctx, cmd_name)
        if cmd_name not in GROUPS:
            return None
        command = typer.main.get_command(importlib.import_module(GROUPS[cmd_name][0]).commands)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for title, named in (("Renting", RENTING), ("The rest of the network", GROUPS)):
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in named.items()])


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        sys.stdout.write(f"assay {version('assay')}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A decentralized GPU market in which every GPU has been measured."""


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of the `assay` command."""
    return app(args=sys.argv[1:] if arguments is None else arguments, prog_name="assay")


if __name__ == "__main__":
    main()
