"""`assay provider enrol` and `add-host`: cards into the registry, and further machines under one account."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.provider.endings import finish
from assay.cli.provider.operators import ALL, appointment
from assay.cli.provider.options import Output, SendingOptions
from assay.cli.renter.options import Asking
from assay.cli.renter.texts import host_text
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.specification import DeclaredHost
from assay.provider.errors import BadProviderSetting

if TYPE_CHECKING:
    from assay.chain.rpc.client import Chain
    from assay.provider.account.authority import Authority
    from assay.provider.devices.batch_enrolment import Consent
    from assay.provider.devices.enrolment import Announcement
    from assay.provider.devices.inventory import Accelerator
    from assay.provider.devices.specifications import Specifications
    from assay.provider.settings import ProviderSettings


@dataclass(frozen=True)
class _HostTold:
    """What the operator tells of a host. Network in Mbit a second."""

    region: str
    network_up: int
    network_down: int
    disk_test: bool


HOST_SCOPES = "offer,start,end,claim"


@with_options
def enrol(
    given: SendingOptions,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="where others reach this provider, http(s)://…")
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", help="the class: its number on the chain, or its name as `self-test` says it")
    ] = "1",
    tls_fingerprint: Annotated[
        str | None, typer.Option("--tls-fingerprint", help="H of the certificate's DER form, 0x…")
    ] = None,
    device_key: Annotated[
        Path | None, typer.Option("--device-key", help="device's key file; made where there is none")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option("--gpu", help="number (0, or 0:1 for a MIG slice) or uuid; default the first, or the processor"),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every card of this host, each with a key of its own")] = False,
    region: Annotated[str, typer.Option("--region", help="where the device stands, such as eu-west")] = "",
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime", help="what will run workloads: only with container a device carries a part of the host"
        ),
    ] = None,
    network_up: Annotated[
        int, typer.Option("--network-up", help="Mbit a second from this host, declared in the sheet", min=0)
    ] = 0,
    network_down: Annotated[
        int, typer.Option("--network-down", help="Mbit a second to this host, declared in the sheet", min=0)
    ] = 0,
    disk_test: Annotated[
        bool, typer.Option("--disk-test/--no-disk-test", help="measure the disk for the sheet, in two seconds")
    ] = True,
    write_consents: Annotated[
        Path | None,
        typer.Option("--write-consents", help="write what the device keys sign, for the provider's key elsewhere"),
    ] = None,
    consents: Annotated[
        Path | None, typer.Option("--consents", help="enrol what a host has written with --write-consents")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the transactions, send nothing: for an account kept offline")
    ] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Stake for devices, make their keys, and enter them in the registry, all at once.

    Again: only what is left, and another endpoint where it has changed, which an operator may announce.
    """

    async def work() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        from assay.cli.renter.rows import planned_json
        from assay.provider.connection import sending
        from assay.provider.devices import batch_enrolment
        from assay.provider.devices.specifications import Specifications
        from assay.provider.reading import reading
        from assay.renter.lease.planned import planned_call

        settings = given.settings(runtime=runtime)
        _check(endpoint, consents, write_consents, every, gpu, device_key)
        kept = Specifications(settings.data_dir)
        async with reading(settings) as looking:
            chain, provider = looking.chain, looking.provider
            if consents is not None:
                made = batch_enrolment.read_consents(consents, chain.chain_id, provider)
                cards: list[tuple[str, str]] = [("", str(one.specification.get("model", ""))) for one in made]
            else:
                where = _announcement(settings, endpoint or "", tls_fingerprint)
                declared = _HostTold(region, network_up, network_down, disk_test)
                number = await _profile_number(chain, profile)
                made, cards = await _consents(looking, settings, kept, number, where, declared, every, gpu, device_key)
            if write_consents is not None:
                new = await batch_enrolment.not_enrolled(chain, provider, made)
                ids = [_device_id(provider, one) for one in new]
                batch_enrolment.keep_specifications(provider, new, ids, kept)
                batch_enrolment.write_consents(write_consents, chain.chain_id, provider, new)
                return [], {"provider": provider, "consents": len(new), "file": str(write_consents)}
            batch = await batch_enrolment.enrolment_batch(chain, provider, made)
            if consents is None:
                batch_enrolment.keep_specifications(provider, made, batch.enrolled, kept)
            if dry_run:
                return planned_json(planned_call(chain, call) for call in batch.calls), {}
        done = []
        if batch.calls:
            async with sending(settings) as at_hand:
                done = await batch_enrolment.send_batch(at_hand, batch, note)
        else:
            note("enrolled and announced there already: nothing was sent; --all enrols every card, --gpu N another one")
        rows = [
            {
                "deviceId": to_hex(_device_id(provider, one)),
                "deviceKey": one.device_key,
                "keyFile": file,
                "profile": one.profile,
                "model": model,
                "host": host_text(DeclaredHost.parse(one.specification.get("host"))),
            }
            for one, (file, model) in zip(made, cards, strict=True)
        ]
        sent = [{"name": name, "gas": gas} for name, gas in done]
        told = {"provider": provider, "endpoint": made[0].announcement.endpoint if made else endpoint}
        if len(rows) == 1:
            return [], {**rows[0], **told, "region": region, "transactions": sent}
        return [], {**told, "devices": rows, "transactions": sent}

    planned, values = finish(work())
    if dry_run and write_consents is None:
        from assay.cli.renter.rows import PLAN_COLUMNS

        return show_rows("transactions", planned, PLAN_COLUMNS, output)
    show(values, output)
    if write_consents is not None:
        note(f"where the provider's key is: assay provider enrol --consents {write_consents.name} --key-file …")


