"""Asks validators for what they publish, any of them: a root on the chain says whether an answer is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.seats import SeatDirectory
from assay.network.origins import Endpoint
from assay.renter.errors import ProviderRefused, Unreachable
from assay.renter.http_client import HttpClient

T = TypeVar("T")


class Validators:
    """The seats that announce an address, in signing order."""

    def __init__(self, chain: Chain, http: HttpClient) -> None:
        self._http = http
        self._seats = SeatDirectory(chain)

    async def first(self, path: str, accept: Callable[[dict[str, Any], str], T], at: Block, **options: Any) -> T:
        """The first answer to a GET of `path` that `accept(answer, address)` takes: it raises Unreachable otherwise.

        Raises Unreachable where no validator has such an answer.
        """
        last: Exception = Unreachable("no validator announces an address")
        for seat in await self._seats.current(at):
            if not seat.endpoint:
                continue
            endpoint = Endpoint(seat.endpoint, seat.tls_fingerprint)
            try:
                return accept(await self._http.json_of("GET", endpoint, path, **options), f"{endpoint}{path}")
            except (Unreachable, ProviderRefused) as error:
                last = error
        raise Unreachable(f"no validator serves the report: {last}")
