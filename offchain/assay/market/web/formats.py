"""How pages write amounts, times, hashes and flags."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import Any

from markupsafe import Markup

from assay.chain.contracts.operators import OperatorScope
from assay.market.api.context import Token
from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import Flag
from assay.protocol.rates import exact_rate, price_per_hour

NETWORK_DECIMALS = 18
LAST_TIME = 253_402_300_799  # the last second of the year 9999: contracts count further

FLAG_NAMES: dict[int, str] = {
    Flag.PASSED: "passed",
    Flag.LEASED: "leased",
    Flag.LATE: "late",
    Flag.BAD_OPENING: "bad opening",
    Flag.UNREACHABLE: "unreachable",
    Flag.NO_OPENING: "no opening",
    Flag.UNSCORED: "unscored",
    Flag.MEMORY: "memory proven",
    Flag.PROMPT: "promptly",
}
SCOPES: dict[int, str] = {
    OperatorScope.OFFER: "sign offers",
    OperatorScope.START: "start leases",
    OperatorScope.END: "end leases",
    OperatorScope.CLAIM: "claim",
    OperatorScope.ENDPOINT: "announce endpoints",
}


def decimal(amount: int, decimals: int, places: int = 2) -> str:
    """An amount of base units in whole tokens with so many places, or two digits of one that is smaller."""
    value = Decimal(amount) / Decimal(10) ** decimals
    if value and abs(value) < Decimal(10) ** -places:
        return f"{value:.1e}" if abs(value) < Decimal("1e-6") else f"{value:.{1 - value.adjusted()}f}"
    return f"{value:,.{places}f}"


def per_hour(rate: int | None, decimals: int) -> str:
    """A rate (base units x 10^18 a second) in whole tokens an hour."""
    if rate is None:
        return "–"
    value = price_per_hour(rate, decimals)
    return decimal(int(value * 10**18), 18)


def rate_of(price: Decimal, decimals: int) -> int:
    """The rate of a price in whole tokens an hour, rounded up so that what costs exactly that is within it."""
    return ceil(exact_rate(price, decimals))


def gops(value: int) -> str:
    """A score in giga-, tera- or peta-operations a second."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:.2f} POPS"
    return f"{value / 1_000:.1f} TOPS" if value >= 1_000 else f"{value} GOPS"


def memory(mib: int) -> str:
    """GiB, or MiB below one."""
    if not mib:
        return "–"
    return f"{mib / 1024:.0f} GiB" if mib >= 1024 else f"{mib} MiB"


def milliseconds(microseconds: int) -> str:
    """A time of microseconds, in milliseconds or seconds."""
    return f"{microseconds / 1e6:.2f} s" if microseconds >= 1_000_000 else f"{microseconds / 1e3:.0f} ms"


def percent(bps: int) -> str:
    """Hundredths of a percent as percent."""
    return f"{bps / 100:.0f} %" if bps % 100 == 0 else f"{bps / 100:.1f} %"


def words_of(name: str) -> str:
    """A name in camelCase as words: `validUntil` is "valid until"."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: " " + found[1].lower(), name)


def short(value: Any, head: int = 6) -> str:
    """The ends of a hash or an address."""
    text = hexadecimal(value)
    return text if len(text) <= 2 * head + 3 else f"{text[: head + 2]}…{text[-4:]}"


def hexadecimal(value: Any) -> str:
    """0x-hex of bytes; text as it is."""
    return "–" if value is None else to_hex(value) if isinstance(value, bytes) else str(value)


def moment(timestamp: int) -> str:
    """ISO 8601 in UTC, for `<time datetime>`."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if timestamp else ""


def clock(timestamp: int) -> str:
    """A time people read, in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%d %b %Y, %H:%M:%S UTC") if timestamp else "–"


def age(timestamp: int, now: float | None = None) -> str:
    """How long ago."""
    if not timestamp:
        return "never"
    seconds = int((time.time() if now is None else now) - timestamp)
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def clock_tag(timestamp: int) -> Markup:
    """A time people read: in UTC as it is sent, in the reader's own time zone where scripts run."""
    if not timestamp:
        return Markup("–")
    if timestamp > LAST_TIME:
        return Markup("without end")
    return Markup('<time datetime="{}" data-clock>{}</time>').format(moment(timestamp), clock(timestamp))


def age_tag(timestamp: int) -> Markup:
    """How long ago, which scripts keep up to date."""
    if not timestamp:
        return Markup("never")
    if timestamp > LAST_TIME:
        return Markup("without end")
    text = Markup('<time datetime="{}" data-age title="{}">{}</time>')
    return text.format(moment(timestamp), clock(timestamp), age(timestamp))


def duration(seconds: int) -> str:
    """Two parts at most."""
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    shown = [f"{n} {unit}" for n, unit in parts if n][:2]
    return " ".join(shown) or "0 s"


def flags(value: int) -> str:
    """The names of the flags set."""
    names = [name for flag, name in FLAG_NAMES.items() if value & flag]
    return ", ".join(names) or "failed"


def scopes(value: int) -> str:
    """What an operator may do."""
    return ", ".join(name for scope, name in SCOPES.items() if value & scope) or "revoked"


def gpus(count: int) -> str:
    """How many devices are leased together, in front of their model; nothing for one."""
    return f"{count} × " if count > 1 else ""


def flags_mood(value: int) -> str:
    """How pages colour flags: a pass, a lease that is left in peace, or anything else."""
    if value & ~(Flag.MEMORY | Flag.PROMPT) == Flag.PASSED:
        return "good"
    return "cool" if value & Flag.LEASED else "bad"


def host(endpoint: str) -> str:
    """The host of an endpoint that somebody announced; empty for what is none."""
    try:
        return parse_origin(endpoint).host
    except BadOrigin:
        return ""


def token_of(tokens: Mapping[str, Token], address: str | None) -> Token:
    """Symbol and decimals of a token; an unknown one by the start of its address, in base units."""
    if address is None:
        return Token("", 0)
    return tokens.get(address) or Token(short(address, 4), 0)
