"""Options that the renter's commands share, and how those commands end."""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, overload

import typer

from assay.cli.endings import telling
from assay.cli.option_groups import OptionGroup, with_options
from assay.cli.output import OutputFormat, escaped
from assay.protocol.leases import MAX_DEVICES
from assay.renter.errors import BadInput, RenterDeclined, RenterError
from assay.renter.money.amounts import parse_duration
from assay.renter.settings import RenterSettings

if TYPE_CHECKING:
    from assay.renter.market.search import Wanted
    from assay.renter.money.wallet import Minima
    from assay.renter.renter import Renter

T = TypeVar("T")
MAX_CARD_GB = 4096
LeaseId = Annotated[int, typer.Argument(help="number of the lease", min=1)]
DeviceId = Annotated[str, typer.Argument(help="device id, 0x…, or its first digits")]
Duration = Annotated[str, typer.Option("--duration", help="how long the deposit lasts: 90s, 15m, 2h, 1d")]
Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="how to print", envvar="ASSAY_OUTPUT")]


@dataclass(frozen=True)
class Connection(OptionGroup):
    """Where the chain, the market and the wallet are. Each option is an ASSAY_ variable too."""

    context: Annotated[
        str | None,
        typer.Option("--context", help="named set of these options, see `assay context` [env: ASSAY_CONTEXT]"),
    ] = None
    rpc: Annotated[
        list[str] | None, typer.Option("--rpc", help="JSON-RPC address; repeat for more [env: ASSAY_RPC]")
    ] = None
    deployment: Annotated[
        Path | None, typer.Option("--deployment", help="file with addresses and ABIs [env: ASSAY_DEPLOYMENT]")
    ] = None
    market: Annotated[
        str | None, typer.Option("--market", help="address of a market to search [env: ASSAY_MARKET]")
    ] = None
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="encrypted key file of the wallet [env: ASSAY_KEY_FILE]")
    ] = None
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="file with its password [env: ASSAY_PASSWORD_FILE]")
    ] = None
    account: Annotated[
        str | None,
        typer.Option(
            "--account", help="act for this account; with its key elsewhere, use --dry-run [env: ASSAY_ACCOUNT]"
        ),
    ] = None
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir", help="folder of journals and handovers; default ~/.assay/renter [env: ASSAY_DATA_DIR]"
        ),
    ] = None

    def settings(self) -> RenterSettings:
        """Settings from these options, a context, the environment. Raises BadInput."""
        return RenterSettings.load(vars(self))

    def renter(self) -> AbstractAsyncContextManager[Renter]:
        """A renter for the time of a `with` block."""
        # Imported here: web3 costs every `--help` most of a second.
        from assay.renter.renter import Renter

        return Renter.connect(self.settings())


