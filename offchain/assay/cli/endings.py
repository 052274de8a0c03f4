"""How commands end where something goes wrong: one line on standard error, and an exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer

from assay.chain.errors import BadDeployment, BadEndpoint, ChainError, KeyFileError
from assay.cli.output import fail
from assay.network.errors import NetworkError
from assay.protocol.hexadecimal import HexadecimalError

T = TypeVar("T")
FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
BADLY_NAMED = (HexadecimalError, BadDeployment, BadEndpoint, KeyFileError)


def exit_status(error: Exception) -> int:
    """The error's own; else 2 for what was asked wrongly, 1 for what went wrong."""
    return int(getattr(error, "exit_status", BAD_INPUT if isinstance(error, BADLY_NAMED) else FAILED))


@contextmanager
def telling(*told: type[Exception]) -> Iterator[None]:
    """Ends the command where one of these errors, a chain's, or one of a file is raised within."""
    kinds: tuple[type[Exception], ...] = (ChainError, NetworkError, HexadecimalError, *told)
    try:
        yield
    except kinds as error:
        fail(str(error), exit_status(error))
    except OSError as error:
        if error.errno is None:
            raise
        fail(f"{error.filename or 'this machine'}: {error.strerror}", FAILED)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def finish(work: Coroutine[Any, Any, T], *told: type[Exception]) -> T:
    """Runs it on a loop, as `telling`."""
    with telling(*told):
        return asyncio.run(work)
