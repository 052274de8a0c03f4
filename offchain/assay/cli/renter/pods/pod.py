"""`assay pod`: what a lease's pod starts from, and how it stands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Asking, Connection, LeaseId, Output, renter_command
from assay.cli.renter.pods.options import PodOptions
from assay.renter.money.amounts import moment

if TYPE_CHECKING:
    from assay.wire.pods import PodShownBody

commands = typer.Typer(
    help="Show, change or restart the pod of a lease.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
GIB = 1 << 30


@commands.callback()
def group() -> None:
    """Show, change or restart the pod of a lease."""


@renter_command(commands, "set")
async def set_pod(
    lease: LeaseId, connection: Connection, pod: PodOptions, asking: Asking, output: Output = OutputFormat.table
) -> None:
    """Restart a lease's pod from another image or template. Running programs end; only /workspace is kept."""
    from assay.renter.errors import BadInput
    from assay.renter.session.pod_images import choose_and_follow

    if not (pod.image or pod.template):
        raise BadInput("give --image or --template")
    wanted = pod.wanted()
    async with connection.renter() as renter:
        session = await renter.session(lease)
        if (await session.pod()).state == "running":
            asking.confirm(
                f"Programs that run in the pod of lease {lease} will end, and everything outside /workspace is lost. "
                "Continue?"
            )
        await choose_and_follow(session, wanted, note)
        shown = await session.pod()
    show(pod_json(shown) if output is not OutputFormat.table else pod_text(shown), output)


@renter_command(commands, "show")
async def show_pod(lease: LeaseId, connection: Connection, output: Output = OutputFormat.table) -> None:
    """Show a lease's pod: image, state, share of the host, and when it ends."""
    async with connection.renter() as renter:
        shown = await (await renter.session(lease)).pod()
    show(pod_json(shown) if output is not OutputFormat.table else pod_text(shown), output)


@renter_command(commands, "restart")
async def restart(lease: LeaseId, connection: Connection, asking: Asking, output: Output = OutputFormat.table) -> None:
    """Restart a lease's pod. Running programs end; all files are kept."""
    async with connection.renter() as renter:
        session = await renter.session(lease)
        asking.confirm(f"Programs that run in the pod of lease {lease} will end. Continue?")
        shown = await session.restart_pod()
    show(pod_json(shown) if output is not OutputFormat.table else pod_text(shown), output)


@renter_command(commands, "join")
async def join(
    connection: Connection,
    leases: Annotated[list[int], typer.Argument(help="leases; the first becomes node 0", min=1)],
    output: Output = OutputFormat.table,
) -> None:
    """Connect the pods of several leases, with any providers."""
    from assay.cli.renter.several import join_leases

    async with connection.renter() as renter:
        addresses = await join_leases(renter, leases)
    rows = [
        {"rank": rank, "leaseId": number, "address": address}
        for rank, (number, address) in enumerate(zip(leases, addresses, strict=True))
    ]
    show_rows("nodes", rows, {"rank": "rank", "leaseId": "lease", "address": "address"}, output)


@renter_command(commands, "save")
async def save(
    lease: LeaseId,
    connection: Connection,
    into: Annotated[Path, typer.Option("--into", help="file to write: image.tar")],
    output: Output = OutputFormat.table,
) -> None:
    """Keep the root file system of a lease's pod as an image of your own: an OCI archive, which podman, skopeo and
    docker load, and push to a registry. /workspace is not in it: `assay backup` keeps that."""
    from assay.cli.renter.files import moving
    from assay.renter.errors import BadInput
    from assay.renter.session.pod_archive import write_image

    if not into.absolute().parent.is_dir() or into.is_dir():
        raise BadInput(f"--into {into}: name a file in a folder that is there")
    async with connection.renter() as renter:
        session = await renter.session(lease)
        with moving(f"lease {lease} -> {into}", 0) as moved:
            digest, size = await write_image(session.root_archive(), into.absolute(), moved)
    show({"leaseId": lease, "file": str(into), "digest": digest, "bytes": size}, output)
    note(f"podman load -i {into}    skopeo copy oci-archive:{into} docker://REGISTRY/NAME:TAG")


def pod_json(shown: PodShownBody) -> dict[str, Any]:
    """A pod, as its provider tells."""
    return {**shown.to_json()}


def pod_text(shown: PodShownBody) -> dict[str, Any]:
    """A pod for people: without what is empty."""
    from assay.renter.session.pod_images import pull_text

    share, left = shown.share, max(0, shown.ends_at - int(time.time()))
    values: dict[str, Any] = {"lease": shown.lease_id, "state": shown.state, "why": shown.reason or ""}
    values["image"] = shown.image or "the provider's own"
    values["digest"] = shown.digest or ""
    if shown.phase in ("pulling", "unpacking"):
        values["fetching"] = pull_text(shown)
    values["not had"] = shown.failure or ""
    values["notes"] = "; ".join(shown.notes)
    values["start"] = " ".join(shown.start)
    values["ports"] = ", ".join(
        f"{port} (assay ssh {shown.lease_id} -L {port}:localhost:{port})" for port in shown.ports
    )
    if share is not None:
        values["cores"] = share.cores
        values["memory"] = f"{share.memory_bytes / GIB:g} GiB, {share.shm_bytes / GIB:g} GiB of it for /dev/shm"
        values["disk"] = f"{share.disk_bytes / GIB:g} GiB"
        values["network"] = f"{share.bandwidth_bps / 1e6:g} Mbit/s" if share.bandwidth_bps else ""
    values["address"] = f"{shown.address}, for your other pods on its host" if shown.address else ""
    values["started"] = moment(int(shown.started_at)) if shown.started_at else ""
    values["restarts"] = shown.restarts or ""
    if shown.ends_at:
        from assay.cli.renter.texts import duration_text

        values["ends"] = f"{moment(shown.ends_at)}, in {duration_text(left)}" if left else moment(shown.ends_at)
    return {name: value for name, value in values.items() if value != ""}