@dataclass(frozen=True)
class Filters(OptionGroup):
    """What a device must be, each of them where an offer has several."""

    gpus: Annotated[
        str | None, typer.Option("--gpus", help="number of devices leased together: 8, or 8+ for at least 8")
    ] = None
    firm: Annotated[bool, typer.Option("--firm", help="only offers that the provider cannot end by giving notice")] = (
        False
    )
    model: Annotated[
        str | None, typer.Option("--model", help="declared model, in any spelling: H100 SXM, RTX_4090")
    ] = None
    region: Annotated[
        str | None, typer.Option("--region", help="declared region, or one that contains it: eu, eu-de")
    ] = None
    near: Annotated[str | None, typer.Option("--near", help="list what is nearest to this region first")] = None
    min_score: Annotated[int, typer.Option("--min-score", help="least measured giga-operations a second", min=0)] = 0
    min_value: Annotated[
        str | None, typer.Option("--min-value", help="least giga-operations a second for one token an hour")
    ] = None
    min_memory: Annotated[
        str | None, typer.Option("--min-memory", help="least memory that the declared card is sold with: 80, or 80GB")
    ] = None
    min_proven_memory: Annotated[
        str | None,
        typer.Option("--min-proven-memory", help="least proven memory, enforced by the escrow: 24GiB, 512MiB"),
    ] = None
    min_expected: Annotated[
        float,
        typer.Option(
            "--min-expected", help="least proven score, in percent of what the declared model should reach", min=0
        ),
    ] = 0
    no_slashed: Annotated[bool, typer.Option("--no-slashed", help="no provider that ever had a device slashed")] = False
    at_least: Annotated[
        list[str] | None,
        typer.Option("--min", help="least value on the data sheet: diskReadMbs=2000, cuda=12.4; repeat for more"),
    ] = None
    at_most: Annotated[
        list[str] | None, typer.Option("--max", help="greatest value on the data sheet; repeat for more")
    ] = None
    min_cpus: Annotated[
        int, typer.Option("--min-cpus", help="least declared cores of the machine, for all devices together", min=0)
    ] = 0
    min_ram: Annotated[
        str | None, typer.Option("--min-ram", help="least declared memory of the machine: 64GiB, or a number of GiB")
    ] = None
    min_disk: Annotated[
        str | None, typer.Option("--min-disk", help="least declared disk of the machine: 500GiB, or a number of GiB")
    ] = None
    min_uptime: Annotated[float, typer.Option("--min-uptime", help="least uptime, in percent", min=0, max=100)] = 0
    max_price: Annotated[
        str | None, typer.Option("--max-price", help="most to pay, in whole tokens an hour for all devices together")
    ] = None
    max_rtt: Annotated[str | None, typer.Option("--max-rtt", help="longest round trip from this machine: 30ms")] = None
    token: Annotated[str | None, typer.Option("--token", help="address of the token that prices are in")] = None
    profile: Annotated[
        int | None, typer.Option("--profile", help="id of the profile that devices were measured under")
    ] = None
    provider: Annotated[str | None, typer.Option("--provider", help="address of the provider")] = None

    def minima(self) -> Minima:
        """What the escrow holds every device of a lease to. Raises BadInput."""
        from assay.renter.money.wallet import Minima

        return Minima(self.min_score, size_mib(self.min_proven_memory, "--min-proven-memory"))

    def wanted(self, duration: str | None, gpus: str | None = None) -> Wanted:
        """As the library takes it; `gpus` where none are asked for, None for however many. Raises BadInput."""
        from assay.protocol.hexadecimal import parse_address
        from assay.protocol.specification import DeclaredHost
        from assay.renter.market.search import Wanted

        least, most = gpu_counts(self.gpus or gpus)
        return Wanted(
            min_gpus=least,
            max_gpus=most,
            firm=self.firm,
            model=self.model,
            region=self.region,
            near=self.near,
            min_score=self.min_score,
            min_value=number(self.min_value, "--min-value"),
            min_memory_mib=size_mib(self.min_proven_memory, "--min-proven-memory"),
            min_memory_gb=memory_gb(self.min_memory) if self.min_memory else 0,
            min_of_expected_bps=round(self.min_expected * 100),
            no_slashed=self.no_slashed,
            at_least=sheet_bounds(self.at_least, "--min"),
            at_most=sheet_bounds(self.at_most, "--max"),
            min_host=DeclaredHost(
                self.min_cpus, size_mib(self.min_ram, "--min-ram"), size_mib(self.min_disk, "--min-disk")
            ),
            min_uptime_bps=round(self.min_uptime * 100),
            max_price=number(self.max_price, "--max-price"),
            max_rtt_ms=milliseconds(self.max_rtt) if self.max_rtt else None,
            token=parse_address(self.token, "--token") if self.token else None,
            profile=self.profile,
            provider=parse_address(self.provider, "--provider") if self.provider else None,
            duration=parse_duration(duration) if duration else None,
        )


Here = Annotated[
    str | None,
    typer.Option("--here", help="region you are in, such as eu-de: marks offers too near to be where they declare"),
]


def place_named(here: str | None) -> str:
    """What --here names; empty where it is not given. Raises BadInput for no place that is known."""
    from assay.sheet.places import place_of

    if here and place_of(here) is None:
        raise BadInput(f"--here {here[:40]!r}: no known place; expected such as eu-de, us-east or jp")
    return here or ""


