"""What the renter's commands show to people where JSON has exact values: tokens by name, times as on a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assay.cli.output import OutputFormat
from assay.protocol.specification import DeclaredHost
from assay.renter.money.amounts import amount_text, rounded, show_amount
from assay.renter.money.amounts import moment as moment

AMOUNTS = ("deposit", "streamed", "claimed", "refunded", "downtimeRefund", "bond", "forfeited", "forfeitable")
EMPTY = ("downtimeRefund", "forfeited", "forfeitable")  # of most leases: shown where there is something


def amounts_in(output: OutputFormat) -> Callable[[int, int], str]:
    """How base units of so many decimals are written: exactly for programs, rounded in a table."""
    return amount_text if output is OutputFormat.table else show_amount


def host_text(host: DeclaredHost | None) -> str:
    """A part of a host; empty for none."""
    if host is None:
        return ""
    return f"{host.cores} cores, {gib_text(host.memory_mib)} memory, {gib_text(host.disk_mib)} disk"


def gib_text(mib: int) -> str:
    """MiB in GiB, with a digit behind the point where there is less than ten."""
    return f"{mib / 1024:.1f} GiB" if mib < 10_240 else f"{mib // 1024:,} GiB"


def bytes_text(count: int) -> str:
    """A count of bytes as people say it."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size, _ = size / 1024, units.pop(0)
    return f"{count:,} B" if units[0] == "B" else f"{size:,.1f} {units[0]}"


def rented_text(values: Mapping[str, Any], decimals: int, symbol: str) -> dict[str, Any]:
    """A lease that was rented or opened, as `rented_json` has it."""
    shown = dict(values)
    shown["deposit"] = f"{amount_text(int(values['deposit']), decimals)} {symbol}"
    del shown["deviceIds"]
    if stop := shown.pop("stop", 0):
        shown["stops"] = moment(stop)
    if "steps" in shown:
        shown["steps"] = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in values["steps"].items())
    if "proofMs" in shown:
        shown["proof"] = f"{shown.pop('proofMs')} ms, {shown.pop('scoreGops')} gops"
        shown["verified"] = f"in {shown.pop('verifyMs')} ms on this machine"
    shown.pop("seconds", None)
    return shown


def lease_text(values: Mapping[str, Any], symbol: str) -> dict[str, Any]:
    """One lease in full, as `lease_json` has it."""
    shown: dict[str, Any] = {"lease": values["leaseId"], "status": values["state"]}
    shown["device" if len(values["deviceIds"]) == 1 else "devices"] = "\n".join(values["deviceIds"])
    shown |= {name: values[name] for name in ("renter", "provider", "token")}
    shown["price an hour"] = f"{rounded(values['pricePerHour'], 2)} {symbol}"
    if values["start"]:  # one that has not started has neither
        shown |= {"start": moment(values["start"]), "stop": moment(values["stop"]), "time left": values["timeLeft"]}
    shown["minimum"] = duration_text(values["minDuration"])
    shown["notice"] = _notice_text(values)
    shown["left early"] = "yes: paid and measured to the stop" if values["leftEarly"] else ""
    shown["slashed"] = values["slashedDevice"] or ""
    if values["downtime"]:
        most = duration_text(values["maxDowntime"])
        shown["downtime"] = f"{values['downtimeText']} attested; beyond {most} the renter may leave for free"
    named = {"downtimeRefund": "refunded for downtime", "forfeitable": "forfeited to the network"}
    for name in AMOUNTS:
        if name not in EMPTY or values["baseUnits"][name] != "0":
            shown[named.get(name, name)] = f"{rounded(values[name])} {symbol}"
    shown["leaving now"] = leaving_text(values, symbol) if values["status"] in ("pending", "active") else ""
    return {name: value for name, value in shown.items() if value != ""}


def leaving_text(values: Mapping[str, Any], symbol: str) -> str:
    """What leaving costs, and from when on it does not; as `lease_json` has it."""
    if values["leavingFree"]:
        return f"free: {values['leavingFree']}"
    left = values["maxDowntime"] + 1 - values["downtime"]
    costs = "is paid already" if values["leftEarly"] else f"costs {rounded(values['leavingCosts'])} {symbol} more"
    return (
        f"{costs}; free from {moment(values['leavingFreeFrom'])}, or after {left} s more of attested downtime, "
        "a notice, or a slashed device"
    )


def _notice_text(values: Mapping[str, Any]) -> str:
    if values["providerFreeFrom"]:
        until = moment(values["providerFreeFrom"])
        return f"given {moment(values['noticeAt'])}: the provider may end it from {until} on, the renter at any time"
    return f"{duration_text(values['notice'])}, not given" if values["notice"] else "none"


def duration_text(seconds: int) -> str:
    """`1d 2h`, `2h 5m`, `5m 3s`, `3s`."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= size:
            parts.append(f"{seconds // size}{unit}")
            seconds %= size
    return " ".join(parts[:2]) or "0s"
