"""Engines by name, those that cheat included: for demonstrations and for traps, on local chains only.

A device that commits garbage is a trap for validators that do not verify; anybody may run one, at the price
of its stake.
"""

from __future__ import annotations

from collections.abc import Callable

from assay.proof.engines import NAMES, Engine, engine
from assay.proof.engines.registry import AUTO, GPU_NAMES
from assay.provider.errors import BadProviderSetting, ProviderError
from assay.provider.runtime.local import LOCAL_CHAIN_IDS

SKIPPED_ROWS = "skipped-rows"
ENGINES_HELP = f"{', '.join(NAMES)}; for demos and traps on a local chain: {SKIPPED_ROWS}:FRACTION"


def proves_on_card(name: str) -> bool:
    """Whether an engine of this name computes on the card of a device that has one."""
    return name == AUTO or name in GPU_NAMES


def engine_maker(name: str, chain_id: int) -> Callable[[], Engine]:
    """What makes engines of this name; `skipped-rows:FRACTION` skips that part of the rows.

    Raises ProviderError as `require_engine`; what it returns raises EngineUnavailable where it does not run here.
    """
    kind, _, argument = name.partition(":")
    require_engine(name, chain_id)
    if kind != SKIPPED_ROWS:
        return lambda: engine(name)
    fraction = float(argument)

    def make() -> Engine:
        from assay.proof.adversaries.skipped_rows import SkippedRows

        return SkippedRows(fraction)

    return make


def require_engine(name: str, chain_id: int) -> None:
    """Raises ProviderError for an engine that there is not, or that cheats on anything but a local chain; whether it
    runs on this machine is not looked at.
    """
    kind, _, argument = name.partition(":")
    if kind != SKIPPED_ROWS:
        if name not in NAMES:
            raise BadProviderSetting(f"engine {name!r}: one of {', '.join(NAMES)}")
        return
    if chain_id not in LOCAL_CHAIN_IDS:
        raise ProviderError(f"the engine {kind!r} cheats and would lose its stake on chain {chain_id}: refused")
    try:
        fraction = float(argument)
    except ValueError as error:
        raise ProviderError(f"{name!r}: expected {SKIPPED_ROWS}:FRACTION, such as {SKIPPED_ROWS}:0.3") from error
    if not 0 < fraction <= 1:
        raise ProviderError(f"{name!r}: the fraction must be above 0 and at most 1")
