"""What a node means that does not answer `eth_getLogs`. No standard says: each has its own code, words and status."""

from __future__ import annotations

import re
from enum import IntEnum

from assay.chain.errors import EndpointFault, RpcError


class LogRefusal(IntEnum):
    """Why a question for logs was not answered; the greater says more about the question."""

    BROKEN = 0  # cut off, answered with something else, an error of its own: smaller may do
    BUSY = 1  # asked too often: another may have time
    ABSENT = 2  # it serves no logs at all
    PRUNED = 3  # it no longer has the logs of that time: another may
    TOO_MUCH = 4  # too many blocks, logs, bytes or seconds: less will do


_PRUNED = re.compile(r"prun|histor|no longer (?:available|stored)|old data|earliest available|archive", re.IGNORECASE)
_BUSY = re.compile(
    r"rate.?limit|too many requests|request (?:count|limit|rate)|per (?:second|minute|day)|capacity|compute units"
    r"|credits|quota|throttl|try again later|daily",
    re.IGNORECASE,
)
_TOO_MUCH = re.compile(
    r"range|distance|more than|larger than|bigger than|too (?:large|big|wide|long|many)|exceed|limited to"
    r"|max(?:imum)?\b|narrow|reduce|response size|result (?:size|window)|limit\b.*\bblocks?|time.?out|timed out"
    r"|deadline|took too long",
    re.IGNORECASE,
)
_ABSENT = re.compile(r"not (?:supported|available|allowed|found|exist)|disabled|unsupported", re.IGNORECASE)
_CODES = {
    429: LogRefusal.BUSY, -32_029: LogRefusal.BUSY, -32_097: LogRefusal.BUSY, 4_444: LogRefusal.PRUNED,
    413: LogRefusal.TOO_MUCH, -32_005: LogRefusal.TOO_MUCH, -32_008: LogRefusal.TOO_MUCH,
    -32_047: LogRefusal.TOO_MUCH, -32_062: LogRefusal.TOO_MUCH, -32_614: LogRefusal.TOO_MUCH,
    -32_701: LogRefusal.TOO_MUCH, -32_601: LogRefusal.ABSENT,
}  # fmt: skip
_STATUS = re.compile(r"\bHTTP (\d{3})\b")
_TOO_MUCH_STATUS = ("408", "413", "504", "524")  # what proxies say of an answer that is too large or too slow
_BUSY_STATUS = ("429",)
# A range named in the refusal: "limited to a 10,000 range", "max range: 800", "block range [0x1, 0x3e8]".
_PAIR = re.compile(r"\[\s*(0x[0-9a-f]{1,16})\s*,\s*(0x[0-9a-f]{1,16})\s*\]", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.-])\d{1,3}(?:[,_]\d{3})+\b|(?<![\w.-])\d{2,12}\b")
LEAST_HINT = 10


def log_refusal(error: RpcError | EndpointFault) -> LogRefusal:
    """The meaning of an error of `eth_getLogs`; where its words and its code differ, its words count."""
    if isinstance(error, EndpointFault):
        if error.timed_out or "response above" in error.reason:
            return LogRefusal.TOO_MUCH
        status = _STATUS.search(error.reason)
        if status and status[1] in _TOO_MUCH_STATUS:
            return LogRefusal.TOO_MUCH
        return LogRefusal.BUSY if status and status[1] in _BUSY_STATUS else LogRefusal.BROKEN
    text = _words(error)
    for refusal, pattern in (
        (LogRefusal.PRUNED, _PRUNED), (LogRefusal.BUSY, _BUSY), (LogRefusal.TOO_MUCH, _TOO_MUCH),
    ):  # fmt: skip
        if pattern.search(text):
            return refusal
    if error.code in _CODES:
        return _CODES[error.code]
    return LogRefusal.ABSENT if _ABSENT.search(text) else LogRefusal.BROKEN


def blocks_allowed(error: RpcError | EndpointFault, asked: int) -> int:
    """How many blocks to ask for after a refusal of `asked`: what the node names, else a part of it."""
    text = _words(error) if isinstance(error, RpcError) else ""
    named = [int(pair[2], 16) - int(pair[1], 16) + 1 for pair in _PAIR.finditer(text)]
    named += [int(number[0].replace(",", "").replace("_", "")) for number in _NUMBER.finditer(text)]
    fitting = [number for number in named if LEAST_HINT <= number < asked]
    return max(fitting) if fitting else max(1, asked // (2 if asked <= 10_000 else 4))


def _words(error: RpcError) -> str:
    # Some put what it is about into `data`, and only "invalid params" into the message.
    return f"{error.message} {error.data if error.data is not None else ''}"[:2_000]
