"""Paths of a market's API: a route's template, and the path that a client asks for."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from assay.protocol.hexadecimal import to_hex
from assay.protocol.types import DeviceId
from assay.wire import paths

OPENAPI = "/v1/openapi.json"

NETWORK, SERIES = "/v1/network", "/v1/network/series"
STREAM = "/v1/stream"
VALIDATORS, PRESENCE = "/v1/validators", "/v1/validators/presence"
EPOCHS, EPOCH, BATCHES = "/v1/epochs", paths.EPOCH, paths.EPOCH + "/batches"
EPOCH_DEVICE, OBSERVATIONS = paths.EPOCH_DEVICE, paths.EPOCH_DEVICE + "/observations"
EPOCH_REWARD = "/v1/epochs/{epoch}/rewards/{address}"
SLASHES, SLASH_PROOF = "/v1/slashes", "/v1/slashes/{transaction}/proof"
DEMANDS = "/v1/demands"
LISTINGS, LISTING, FACETS = "/v1/listings", "/v1/listings/{listing_id}", "/v1/facets"
DEVICE, MEASUREMENTS = paths.DEVICE, paths.DEVICE + "/measurements"
OFFERS, OFFER = "/v1/offers", "/v1/offers/{offer_hash}"
LEASES, LEASE, DOWNTIMES, LEASE_EVENTS = "/v1/leases", paths.LEASE, paths.LEASE + "/downtimes", paths.LEASE + "/events"
ACCOUNT, ACCOUNT_EVENTS = "/v1/accounts/{address}", "/v1/accounts/{address}/events"
CHECKS, DEVICE_CHECKS = "/v1/checks", paths.DEVICE + "/checks"
TRANSACTION = "/v1/transactions/{transaction}"


def listings(query: Iterable[tuple[str, str]]) -> str:
    """A page of what is listed."""
    return f"{LISTINGS}?{urlencode(list(query))}"


def listing(listing_id: bytes) -> str:
    """A device, or devices that are leased together."""
    return LISTING.format(listing_id=to_hex(listing_id))


def offer(offer_hash: bytes) -> str:
    """A signed offer."""
    return OFFER.format(offer_hash=to_hex(offer_hash))


def epoch_device(epoch: int, device_id: DeviceId) -> str:
    """A device's line in a report with its proof."""
    return paths.epoch_device(epoch, device_id)


def checks(device_id: DeviceId) -> str:
    """What renters measured of a device, as they signed it."""
    return DEVICE_CHECKS.format(device_id=to_hex(device_id))
