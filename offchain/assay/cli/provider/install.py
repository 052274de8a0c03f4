"""`assay provider install` and `uninstall`: the provider as a service of its host."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, note, show_rows
from assay.cli.provider.endings import finish
from assay.cli.provider.options import Output, SendingOptions

COLUMNS = {"what": "what", "became": "is", "why": "for"}
DryRun = Annotated[bool, typer.Option("--dry-run", help="print what would be written, and write nothing")]
Root = Annotated[Path, typer.Option("--root", help="folder that stands for /, to make an image of a host")]


@with_options
def install(
    given: SendingOptions,
    ssh_port: Annotated[int | None, typer.Option("--ssh-port")] = None,
    runtime: Annotated[str | None, typer.Option("--runtime", help="container or bubblewrap")] = None,
    root: Root = Path("/"),
    dry_run: DryRun = False,
    output: Output = OutputFormat.table,
) -> None:
    """Write the systemd unit, its settings from the options and ASSAY_ variables given now, folders, and its user.

    Again: changes what differs, keeps the rest. Starts nothing.
    """

    async def work() -> Any:
        import os

        from assay.provider.installation.host import HostFiles
        from assay.provider.installation.plan import installation
        from assay.provider.settings import ProviderSettings
        from assay.settings.base import named

        settings = given.settings(ssh_port=ssh_port, runtime=runtime)
        options = named({**vars(given), "ssh_port": ssh_port, "runtime": runtime})
        chosen = {**ProviderSettings.in_environment(os.environ), **options}
        host = HostFiles(root)
        # Beside this Python, whether or not its folder is on somebody's PATH.
        wanted = installation(settings, chosen, Path(sys.executable).with_name("assay"))
        return wanted if dry_run else host.install(wanted)

    found = finish(work())
    if dry_run:
        for file in found.files:
            sys.stdout.write(f"# {file.path} ({file.mode:o}): {file.why}\n{file.content}\n")
        return
    show_rows("installed", [asdict(one) for one in found], COLUMNS, output)
    note("`assay provider doctor` looks at everything; then: systemctl enable --now assay-provider")


def uninstall(root: Root = Path("/"), output: Output = OutputFormat.table) -> None:
    """Stop the service and take its unit and settings away. Keys and data stay."""

    async def work() -> Any:
        from assay.provider.installation.host import HostFiles

        return HostFiles(root).uninstall()

    show_rows("removed", [asdict(one) for one in finish(work())], {"what": "what", "became": "is"}, output)
    note("keys and data stay where they are: a retired device may still owe answers, and its stake is there until then")
