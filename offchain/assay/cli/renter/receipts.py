"""A lease's bill, for people and for bookkeeping."""

from __future__ import annotations

from typing import Any

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.rows import hourly_text
from assay.renter.money.amounts import moment, rounded, show_amount
from assay.renter.money.receipts import LeaseReceipt, ReceiptLine

COLUMNS = {"what": "what", "amount": "amount", "when": "when", "transaction": "transaction"}
FIELDS = ("leaseId", "what", "amount", "token", "at", "block", "transaction")


def receipt_json(bill: LeaseReceipt, decimals: int, symbol: str) -> dict[str, Any]:
    """A bill: amounts in whole tokens, and under `baseUnits` exactly. `net` is what the lease has cost, `fee` what of
    its claims the network kept so far."""
    lease = bill.lease
    amounts = {
        "deposit": lease.deposit,
        "streamed": bill.streamed,
        "downtimeRefund": lease.downtime_refund,
        "bondForfeitedToRenter": lease.forfeited,
        "net": bill.net,
        "refunded": lease.refunded,
        "refundable": bill.refundable,
        "claimed": lease.claimed,
        "fee": bill.fees,
    }
    return {
        "leaseId": lease.lease_id,
        "status": lease.status.name.lower(),
        "renter": lease.renter,
        "provider": lease.provider,
        "token": lease.token,
        "symbol": symbol,
        "decimals": decimals,
        "rate": str(lease.rate),
        "pricePerHour": hourly_text(lease.rate, decimals),
        "start": lease.start or None,
        "stop": lease.stop or None,
        "seconds": bill.seconds,
        "downtime": lease.downtime,
        "feeBps": lease.fee_bps,
        **{name: show_amount(value, decimals) for name, value in amounts.items()},
        "baseUnits": {name: str(value) for name, value in amounts.items()},
        "transactions": [line_json(one, decimals) for one in bill.lines],
    }


def line_json(line: ReceiptLine, decimals: int) -> dict[str, Any]:
    """One line of a bill; `at` in seconds since 1970."""
    return {
        "what": line.what,
        "amount": None if line.amount is None else show_amount(line.amount, decimals),
        "at": line.at,
        "block": line.block,
        "transaction": line.transaction,
    }


def show_receipt(bill: LeaseReceipt, decimals: int, symbol: str, output: OutputFormat) -> None:
    """Prints a bill: the sums and the transactions in a table and in JSON; in CSV a line for each transaction, as
    bookkeeping takes them, with the sums behind them."""
    values = receipt_json(bill, decimals, symbol)
    if output is OutputFormat.json:
        return show(values, output)
    if output is OutputFormat.csv:
        sums = [
            {"what": f"sum: {name}", "amount": values[name], "at": None, "block": None, "transaction": None}
            for name in values["baseUnits"]
        ]
        rows = [{"leaseId": bill.lease.lease_id, "token": symbol, **row} for row in (*values["transactions"], *sums)]
        rows = [{field: row[field] for field in FIELDS} for row in rows]
        return show_rows("transactions", rows, COLUMNS, output, FIELDS)
    show(receipt_text(values), output)
    lines = [
        {**row, "amount": "" if row["amount"] is None else f"{rounded(row['amount'])} {symbol}", "when": _when(row)}
        for row in values["transactions"]
    ]
    show_rows("transactions", lines, COLUMNS, output)
    if bill.refundable:
        due = f"{rounded(values['refundable'])} {symbol}"
        note(f"{due} are due back: `assay refund {bill.lease.lease_id}` collects them")


def receipt_text(values: dict[str, Any]) -> dict[str, Any]:
    """The sums of a bill for people."""
    from assay.cli.renter.texts import duration_text

    symbol = values["symbol"]

    def of(name: str) -> str:
        return f"{rounded(values[name])} {symbol}"

    shown: dict[str, Any] = {"lease": values["leaseId"], "status": values["status"]}
    if values["start"]:
        until = moment(values["start"] + values["seconds"])
        shown["time"] = (
            f"{moment(values['start'])} to {until}: {values['seconds']} s ({duration_text(values['seconds'])})"
        )
        shown["rate"] = f"{rounded(values['pricePerHour'], 2)} {symbol} an hour"
        shown["streamed"] = of("streamed")
    if values["downtime"]:
        shown["downtime"] = f"-{of('downtimeRefund')} for {values['downtime']} s"
    if values["baseUnits"]["bondForfeitedToRenter"] != "0":
        shown["of the bond"] = f"-{of('bondForfeitedToRenter')}"
    shown["net"] = of("net")
    shown["deposit"] = of("deposit")
    shown["paid back"] = of("refunded")
    shown["provider's"] = f"{of('claimed')} claimed, {of('fee')} of it the network's fee ({values['feeBps'] / 100:g} %)"
    return shown


def _when(row: dict[str, Any]) -> str:
    return moment(row["at"]) if row["at"] else f"block {row['block']}"
