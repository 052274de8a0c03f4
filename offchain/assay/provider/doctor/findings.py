"""What a check found, and what to do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from assay.chain.errors import ChainError
from assay.network.errors import NetworkError
from assay.provider.errors import ProviderError


class Level(StrEnum):
    """`warn`: a rental can do without, or it could not be checked."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, how it stands, what was found, and what to do, empty where nothing is."""

    check: str
    level: Level
    found: str
    todo: str = ""

    @property
    def fine(self) -> bool:
        """Whether a provider can run with it."""
        return self.level is not Level.FAIL


@dataclass(frozen=True)
class Answer:
    """What a check that raised nothing says."""

    found: str
    level: Level = Level.OK
    todo: str = ""


class Wrong(ProviderError):
    """A check that failed: what was found, and what to do."""

    def __init__(self, found: str, todo: str = "") -> None:
        self.todo = todo
        super().__init__(found)


def warn(found: str, todo: str = "") -> Answer:
    """What a rental can do without."""
    return Answer(found, Level.WARN, todo)


class Findings:
    """Checks in order; what goes wrong in one says nothing about the others."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    async def check(self, name: str, look: Callable[[], Awaitable[Answer]]) -> None:
        """Looks, and notes what was found."""
        try:
            answer = await look()
        except (ProviderError, ChainError, NetworkError) as error:
            self.all.append(Finding(name, Level.FAIL, str(error), getattr(error, "todo", "")))
        except OSError as error:
            self.all.append(Finding(name, Level.FAIL, f"{error.filename or 'this machine'}: {error.strerror}"))
        else:
            self.all.append(Finding(name, answer.level, answer.found, answer.todo))
