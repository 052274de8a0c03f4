"""What every route works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import Request
from pydantic import BaseModel
from sqlalchemy import Connection, Engine

from assay.market.api.models import plain
from assay.market.api.status import Status
from assay.market.follow.check_book import CheckBook
from assay.market.follow.index import Tip, newest_tip
from assay.market.projection.lease_money import EscrowTerms
from assay.market.queries.pages import Page
from assay.market.queries.proofs import ProofService
from assay.market.queries.search import SearchTable
from assay.market.sources.http_fetch import Asked
from assay.market.store.database import one_state
from assay.network.client import Stream
from assay.network.slots import Slots

# What this request has read: of which database, and its tip.
_read: ContextVar[tuple[Engine | None, Tip | None]] = ContextVar("_read", default=(None, None))
MAX_PASSED_ON = 64
MAX_PASSED_ON_EACH = 32  # a node is asked for sixteen handovers at one instant


class PassesOn(Protocol):
    """Sends a renter's request on to its provider."""

    def passed_on(self, asked: Asked, max_bytes: int, max_seconds: float) -> AbstractAsyncContextManager[Stream]:
        """The answer, read while it comes. Raises SourceFault, also while it is read."""


class UnknownName(Exception):
    """Nothing has this name."""


@dataclass(frozen=True, slots=True)
class ContractTimes:
    """What contracts fix at their deployment, in seconds: when epochs begin and how long they are, how long a report
    waits before it can be claimed against, and how long one made while the guardian is suspended.
    """

    genesis: int = 0
    epoch_length: int = 1
    claim_delay: int = 0
    long_claim_delay: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """How a token's amounts are shown."""

    symbol: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Links:
    """What leads out of the index: to the chain, for wallets and proofs, and to providers.

    `encode` gives receiver and calldata of a call to a contract, by its name or a token's address; `decode` function
    and arguments of a proof's calldata, None where it is none; `explain` says what revert data means. Each is None in a
    market without a chain, as `fetch` is in one that passes nothing on. `refused` says why offers were not taken, by
    provider and endpoint.
    """

    rpc: str = ""
    contracts: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)
    encode: Callable[[str, str, tuple[Any, ...]], tuple[str, bytes]] | None = None
    decode: Callable[[str, bytes], tuple[str, Mapping[str, Any]] | None] | None = None
    explain: Callable[[bytes], str] | None = None
    fetch: PassesOn | None = None
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class Context:
    """The database to read, and how far it is. `streams` and `passing` are the event streams that are open, and the
    requests that are being passed on; `checks` takes in what renters measured, None in a market that takes nothing.
    """

    engine: Engine
    status: Status
    search: SearchTable
    proofs: ProofService = field(default_factory=ProofService)
    links: Links = field(default_factory=Links)
    terms: EscrowTerms = field(default_factory=EscrowTerms)
    streams: Slots = field(default_factory=lambda: Slots(200, 16))
    passing: Slots = field(default_factory=lambda: Slots(MAX_PASSED_ON, MAX_PASSED_ON_EACH))
    deadlines: ContractTimes = field(default_factory=ContractTimes)
    checks: CheckBook | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose reads see one state of the index, of which the answer's `at` is from then on."""
        with one_state(self.engine) as connection:
            _read.set((self.engine, newest_tip(connection)))
            yield connection

    @property
    def tip(self) -> Tip | None:
        """The tip of what this request has read, else of what the followers have told last: they tell of a batch only
        after it can be read."""
        engine, tip = _read.get()
        return tip if engine is self.engine else self.status.tip

    @property
    def timestamp(self) -> int:
        """Seconds since 1970 of its block; 0 before the first."""
        return self.tip.timestamp if self.tip else 0

    def at(self) -> dict[str, Any]:
        """The `at` of an answer."""
        status, tip = self.status, self.tip
        block = tip.block if tip else 0
        return {
            "network": status.network,
            "chain_id": status.chain_id,
            "block": block,
            "timestamp": self.timestamp,
            "lag_blocks": max(0, status.head - block),
            "lag_seconds": status.lag_seconds,
            "stale": status.stale,
        }

    def one(self, value: Any, model: type[BaseModel] | None = None) -> dict[str, Any]:
        """An answer of one thing."""
        return {"data": plain(value, model), "at": self.at()}

    def many(self, page: Page, model: type[BaseModel]) -> dict[str, Any]:
        """An answer of a page."""
        return {"data": plain(page.rows, model), "next": page.next, "at": self.at()}


def context_of(request: Request) -> Context:
    """The context that the application was made with."""
    context: Context = request.app.state.context
    return context
