"""Arguments of events as people read them: amounts in tokens, times as times, names as links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from markupsafe import Markup

from assay.market.api.context import Token
from assay.market.web import formats

# Amounts of LeaseEscrow are in the lease's token, those of others in the network's, unless the event names one.
_AMOUNTS = {
    "amount", "deposit", "refund", "bond", "fee", "credit", "reserved", "bounty", "burned", "limit", "minted", "perDay",
    "forfeited", "stake", "reward", "rewardsTotal", "total", "cumulative",
}  # fmt: skip
_TIMES = {"until", "validUntil", "unlockAt", "heldUntil", "start", "stop", "freeFrom", "deadline", "since"}
_DURATIONS = {"minDuration", "maxDuration", "notice", "downtime"}
_LINKS = {"leaseId": "leases", "epoch": "epochs", "deviceId": "devices", "earliestEpoch": "epochs"}
_MAX_LISTED = 3
ESCROWS = ("LeaseEscrow",)


def leases_named(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """The leases that events are of."""
    return [int(row["arguments"]["leaseId"]) for row in rows if "leaseId" in row["arguments"]]


def arguments_of(
    event: Mapping[str, Any], tokens: Mapping[str, Token], lease_token: str | None
) -> Iterator[tuple[str, Markup]]:
    """(name, what is shown) of each argument; those of an offer beside the others. `lease_token` is the address of the
    token of the lease that the event is of.
    """
    values = dict(event["arguments"])
    offer = values.pop("offer", None)
    if isinstance(offer, dict):
        values |= {name: value for name, value in offer.items() if name not in values}
    address = values.get("token") or lease_token
    token = formats.token_of(tokens, address) if address else None
    in_tokens = token if event["contract"] in ESCROWS or "token" in values else Token("ASY", formats.NETWORK_DECIMALS)
    for name, value in values.items():
        yield formats.words_of(name), _shown(name, value, in_tokens, tokens)


def _shown(name: str, value: Any, token: Token | None, tokens: Mapping[str, Token]) -> Markup:
    if isinstance(value, list):
        parts = [_shown(name.removesuffix("s"), part, token, tokens) for part in value[:_MAX_LISTED]]
        more = f" and {len(value) - _MAX_LISTED} more" if len(value) > _MAX_LISTED else ""
        return Markup(", ").join(parts) + more
    text = str(value)
    if name == "token":
        return Markup('<span title="{}">{}</span>').format(text, formats.token_of(tokens, text).symbol)
    if name in _AMOUNTS and token is not None and text.isdigit():
        unit = Markup('<span class="num" title="{} base units">{}</span> <span class="unit">{}</span>')
        return unit.format(text, formats.decimal(int(text), token.decimals), token.symbol)
    if name == "rate" and token is not None and text.isdigit():
        return Markup('{} <span class="unit">{}/h</span>').format(
            formats.per_hour(int(text), token.decimals), token.symbol
        )
    if name in _TIMES and text.isdigit():
        return formats.clock_tag(int(text))
    if name in _DURATIONS and text.isdigit():
        return Markup("{}").format(formats.duration(int(text)))
    if name in _LINKS:
        return Markup('<a class="mono" href="/{}/{}" title="{}">{}</a>').format(
            _LINKS[name], text, text, formats.short(text)
        )
    if len(text) == 42 and text.startswith("0x"):
        return Markup('<a class="mono" href="/accounts/{}" title="{}">{}</a>').format(text, text, formats.short(text))
    return Markup('<span class="mono" title="{}">{}</span>').format(text, formats.short(text, 8))
