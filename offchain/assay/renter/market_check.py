"""Whether what a market says of a device holds against the chain: a pure check of a row and what is shown for it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from assay.chain.devices import Device, DeviceStatus
from assay.protocol.hexadecimal import HexadecimalError
from assay.protocol.report_lines import Measured, ReportLineError, leaf_of_values, proven
from assay.protocol.signed_offers import OfferError, parse_signed_offer
from assay.protocol.signing import Domain
from assay.protocol.specification import Specification, parse_specification
from assay.renter.listing import Evidence
from assay.renter.market_client import MarketEvidence, MarketRow
from assay.renter.offers import SignedOffer

OFFER_FIELDS = (
    "provider", "deviceId", "token", "rate", "minDuration", "maxDuration", "validUntil", "nonce", "renter",
)  # fmt: skip


class MarketContradicted(ValueError):
    """The chain, a signature or a proof says something else than the market."""


@dataclass(frozen=True)
class ChainFacts:
    """What the chain holds at one block: the registry's device, the report's root, the escrow's floor and lease."""

    device: Device
    devices_root: bytes
    nonce_floor: int
    active_lease: int


def checked(row: MarketRow, shown: MarketEvidence, facts: ChainFacts, domain: Domain) -> Evidence:
    """What proves the row. Raises MarketContradicted saying what does not hold."""
    if facts.device.status is not DeviceStatus.ACTIVE:
        raise MarketContradicted(f"the registry has the device as {facts.device.status.name.lower()}")
    if facts.active_lease:
        raise MarketContradicted(f"the device is leased: lease {facts.active_lease} is active")
    if row.provider != facts.device.provider:
        raise MarketContradicted(f"the device is {facts.device.provider}'s, not {row.provider}'s")
    measured = _measured(row, shown, facts.devices_root)
    signed = _signed(row, shown, facts, domain)
    _check_declared(row, shown, facts.device.spec_hash, measured.leaf.memory_mib)
    return Evidence(facts.device, measured, signed)


def _measured(row: MarketRow, shown: MarketEvidence, root: bytes) -> Measured:
    try:
        measured = proven(leaf_of_values(shown.leaf), shown.proof, root)
    except (ReportLineError, HexadecimalError, TypeError, ValueError) as error:
        raise MarketContradicted(f"the measurement is not in the report of epoch {row.epoch}: {error}") from None
    leaf = measured.leaf
    # A profile may measure no memory; then a market shows what the specification declares, which is checked below.
    memory = leaf.memory_mib or row.memory_mib
    said = (row.device_id, row.epoch, row.profile, row.score_gops, row.memory_mib)
    if (leaf.device_id, leaf.epoch, leaf.profile, leaf.score_gops, memory) != said:
        raise MarketContradicted(
            f"the report measured {leaf.score_gops} gops and {leaf.memory_mib} MiB in epoch {leaf.epoch}, "
            f"the market says {row.score_gops} gops and {row.memory_mib} MiB in epoch {row.epoch}"
        )
    if not measured.passed:
        raise MarketContradicted(f"the device did not pass in epoch {row.epoch}: flags {leaf.flags}")
    return measured


def _signed(row: MarketRow, shown: MarketEvidence, facts: ChainFacts, domain: Domain) -> SignedOffer:
    fields = {name: shown.offer.get(name) for name in (*OFFER_FIELDS, "signature")}
    try:
        signed = SignedOffer(*parse_signed_offer(fields, domain))
    except OfferError as error:
        raise MarketContradicted(str(error)) from None
    offer = signed.offer
    said = (row.device_id, row.provider, row.token, row.rate, row.min_duration, row.max_duration, row.valid_until)
    signed_terms = (
        offer.device_id, offer.provider, offer.token, offer.rate, offer.min_duration, offer.max_duration,
        offer.valid_until,
    )  # fmt: skip
    if signed_terms != said:
        raise MarketContradicted("the provider signed other terms than the market says")
    if offer.nonce < facts.nonce_floor:
        raise MarketContradicted(f"the offer was cancelled: its nonce {offer.nonce} is below {facts.nonce_floor}")
    return signed


def _check_declared(row: MarketRow, shown: MarketEvidence, spec_hash: bytes, measured_mib: int) -> None:
    specification = _specification(shown.specification)
    if specification is None:
        if row.model or row.region or row.memory_mib != measured_mib:
            raise MarketContradicted("a model, memory or region is said, and no specification shown for it")
        return
    if row.memory_mib not in (measured_mib, specification.memory_mib):
        raise MarketContradicted(f"{row.memory_mib} MiB are said, {specification.memory_mib} MiB declared")
    if specification.spec_hash != spec_hash:
        raise MarketContradicted("the specification is not the one that the device key signed")
    if (specification.model, specification.region) != (row.model, row.region):
        raise MarketContradicted("the specification declares another model or region than the market says")


def _specification(document: str | None) -> Specification | None:
    if document is None:
        return None
    try:
        return parse_specification(json.loads(document))
    except (ValueError, RecursionError) as error:
        raise MarketContradicted(f"the specification is malformed: {error}") from None
