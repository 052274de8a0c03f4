"""All attacks on the proof itself, and the table of rates."""

from __future__ import annotations

from collections.abc import Iterable

from assay.proof.adversaries import in_pod, messages, probes, products
from assay.proof.adversaries.attack import Attack, Rate

ATTACKS: dict[str, Attack] = {
    attack.name: attack for attack in [*products.ATTACKS, *messages.ATTACKS, *probes.ATTACKS, *in_pod.ATTACKS]
}


def row(attack: Attack, rate: Rate) -> tuple[str, str, str, str, str]:
    """(name, what, caught, 95 % interval, theory) as text."""
    low, high = rate.interval()
    theory = "" if attack.theory is None else _percent(attack.theory)
    return (
        attack.name,
        attack.what,
        f"{_percent(rate.share)} ({rate.caught}/{rate.trials})",
        f"{_percent(low)} to {_percent(high)}",
        theory,
    )


def consistent(attack: Attack, rate: Rate) -> bool:
    """Whether the theory lies within the measured interval, widened by half a per cent for its own rounding."""
    low, high = rate.interval()
    return attack.theory is None or low - 0.005 <= attack.theory <= high + 0.005


def table(results: Iterable[tuple[Attack, Rate]]) -> str:
    """Markdown: attacks with the rate at which they are caught, then honest devices and controls."""
    lists: dict[bool, list[str]] = {False: [], True: []}
    for attack, rate in results:
        cells = " | ".join(cell.replace("|", "/") for cell in row(attack, rate))
        lists[attack.honest].append(f"| {cells} |")
    head = "| name | what | {} | 95 % interval | theory |\n|---|---|---|---|---|\n"
    return (
        "### Attacks\n\n"
        + head.format("caught")
        + "\n".join(lists[False])
        + "\n\n### Honest devices, and what must pass\n\n"
        + head.format("failed")
        + "\n".join(lists[True])
        + "\n"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
