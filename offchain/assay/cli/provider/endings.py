"""How provider commands end."""

from __future__ import annotations

from collections.abc import Coroutine
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from assay.cli import endings
from assay.cli.output import fail
from assay.proof.errors import ProofError
from assay.provider.errors import ProviderError
from assay.renter.errors import RenterError

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Runs it; what goes wrong becomes one line and exit status 1, bad input 2."""
    return endings.finish(work, ProviderError, ProofError, RenterError)


def decimal_of(text: str, what: str) -> Decimal:
    """A number from the command line. Ends the command for anything else."""
    try:
        return Decimal(text)
    except InvalidOperation:
        fail(f"{what} {text!r}: not a number")
