"""`assay check`: a lease measured from inside, beside its sheet."""

from __future__ import annotations

import typer

from assay.cli.output import OutputFormat, note, show_rows
from assay.cli.renter.options import Connection, LeaseId, Output, renter_command
from assay.renter.errors import LeaseShort

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
CHECK_COLUMNS = {
    "what": "what", "sheet": "sheet", "measured": "measured", "unit": "unit", "whose": "sheet by", "result": "result",
}  # fmt: skip


@renter_command(commands, "check")
async def check(lease: LeaseId, connection: Connection, output: Output = OutputFormat.table) -> None:
    """Measure a lease from inside and say what is short of its data sheet; ends with 4 where something is.

    A provider that has root on the machine can make these figures up: they find what is careless, not what is forged.
    """
    from assay.renter.session.pod_check import measure_pod
    from assay.sheet.fields import BY_NAME
    from assay.sheet.shortfall import compared

    async with connection.renter() as renter:
        found = await measure_pod(await renter.session(lease))
        lines = compared(await renter.declared_sheet(lease), found)
    rows = [
        {
            "name": line.name,
            "what": BY_NAME[line.name].help,
            "sheet": line.sheet,
            "measured": "" if line.measured is None else line.measured,
            "unit": line.unit if line.unit != "text" else "",
            "whose": line.whose,
            "result": "short" if line.short else "not measured" if line.measured is None else "ok",
        }
        for line in lines
    ]
    show_rows("check", rows, CHECK_COLUMNS, output)
    if not lines:
        note(f"lease {lease}: its devices declare nothing that can be measured from inside")
    if short := [line.name for line in lines if line.short]:
        raise LeaseShort(f"lease {lease} is short of its sheet in {', '.join(short)}")
