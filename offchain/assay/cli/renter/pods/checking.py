"""`assay check`: a lease measured and proven from inside, beside its sheet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.chain.errors import ChainError
from assay.cli.option_groups import OptionGroup
from assay.cli.output import OutputFormat, note, show_rows
from assay.cli.renter.options import Connection, LeaseId, Output, renter_command
from assay.cli.renter.pods.options import Wheels, wheels_in
from assay.renter.errors import BadInput, LeaseShort, NotProven, ProofRejected, RenterError

if TYPE_CHECKING:
    from assay.renter.lease.checking import Checked, HowToCheck
    from assay.renter.renter import Renter
    from assay.sheet.shortfall import CheckLine

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
CHECK_COLUMNS = {
    "what": "what", "sheet": "sheet", "measured": "measured", "unit": "unit", "whose": "sheet by", "result": "result",
}  # fmt: skip


@dataclass(frozen=True)
class CheckOptions(OptionGroup):
    """What a check does beside measuring."""

    prove: Annotated[
        bool | None,
        typer.Option(
            "--prove/--no-prove",
            help="prove the cards inside the pod, too; --prove fails if the pod cannot",
        ),
    ] = None
    wheels: Wheels = None
    iperf: Annotated[
        str | None, typer.Option("--iperf3", help="HOST:PORT of your own iperf3 server, to measure the network")
    ] = None

    publish: Annotated[
        bool,
        typer.Option("--publish", help="sign the result and publish it on the market as one renter's testimony"),
    ] = False

    def how(self) -> HowToCheck:
        """As the library takes it. Raises BadInput."""
        from assay.renter.lease.checking import HowToCheck

        if self.iperf is not None and (":" not in self.iperf or self.iperf.startswith("-")):
            raise BadInput(f"--iperf3 {self.iperf[:80]!r}: expected HOST:PORT")
        return HowToCheck(self.prove is not False, wheels_in(self.wheels), self.iperf or "", note)


@renter_command(commands, "check")
async def check(
    lease: LeaseId, connection: Connection, options: CheckOptions, output: Output = OutputFormat.table
) -> None:
    """Measure a lease from inside, have its pod prove the cards under a nonce of yours, and say what is short of its
    data sheet; ends with 4 where something is.

    What the pod measures, a provider that has root on the machine can make up. The proof it cannot: its work was done
    after the nonce, at that speed; but on what machine, nothing shows.
    """
    async with connection.renter() as renter:
        checked = await renter.check(lease, options.how())
        if options.publish:
            await renter.testify(checked)
            note(f"signed and published on the market: what lease {lease} has, as one renter's testimony")
    show_rows("check", check_rows(checked), CHECK_COLUMNS, output)
    judge(checked, must_prove=bool(options.prove))


def check_rows(checked: Checked) -> list[dict[str, Any]]:
    """A row for each value."""
    from assay.sheet.fields import BY_NAME
    from assay.sheet.shortfall import OFF_SHEET

    return [
        {
            "name": line.name,
            "what": BY_NAME[line.name].help if line.name in BY_NAME else OFF_SHEET[line.name][1],
            "sheet": line.sheet or "",
            "measured": "" if line.measured is None else line.measured,
            "unit": line.unit if line.unit != "text" else "",
            "whose": line.whose,
            "result": _result(line),
        }
        for line in checked.lines
    ]


def _result(line: CheckLine) -> str:
    if line.measured is None:
        return "not measured"
    return "short" if line.short else "ok" if line.whose else "on no sheet"


def judge(checked: Checked, must_prove: bool = False) -> None:
    """Tells what the rows do not. Raises LeaseShort where something is short, NotProven where it must be proven and
    is not."""
    for one in checked.proofs:
        walk = "" if one.times.walk_s is None else f", its memory was walked in {one.times.walk_s:.2f} s"
        note(
            f"0x{one.device.device_id.hex()[:8]}… proved itself in the pod in {one.times.work_s:.2f} s "
            f"({one.gops} gops, on {one.engine}){walk}"
        )
    if not checked.lines:
        note(f"lease {checked.lease_id}: its devices declare nothing that can be measured from inside")
    if any(line.name == "gpus" and line.measured is None for line in checked.lines):
        note("no card shows in the pod (its nvidia-smi names none, or is not there): nothing of cards was measured")
    if checked.unproven:
        note(f"not proven: {checked.unproven}")
    if checked.short:
        raise LeaseShort(f"lease {checked.lease_id} is short of its sheet in {', '.join(checked.short)}")
    if checked.unproven and must_prove:
        raise NotProven(checked.unproven)


async def checked_or_ended(renter: Renter, lease_ids: Sequence[int], wheels: Path | None) -> None:
    """Checks leases that have just begun, all at once, and ends those that are short: their minimum is paid. Raises the
    first one's LeaseShort or ProofRejected."""
    from assay.renter.lease.checking import HowToCheck

    how = HowToCheck(wheels=wheels_in(wheels), tell=note)
    found = await asyncio.gather(*(renter.check(one, how) for one in lease_ids), return_exceptions=True)
    faults = list[LeaseShort | ProofRejected]()
    for lease_id, checked in zip(lease_ids, found, strict=True):
        try:
            if isinstance(checked, BaseException):
                raise checked
            judge(checked)
            note(f"lease {lease_id} has what its sheet says")
        except (LeaseShort, ProofRejected) as error:
            faults.append(error)
            note(f"ending lease {lease_id}: {error}")
            await renter.end(lease_id)
            if await renter.refundable(lease_id):
                await renter.refund(lease_id)
        except (RenterError, ChainError) as error:
            note(f"lease {lease_id} could not be checked and keeps running: {error}")
    if faults:
        raise faults[0]