@dataclass(frozen=True)
class Asking(OptionGroup):
    """Whether to ask before money moves, and whether it moves at all."""

    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask for confirmation")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the transactions, send nothing")] = False

    def confirm(self, question: str) -> None:
        """Asks on the terminal unless told not to. Raises Declined for a no, or where nobody can be asked."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise RenterDeclined(f"{question} There is no terminal to ask on: pass --yes")
        sys.stderr.write(f"{escaped(question)} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise RenterDeclined("not confirmed; nothing was sent")


def renter_command(commands: typer.Typer, name: str, **context: Any) -> Callable[[Callable[..., Any]], Any]:
    """Registers a function, plain or async, as a command: its option groups are opened, and what goes wrong becomes one
    line on standard error and the error's own exit status."""

    def register(function: Callable[..., Any]) -> Any:
        opened = with_options(function)

        def command(**given: Any) -> None:
            finish(lambda: opened(**given))

        command.__signature__ = inspect.signature(opened)  # type: ignore[attr-defined]
        command.__annotations__, command.__doc__ = opened.__annotations__, opened.__doc__
        commands.command(name=name, context_settings=context)(command)
        return function

    return register


@overload
def finish(work: Callable[[], Coroutine[Any, Any, T]]) -> T: ...
@overload
def finish(work: Callable[[], T]) -> T: ...
def finish(work: Callable[[], Any]) -> Any:
    """Does it, on a loop where it is async. Ends the command where something goes wrong."""
    with telling(RenterError):
        result = work()
        return asyncio.run(result) if inspect.iscoroutine(result) else result


def number(text: str | None, option: str) -> Decimal | None:
    """A number above zero, None for none given. Raises BadInput."""
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0:
        raise BadInput(f"{option} {text!r}: must be a number above zero")
    return value


def sheet_bounds(texts: list[str] | None, option: str) -> tuple[tuple[str, int], ...]:
    """Names of a sheet with their bounds. Raises BadInput."""
    from assay.sheet.fields import bound_of

    try:
        found = [bound_of(text, "=") for text in texts or ()]
    except ValueError as error:
        raise BadInput(f"{option} {error}") from None
    return tuple((field.name, bound) for field, bound in found)


def memory_gb(text: str) -> int:
    """GB of `80`, `80GB` or `80 GiB`: people mean one and the same card. Raises BadInput."""
    match = re.fullmatch(r"([0-9]{1,4})\s*(gb|gib|g|)", text.lower())
    if match is None or int(match[1]) > MAX_CARD_GB:
        raise BadInput(f"--min-memory {text!r}: expected a number of GB up to {MAX_CARD_GB}, such as 80 or 80GB")
    return int(match[1])


def size_mib(text: str | None, option: str) -> int:
    """MiB of `64`, `64GiB`, `512MiB` or `2TiB`; none for None. Raises BadInput."""
    if text is None:
        return 0
    match = re.fullmatch(r"([0-9]{1,9})\s*(tib|gib|mib|)", text.lower())
    if match is None:
        raise BadInput(f"{option} {text!r}: expected such as 64GiB, or a number of GiB")
    return int(match[1]) * {"tib": 1 << 20, "mib": 1}.get(match[2], 1 << 10)


def gpu_counts(text: str | None) -> tuple[int, int | None]:
    """(least, most) of `8` or `8+`; any number for None. Raises BadInput."""
    if text is None:
        return 1, None
    match = re.fullmatch(r"([1-9][0-9]?)(\+?)", text)
    if match is None or int(match[1]) > MAX_DEVICES:
        raise BadInput(f"--gpus {text!r}: expected 1 to {MAX_DEVICES}, or such as 4+ for at least as many")
    return int(match[1]), None if match[2] else int(match[1])


def milliseconds(text: str) -> float:
    """Of `30ms`, `0.2s` or a plain number of milliseconds. Raises BadInput."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s|)", text)
    if match is None:
        raise BadInput(f"--max-rtt {text!r}: expected such as 30ms or 0.2s")
    return float(match[1]) * (1000 if match[2] == "s" else 1)
