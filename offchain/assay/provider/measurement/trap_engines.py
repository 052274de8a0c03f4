"""Engines by name, those that cheat included: for demonstrations and for traps, on local chains only.

A device that commits garbage is a trap for validators that do not verify; anybody may run one, at the price
of its stake.
"""

from __future__ import annotations

from collections.abc import Callable

from assay.proof.engines import Engine, engine
from assay.provider.errors import ProviderError
from assay.provider.runtime.local import LOCAL_CHAIN_IDS

SKIPPED_ROWS = "skipped-rows"


def engine_maker(name: str, chain_id: int) -> Callable[[], Engine]:
    """What makes engines of this name; `skipped-rows:FRACTION` skips that part of the rows.

    Raises ProviderError for a cheating engine on anything but a local chain,
    EngineUnavailable for an unknown one.
    """
    kind, _, argument = name.partition(":")
    if kind != SKIPPED_ROWS:
        engine(name)
        return lambda: engine(name)
    if chain_id not in LOCAL_CHAIN_IDS:
        raise ProviderError(f"the engine {kind!r} cheats and would lose its stake on chain {chain_id}: refused")
    try:
        fraction = float(argument)
    except ValueError as error:
        raise ProviderError(f"{name!r}: expected {SKIPPED_ROWS}:FRACTION, such as {SKIPPED_ROWS}:0.3") from error
    if not 0 < fraction <= 1:
        raise ProviderError(f"{name!r}: the fraction must be above 0 and at most 1")

    def make() -> Engine:
        from assay.proof.adversaries.skipped_rows import SkippedRows

        return SkippedRows(fraction)

    return make
