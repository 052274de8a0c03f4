"""`assay simulate`: what each way of cheating earns or loses at a deployment's parameters."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from assay.cli.output import OutputFormat, fail, show, show_rows
from assay.economics.cheats import (
    demands_to_price_out,
    names_gain,
    reward_per_device,
    row_loss,
    self_demand_cost,
    skipping_gain,
    trap_gain,
)
from assay.economics.machines import of_class
from assay.economics.parameters import BadParameters, Economy, load
from assay.economics.plots import line_plot
from assay.economics.safety import conditions, unheld
from assay.economics.simulation import Market, Simulation, people

commands = typer.Typer(
    no_args_is_help=True,
    help="Simulate what each way of cheating earns or loses.",
    rich_markup_mode=None,
    add_completion=False,
)
Parameters = Annotated[Path, typer.Option(help="A deployment's parameter file.")]
Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="how to print", envvar="ASSAY_OUTPUT")]
DEFAULT = Path("deployments/local.yml")


@commands.callback()
def root() -> None:
    """Simulate what each way of cheating earns or loses."""


@commands.command()
def check(parameters: Parameters = DEFAULT, output: Output = OutputFormat.table) -> None:
    """Hold the parameters against every safety condition; 1 where one fails."""
    economy = _load(parameters)
    found = conditions(economy)
    if output is not OutputFormat.table:
        # JSON has no infinity.
        rows = [{**asdict(c), "margin": c.margin if c.needed > 0 else None, "holds": c.holds} for c in found]
        show_rows("conditions", rows, {}, output)
        raise typer.Exit(0 if all(c.holds for c in found) else 1)
    table = Table(title=f"Safety of {economy.network}")
    for column in ("condition", "got", "needed", "unit", "margin", ""):
        table.add_column(column)
    for c in found:
        mark = "[green]holds[/]" if c.holds else "[red]FAILS[/]"
        table.add_row(c.name, f"{c.got:,.4g}", f"{c.needed:,.4g}", c.unit, f"{c.margin:,.3g}×", mark)
    Console().print(table)
    for text in unheld(economy):
        Console().print(f"not held to anything: {text}", highlight=False)
    if not all(c.holds for c in found):
        raise typer.Exit(1)


@commands.command()
def run(
    parameters: Parameters = DEFAULT,
    out: Annotated[Path, typer.Option(help="Folder for the result and the plots.")] = Path("build/economics"),
    epochs: Annotated[int, typer.Option(min=1, max=100_000)] = 400,
    seed: Annotated[int, typer.Option(help="The same seed gives the same result.")] = 1,
    output: Output = OutputFormat.table,
) -> None:
    """Simulate a mixed population on the real reward rules; plot it."""
    economy = _load(parameters)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out {out}: no such folder can be made ({error.strerror})", 1)
    providers, validators = people()
    choice = random.Random(seed)  # noqa: S311 - a model, not a secret
    outcome = Simulation(economy, Market(epochs=epochs), providers, validators, choice).run()
    xs = [float(n) for n in range(epochs)]
    of = {who: {k: v for k, v in outcome.path.items() if k.startswith(who)} for who in ("provider", "validator")}
    for who, lines in of.items():
        plot = line_plot(f"Mean profit of each kind of {who}", "epoch", "network tokens", xs, lines)
        (out / f"{who}s.svg").write_text(plot)
    (out / "skipping.svg").write_text(_skipping(economy))
    (out / "demands.svg").write_text(_demands(economy))
    final = {kind: path[-1] for kind, path in outcome.path.items()}
    profile = economy.profiles[0]
    result = {
        "network": economy.network,
        "epochs": epochs,
        "seed": seed,
        "meanProfit": final,
        "slashes": outcome.slashes,
        "falsePasses": outcome.false_passes,
        "trapGain": trap_gain(economy, profile, 1),
        "namesGain": names_gain(economy, profile, of_class(profile), 4),
        "stalled": outcome.stalled,
    }
    (out / "result.json").write_text(json.dumps(result, indent=1))
    if output is not OutputFormat.table:
        return show(result, output)
    table = Table(title=f"After {epochs} epochs of {economy.network}")
    table.add_column("kind")
    table.add_column("mean profit, tokens", justify="right")
    for kind, profit in sorted(final.items()):
        table.add_row(kind, f"{profit:,.2f}")
    Console().print(table)
    Console().print(f"{outcome.slashes} slashes; plots and result in {out}", highlight=False)


def _skipping(economy: Economy) -> str:
    """Gain of skipping rows over honest work, by the share skipped, for several costs of the work."""
    profile = economy.profiles[0]
    shares = [n / 400 for n in range(41)]
    reward = reward_per_device(economy, profile)
    lines = {
        f"work costs {part:.0%} of reward": [skipping_gain(economy, profile, g, part * reward) for g in shares]
        for part in (0.05, 0.5, 1.0)
    }
    return line_plot(
        f"Gain of skipping rows, profile {profile.name}, k = {profile.samples}",
        "share of rows skipped",
        "tokens an epoch",
        shares,
        lines,
    )


def _demands(economy: Economy) -> str:
    """What a device pays to put off watchers by demanding of itself, beside what it can lose by being asked."""
    profile = economy.profiles[0]
    last = max(1, min(60, demands_to_price_out(economy, profile)))
    counts = [float(n) for n in range(last + 1)]
    lines = {
        "it burns and pays in gas": [self_demand_cost(economy, profile, int(n)) for n in counts],
        "an answer costs a watcher": [row_loss(economy, profile, int(n)) for n in counts],
        "a watcher's bounty": [economy.bounty * profile.stake] * len(counts),
        "its stake": [profile.stake] * len(counts),
    }
    return line_plot(
        f"Demanding of oneself, profile {profile.name}",
        "demands that it keeps open against itself",
        "tokens",
        counts,
        lines,
    )


def _load(path: Path) -> Economy:
    try:
        return load(path)
    except BadParameters as error:
        fail(str(error), 1)
