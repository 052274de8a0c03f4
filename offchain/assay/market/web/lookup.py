"""What the search box finds: names in full, their beginnings, leases and epochs by number, models by their words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import Column, Connection, select

from assay.market.queries import accounts
from assay.market.queries.pages import one
from assay.market.queries.search import Search, SearchTable
from assay.market.store.tables import devices, epochs, events, leases, listings, stakes

MAX_FOUND = 12
MAX_MODEL = 80
_NUMBERED = re.compile(r"(lease|epoch)?\s*#?\s*([0-9]{1,18})", re.I)
# A beginning, or beginning and end with an ellipsis between, as pages shorten names.
_SHORTENED = re.compile(r"(?:0x)?([0-9a-f]{4,64})(?:(?:…|\.{2,3})([0-9a-f]{1,64}))?", re.I)


@dataclass(frozen=True, slots=True)
class Found:
    """A page, and what is said of it in a list of several."""

    path: str
    kind: str
    name: str


def find(connection: Connection, table: SearchTable, text: str) -> list[Found]:
    """What a text may name, the likeliest first; at most MAX_FOUND."""
    text = text.strip()
    if numbered := _NUMBERED.fullmatch(text):
        kind, number = (numbered[1] or "").lower(), int(numbered[2])
        if kind:
            return [Found(f"/{kind}s/{number}", kind, str(number))]
        found = [Found(f"/leases/{number}", "lease", str(number))] if one(connection, leases, lease_id=number) else []
        if one(connection, epochs, epoch=number):
            found.append(Found(f"/epochs/{number}", "epoch", str(number)))
        of_models = models(table, text)
        # A small number is a lease's before it is an epoch's; one that names models too is asked about.
        return [*found, *of_models] if of_models else found[:1]
    if path := accounts.what_is(connection, text):
        return [Found(path, "name", text)]
    beginning = _SHORTENED.fullmatch(text)
    named = _by_beginning(connection, beginning[1].lower(), (beginning[2] or "").lower()) if beginning else []
    return [*named, *models(table, text)][:MAX_FOUND]


def models(table: SearchTable, text: str) -> list[Found]:
    """The search for a model, where anything listed is one that the text names."""
    text = text[:MAX_MODEL]
    if not text or not table.count(Search(states=(), models=(text,))).total:
        return []
    return [Found(f"/?{urlencode([('state', 'all'), ('model', text)])}", "model", text)]


def _by_beginning(connection: Connection, head: str, tail: str) -> list[Found]:
    low, high = bytes.fromhex(head.ljust(64, "0")), bytes.fromhex(head.ljust(64, "f"))

    def hashes(column: Column[bytes], more: Iterable[object] = ()) -> list[str]:
        query = select(column).where(column.between(low, high), *more).distinct().order_by(column).limit(MAX_FOUND)  # type: ignore[arg-type]
        return ["0x" + value.hex() for value in connection.execute(query).scalars() if value.hex().endswith(tail)]

    found = [Found(f"/devices/{name}", "device", name) for name in hashes(devices.c.device_id)]
    found += [Found(f"/nodes/{name}", "node", name) for name in hashes(listings.c.listing_id, [listings.c.gpus > 1])]
    who: list[str] = []
    for column in (stakes.c.account, leases.c.renter):
        query = select(column).where(column.ilike(f"0x{head}%{tail}")).distinct().order_by(column).limit(MAX_FOUND)
        who += [address for address in connection.execute(query).scalars() if address not in who]
    found += [Found(f"/accounts/{address}", "account", address) for address in who]
    found += [Found(f"/transactions/{name}", "transaction", name) for name in hashes(events.c.transaction)]
    return found[:MAX_FOUND]
