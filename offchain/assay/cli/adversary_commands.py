"""`assay adversary`: play attacks on the proof against the real verifier, and count."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import OutputFormat, fail, show

commands = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Run attacks on the proof.", add_completion=False
)

Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="table for people, json for programs")]
Trials = Annotated[int, typer.Option("--trials", min=1, max=1_000_000, help="number of seeds to run each attack with")]

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@commands.command(name="list")
def list_attacks(output: Output = OutputFormat.table) -> None:
    """List the attacks by name."""
    from assay.validator.adversaries.suite import ATTACKS

    show({name: attack.what for name, attack in ATTACKS.items()}, output)


@commands.command()
def run(
    name: Annotated[str, typer.Argument(help="one that `assay adversary list` names")],
    trials: Trials = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="first seed")] = 0,
    output: Output = OutputFormat.table,
) -> None:
    """Run one attack. Exits with 0 only if its rate matches theory."""
    from assay.proof.adversaries.attack import play
    from assay.proof.adversaries.suite import consistent
    from assay.validator.adversaries.suite import ATTACKS

    if name not in ATTACKS:
        fail(f"unknown attack {name!r}: `assay adversary list` shows them all")
    attack = ATTACKS[name]
    started = time.perf_counter()
    rate = play(attack, trials, seed)
    low, high = rate.interval()
    show(
        {
            "name": name,
            "what": attack.what,
            "trials": rate.trials,
            "caught": rate.caught,
            "rate": rate.share,
            "interval95": [low, high],
            "theory": attack.theory,
            "honest": attack.honest,
            "asExpected": consistent(attack, rate),
            "seconds": round(time.perf_counter() - started, 3),
        },
        output,
    )
    if not consistent(attack, rate):
        raise typer.Exit(1)


@commands.command()
def report(
    trials: Trials = 1_000,
    write: Annotated[Path | None, typer.Option("--write", help="page whose marked table is replaced")] = None,
) -> None:
    """Run every attack and print the table of rates."""
    from assay.proof.adversaries.attack import play
    from assay.proof.adversaries.suite import consistent, table
    from assay.validator.adversaries.suite import ATTACKS

    if write is not None:
        _page(write)
    results = [(attack, play(attack, trials)) for attack in ATTACKS.values()]
    text = table(results)
    typer.echo(text)
    if write is not None:
        head, rest = _page(write).split(BEGIN, 1)
        write.write_text(f"{head}{BEGIN}\n{text}{END}{rest.split(END, 1)[1]}")
    unexpected = [attack.name for attack, rate in results if not consistent(attack, rate)]
    if unexpected:
        fail(f"rates that differ from theory: {', '.join(unexpected)}", 1)


def _page(path: Path) -> str:
    """A page with marks; read again after a long run, so that nobody's edits are lost."""
    try:
        page = path.read_text()
    except OSError as error:
        fail(f"{path}: cannot read: {error.strerror}")
    if BEGIN not in page or END not in page:
        fail(f"{path}: has no lines {BEGIN} and {END}")
    return page
