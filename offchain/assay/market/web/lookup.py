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
MIN_DIGITS = 4  # of a beginning: fewer name nothing in particular
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
    """The search for all declared models that have these words; none where none has."""
    names = [name for name in table.count(Search(states=())).facets["model"] if name and _has(name, text)]
    if not names:
        return []
    query = urlencode([("state", "all"), *(("model", name) for name in sorted(names)[:MAX_FOUND])])
    return [Found(f"/?{query}", "model", ", ".join(sorted(names)[:MAX_FOUND]))]


def _has(name: str, text: str) -> bool:
    """Whether every word of the text is one of the name's, or several of them written together."""
    words = re.findall(r"[a-z]+(?=[^a-z0-9]|$)|[a-z]*[0-9]+[a-z0-9]*|[a-z]+", name.lower())
    joined = {"".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    wanted = re.findall(r"[a-z0-9]+", text.lower())
    return bool(wanted) and (all(word in joined for word in wanted) or "".join(wanted) in joined)


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
