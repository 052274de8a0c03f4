"""Parameters of requests, each with its bounds."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from assay.market.errors import BadQuery
from assay.market.projection.listings import STATES
from assay.market.queries.pages import MAX_CURSOR, MAX_ROWS
from assay.market.queries.search import Search
from assay.protocol.hexadecimal import parse_address
from assay.protocol.leases import MAX_DEVICES
from assay.protocol.types import DeviceId
from assay.sheet.fields import bound_of
from assay.sheet.orders import BEST, SORTS

_HASH = "^0x[0-9a-fA-F]{64}$"
_ADDRESS = "^0x[0-9a-fA-F]{40}$"
MAX_CHOICES = 20
BY_AMOUNT = tuple(name for name, order in SORTS.items() if order.is_amount)

Hash = Annotated[str, Path(pattern=_HASH)]
AddressPath = Annotated[str, Path(pattern=_ADDRESS)]
AddressQuery = Annotated[str | None, Query(pattern=_ADDRESS)]
Number = Annotated[int, Path(ge=0, lt=1 << 63)]
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR)]
Limit = Annotated[int, Query(ge=1, le=MAX_ROWS)]
Texts = Annotated[list[Annotated[str, Query(max_length=80)]], Query(max_length=MAX_CHOICES)]

Models = Annotated[
    list[Annotated[str, Query(max_length=80)]],
    Query(max_length=MAX_CHOICES, description="Cards by name, in any spelling: H100 SXM, RTX_4090, 4070Ti."),
]
BoundTexts = list[Annotated[str, Query(max_length=48)]]
AtLeast = Annotated[
    BoundTexts,
    Query(alias="min", max_length=MAX_CHOICES, description="NAME:NUMBER, a value of the sheet at least: cuda:12.4."),
]
AtMost = Annotated[BoundTexts, Query(alias="max", max_length=MAX_CHOICES, description="NAME:NUMBER, at most.")]
Tokens = Annotated[list[Annotated[str, Query(pattern=_ADDRESS)]], Query(max_length=8)]

States = Annotated[
    list[Annotated[str, Query(max_length=12)]],
    Query(max_length=len(STATES), description=f"Any of {', '.join(STATES)}, or all."),
]


def known_only(request: Request) -> None:
    """Refuses parameters that a route has not: a misspelt filter would pass for one that lets everything through."""
    unknown = unknown_parameters(request)
    if unknown:
        known = ", ".join(sorted(parameters_of(request))) or "none"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"{unknown[0][:40]}: no such parameter; there are {known}")


def unknown_parameters(request: Request) -> list[str]:
    """Names in the query that the route does not take."""
    return sorted(set(request.query_params) - parameters_of(request))


def parameters_of(request: Request) -> set[str]:
    """Names that the route of a request takes in its query."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return set()
    return set(_named(route.dependant))


def _named(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _named(inner)


def checked(address: str) -> str:
    """The checksummed spelling of an address in any; only a filled-in checksum must be right."""
    return parse_address(address.lower())


def plain_hash(text: str) -> bytes:
    """The bytes of a checked hash."""
    return bytes.fromhex(text[2:])


def plain_device(text: str) -> DeviceId:
    """The device that a checked hash names."""
    return DeviceId(plain_hash(text))


def bounds(texts: list[str]) -> tuple[tuple[str, int], ...]:
    """Columns with their bounds. Raises BadQuery."""
    try:
        found = [bound_of(text, ":") for text in texts]
    except ValueError as error:
        raise BadQuery(str(error)) from None
    return tuple((field.column, number) for field, number in found)


def search_parameters(
    state: States = ["available"],  # noqa: B006
    gpus: Annotated[
        list[Annotated[int, Query(ge=1, le=MAX_DEVICES)]],
        Query(max_length=MAX_DEVICES, description="Devices that are leased together."),
    ] = [],  # noqa: B006
    profile: Annotated[list[Annotated[int, Query(ge=0, lt=1 << 32)]], Query(max_length=MAX_CHOICES)] = [],  # noqa: B006
    model: Models = [],  # noqa: B006
    region: Texts = [],  # noqa: B006
    token: Tokens = [],  # noqa: B006
    provider: AddressQuery = None,
    min_memory_gib: Annotated[int, Query(alias="minMemoryGiB", ge=0, lt=1 << 21)] = 0,
    min_memory_gb: Annotated[
        int, Query(alias="minMemoryGb", ge=0, lt=1 << 21, description="GB that such a card is sold with, as declared.")
    ] = 0,
    min_of_expected: Annotated[
        int,
        Query(
            alias="minOfExpectedBps",
            ge=0,
            le=1 << 20,
            description="What was proven, of what the declared model should make: 10,000 is all of it.",
        ),
    ] = 0,
    min_cpus: Annotated[
        int, Query(alias="minCpus", ge=0, lt=1 << 31, description="Cores of the machine, declared, of all devices.")
    ] = 0,
    min_ram_gib: Annotated[
        int, Query(alias="minRamGiB", ge=0, lt=1 << 31, description="Its memory, declared, of all devices.")
    ] = 0,
    min_disk_gib: Annotated[
        int, Query(alias="minDiskGiB", ge=0, lt=1 << 31, description="Its disk, declared, of all devices.")
    ] = 0,
    min_score: Annotated[int, Query(alias="minScoreGops", ge=0, lt=1 << 62)] = 0,
    max_rate: Annotated[
        str,
        Query(
            alias="maxRate",
            pattern="^[0-9]{0,38}$",
            description="Base units x 10^18 a second of all devices together; of one token, which has to be named "
            "where prices are in several.",
        ),
    ] = "",
    min_reliability: Annotated[int, Query(alias="minReliabilityBps", ge=0, le=10_000)] = 0,
    min_hours: Annotated[int, Query(alias="minHours", ge=0, lt=1 << 24)] = 0,
    firm: Annotated[bool, Query(description="Only offers that the provider cannot end by giving notice.")] = False,
    at_least: AtLeast = [],  # noqa: B006
    at_most: AtMost = [],  # noqa: B006
    no_slashed: Annotated[
        bool, Query(alias="noSlashed", description="No provider that ever had a device slashed.")
    ] = False,
    sort: Annotated[
        str,
        Query(
            max_length=24,
            description=f"One of {', '.join(SORTS)}. Amounts of different tokens do not compare: by "
            f"{', '.join(BY_AMOUNT)} it is one token after the other, by its address.",
        ),
    ] = BEST,
) -> Search:
    """The search of a request's query."""
    states = () if "all" in state else tuple(dict.fromkeys(s for s in state if s))
    return Search(
        states, tuple(gpus), tuple(profile), tuple(m for m in model if m), tuple(r for r in region if r),
        tuple(checked(t) for t in token), checked(provider) if provider else None, min_memory_gib,
        min_memory_gb, min_of_expected, min_cpus, min_ram_gib, min_disk_gib, min_score,
        int(max_rate) if max_rate else None, min_reliability, min_hours, firm, bounds(at_least), bounds(at_most),
        no_slashed, sort,
    )  # fmt: skip


SearchQuery = Annotated[Search, Depends(search_parameters)]
