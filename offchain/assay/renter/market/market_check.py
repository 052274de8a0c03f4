"""Whether what a market says of an offer holds against the chain: a pure check of a row and what is shown for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from assay.chain.contracts.devices import Device
from assay.protocol.hexadecimal import HexadecimalError, to_hex
from assay.protocol.messages import Offer
from assay.protocol.signing import Domain
from assay.protocol.specification import Specification, host_of_all, parse_specification
from assay.protocol.typed_message import camel_case
from assay.protocol.types import DeviceId, Root
from assay.renter.market.listing import Evidence, common, declared_columns
from assay.renter.market.market_client import MarketEvidence, MarketRow, Shown
from assay.sheet.fields import BY_NAME, DECLARED
from assay.sheet.model_names import named_model
from assay.wire.leases import OfferError, SignedOffer, parse_signed_offer
from assay.wire.lines import Measured, ReportLineError, leaf_of_values, proven

OFFER_FIELDS = tuple(camel_case(field.name) for field in fields(Offer))


class MarketContradicted(ValueError):
    """The chain, a signature or a proof says something else than the market."""


@dataclass(frozen=True)
class ChainFacts:
    """What the chain holds at one block: the registry's devices in the row's order, and the report's root."""

    devices: tuple[Device, ...]
    devices_root: Root


def signed_offer(row: MarketRow, shown: MarketEvidence, domain: Domain) -> SignedOffer:
    """The offer that a market shows, signed by whom it names and on the row's terms. Raises MarketContradicted."""
    offered = {name: shown.offer.get(name) for name in (*OFFER_FIELDS, "signature")}
    try:
        signed = parse_signed_offer(offered, domain)
    except OfferError as error:
        raise MarketContradicted(str(error)) from None
    offer = signed.offer
    said = (
        row.offer_hash, row.device_ids, row.provider, row.token, row.rate, row.min_duration, row.max_duration,
        row.valid_until, row.notice,
    )  # fmt: skip
    terms = (
        offer.struct_hash(), offer.device_ids, offer.provider, offer.token, offer.rate, offer.min_duration,
        offer.max_duration, offer.valid_until, offer.notice,
    )  # fmt: skip
    if terms != said:
        raise MarketContradicted(f"{offer.signer} signed other terms than the market says")
    return signed


def checked(row: MarketRow, shown: MarketEvidence, facts: ChainFacts, domain: Domain) -> Evidence:
    """What proves the row; whether the escrow takes the offer now is `offer_checks`'. Raises MarketContradicted saying
    what does not hold."""
    signed = signed_offer(row, shown, domain)
    measured = tuple(
        _measured(row, device.device_id, part, facts.devices_root)
        for device, part in zip(facts.devices, shown.devices, strict=True)
    )
    min_score = min(line.leaf.score_gops for line in measured)
    min_memory = min(line.leaf.memory_mib for line in measured)
    # A profile may measure no memory; then a market shows what the specifications declare, which is checked below.
    memory = min_memory or row.memory_mib
    profile = common((line.leaf.profile for line in measured), 0)
    if (profile, min_score, memory) != (row.profile, row.score_gops, row.memory_mib):
        raise MarketContradicted(
            f"the report measured {min_score} gops and {min_memory} MiB by profile {profile} in epoch {row.epoch}, "
            f"the market says {row.score_gops} gops and {row.memory_mib} MiB by profile {row.profile}"
        )
    _check_declared(row, shown.devices, facts.devices, min_memory)
    return Evidence(facts.devices, measured, signed)


def _measured(row: MarketRow, device_id: DeviceId, shown: Shown, root: Root) -> Measured:
    try:
        measured = proven(leaf_of_values(shown.leaf), shown.proof, root)
    except (ReportLineError, HexadecimalError, TypeError, ValueError) as error:
        raise MarketContradicted(f"the measurement is not in the report of epoch {row.epoch}: {error}") from None
    leaf = measured.leaf
    if (leaf.device_id, leaf.epoch) != (device_id, row.epoch):
        raise MarketContradicted(
            f"the line shown is of device {to_hex(leaf.device_id)} in epoch {leaf.epoch}, "
            f"not of {to_hex(device_id)} in epoch {row.epoch}"
        )
    if not measured.passed:
        raise MarketContradicted(f"device {to_hex(device_id)} did not pass in epoch {row.epoch}: flags {leaf.flags}")
    return measured


def _check_declared(row: MarketRow, shown: tuple[Shown, ...], devices: tuple[Device, ...], measured_mib: int) -> None:
    declared = [_specification(part.specification) for part in shown]
    for specification, device in zip(declared, devices, strict=True):
        if specification is not None and specification.spec_hash != device.spec_hash:
            raise MarketContradicted("the specification is not the one that the device key signed")
    model = common((one.model if one else "" for one in declared), "")
    region = common((one.region if one else "" for one in declared), "")
    memory = min(one.memory_mib if one else 0 for one in declared)
    if row.memory_mib not in (measured_mib, memory):
        raise MarketContradicted(f"{row.memory_mib} MiB are said, {memory} MiB declared")
    columns = {"model_name": named_model(row.model, memory).name, **declared_columns(declared)}
    for name in DECLARED:
        column, said = BY_NAME[name].column, row.sheet.get(name)
        if said is not None and column in columns and said.value != BY_NAME[name].shown(columns[column]):
            raise MarketContradicted(f"{said.value} is said of {name}, the specifications declare {columns[column]}")
    if row.declared_mib not in (0, memory):
        raise MarketContradicted(f"{row.declared_mib} MiB are said to be declared, {memory} MiB are")
    host = host_of_all(one.host if one else None for one in declared)
    if host != row.host:
        raise MarketContradicted(f"{row.host} of the host is said, the specifications declare {host}")
    if (model, region) != (row.model, row.region):
        raise MarketContradicted(
            f"{row.model!r} in {row.region!r} is said, the specifications declare {model!r} in {region!r}"
        )


def _specification(document: str | None) -> Specification | None:
    if document is None:
        return None
    try:
        return parse_specification(json.loads(document))
    except (ValueError, RecursionError) as error:
        raise MarketContradicted(f"the specification is malformed: {error}") from None
