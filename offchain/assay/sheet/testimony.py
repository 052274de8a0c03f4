"""What renters who measured inside their leases say together: never more than their word, and never slashing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from statistics import median_low

from assay.protocol.messages import CheckResult
from assay.protocol.typed_message import camel_case
from assay.sheet.fields import BY_NAME
from assay.sheet.shortfall import CheckLine
from assay.sheet.values import MAX_NUMBER, Sheet, SheetValue, Source

# Name in a sheet -> attribute of a result.
VALUES = {camel_case(one.name): one.name for one in fields(CheckResult) if one.name not in ("lease_id", "checked_at")}


def result_of(lease_id: int, checked_at: int, lines: Iterable[CheckLine]) -> CheckResult:
    """What a renter signs of a check."""
    measured = {VALUES[line.name]: line.measured for line in lines if line.name in VALUES}
    numbers = {name: value for name, value in measured.items() if isinstance(value, int)}
    return CheckResult(lease_id, checked_at, **numbers)


def combined(results: Mapping[str, CheckResult]) -> Sheet:
    """One result of each renter, by its account: of every value the median of those that measured it."""
    found = {}
    for name, attribute in VALUES.items():
        said = [value for one in results.values() if 0 < (value := getattr(one, attribute)) < MAX_NUMBER]
        if said:
            found[name] = SheetValue(median_low(said), BY_NAME[name].unit, Source.renters, len(said))
    return found


def newest_of_each(results: Iterable[tuple[str, CheckResult]]) -> dict[str, CheckResult]:
    """By account: who checks often speaks once."""
    found: dict[str, CheckResult] = {}
    for account, result in results:
        if account not in found or found[account].checked_at < result.checked_at:
            found[account] = result
    return found