@with_options
def add_host(
    given: SendingOptions,
    asking: Asking,
    operator: Annotated[str, typer.Argument(help="address of the host's own key, made there by `assay provider init`")],
    scopes: Annotated[str, typer.Option("--scopes", help=f"some of {ALL}")] = HOST_SCOPES,
    until: Annotated[str, typer.Option("--until", help="a duration from now, 90d, or a day, 2030-12-31")] = "90d",
    output: Output = OutputFormat.table,
) -> None:
    """Let a key of another machine run this provider's devices there, and say what to do on it."""
    provider = appointment(given, asking, output, operator, scopes, until)
    for line in _next_steps(provider):
        note(line)


def _next_steps(provider: str) -> list[str]:
    """What is done on the new machine, in order."""
    return [
        "on the new machine, with its own DATA folder (no key of this account is needed there):",
        f"  assay provider enrol --all --provider {provider} --endpoint https://ITS-ADDRESS:8700 \\",
        "    --key-file DATA/provider.json --data-dir DATA --write-consents consents.json",
        "here, with consents.json copied from it:",
        "  assay provider enrol --consents consents.json",
        "on the new machine again, with some coin for gas on its key:",
        f"  assay provider doctor --provider {provider} --key-file DATA/provider.json --data-dir DATA",
        f"  assay provider run --provider {provider} --key-file DATA/provider.json --data-dir DATA --host 0.0.0.0",
    ]


def _check(
    endpoint: str | None, consents: Path | None, write: Path | None, every: bool, gpu: str | None, key: Path | None
) -> None:
    """Raises BadSetting for options that contradict each other."""
    if (endpoint is None) == (consents is None):
        raise BadProviderSetting(
            "--endpoint says where the devices are reached, or --consents FILE, in which it stands"
        )
    if consents is not None and (every or gpu or key or write):
        raise BadProviderSetting("--consents FILE names the devices: without --all, --gpu, --device-key")
    if every and (gpu is not None or key is not None):
        raise BadProviderSetting("--all takes every card, each with its own key: without --gpu and --device-key")


async def _profile_number(chain: Chain, told: str) -> int:
    from assay.chain.contracts.profiles import read_profiles
    from assay.provider.measurement.classes import class_number

    return int(told) if told.isdecimal() else class_number(told, await read_profiles(chain))


def _announcement(settings: ProviderSettings, endpoint: str, tls_fingerprint: str | None) -> Announcement:
    from assay.chain.certificate import fingerprint_in
    from assay.provider.devices.enrolment import Announcement

    given = parse_bytes32(tls_fingerprint, "--tls-fingerprint") if tls_fingerprint else None
    return Announcement(endpoint, given or fingerprint_in(settings.data_dir / "tls") or bytes(32))


async def _consents(
    looking: Authority,
    settings: ProviderSettings,
    kept: Specifications,
    profile: int,
    where: Announcement,
    told_of_host: _HostTold,
    every: bool,
    gpu: str | None,
    device_key: Path | None,
) -> tuple[list[Consent], list[tuple[str, str]]]:
    """The consents of the cards meant, their keys made where there are none; (key file, model) of each."""
    from assay.chain.key_files import password
    from assay.protocol.encoding import device_id as device_id_of
    from assay.provider.devices.batch_enrolment import consent_of
    from assay.provider.devices.device_keys import open_or_create
    from assay.provider.devices.host_parts import new_part, standing_parts
    from assay.provider.devices.host_sheet import host_sheet
    from assay.provider.devices.inventory import accelerator_named, read_inventory
    from assay.provider.devices.specifications import checked_region

    checked = checked_region(told_of_host.region)
    found = read_inventory()
    if every:
        for bad in found.faults:
            note(f"not enrolled: {bad}")
        cards: list[Accelerator] = list(found.accelerators)
    else:
        cards = [accelerator_named(gpu)]
    secret = password(settings.password_file)
    standing = await standing_parts(looking.chain, kept)
    made, told = [], []
    paths = [device_key or settings.devices_dir / f"{card.key_name}.json" for card in cards]
    keys = [open_or_create(path, secret, looking.chain.chain_id) for path in paths]
    own = [device_id_of(looking.provider, key.address) for key in keys]
    fresh = bool(set(own) - set(standing))
    for device_id in own:
        if device_id not in standing:
            coming = len(set(own) - set(standing))
            standing[device_id] = new_part(settings, len(found.accelerators), coming, standing.values())
    sheet = await asyncio.to_thread(
        host_sheet,
        settings.data_dir,
        len(found.accelerators) if found.has_gpu else 0,
        told_of_host.network_up,
        told_of_host.network_down,
        # A specification is for life, and only pods get a disk.
        told_of_host.disk_test and fresh and settings.runtime == "container",
    )
    for card, path, key, device_id in zip(cards, paths, keys, own, strict=True):
        specification = card.specification(checked, standing[device_id], sheet)
        made.append(await consent_of(looking.chain, looking.provider, key, profile, where, specification))
        told.append((str(path), card.model))
    return made, told


def _device_id(provider: str, consent: Consent) -> bytes:
    from assay.protocol.encoding import device_id

    return device_id(provider, consent.device_key)
