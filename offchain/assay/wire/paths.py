"""Paths of the validator's and the provider's interface: a route's template, and the path that a client asks for."""

from __future__ import annotations

from urllib.parse import quote

from assay.protocol.hexadecimal import to_hex
from assay.protocol.types import DeviceId

JSON = "application/json"
BYTES = "application/octet-stream"
EVENTS = "text/event-stream"
PROMETHEUS = "text/plain; version=0.0.4"

API = "/v1/"  # what programs ask begins with it

# Of every daemon.
LIVEZ, READYZ, METRICS, STATUS = "/livez", "/readyz", "/metrics", "/v1/status"

# Validators, between themselves.
INSTANTS = "/v1/instants"
INVENTORIES = "/v1/inventories"
OBSERVATIONS = "/v1/observations"
SEAL_PROPOSALS = "/v1/seal-proposals"
REPORT_PROPOSALS = "/v1/report-proposals"
MESSAGES = frozenset({INSTANTS, INVENTORIES, OBSERVATIONS, SEAL_PROPOSALS, REPORT_PROPOSALS})
LONG_MESSAGES = MESSAGES - {INSTANTS}

# Validators, to anybody.
CONTENT = "/v1/content/{digest}"
EPOCH = "/v1/epochs/{epoch}"
EPOCH_OPENING = "/v1/epochs/{epoch}/openings/{device_id}"
EPOCH_DEVICE = "/v1/epochs/{epoch}/devices/{device_id}"
EPOCH_REWARD = "/v1/epochs/{epoch}/rewards/{account}"

# Validators, to providers.
REACHABILITY = "/v1/reachability"

# Providers, to validators and whoever checks them.
CHALLENGES = "/v1/challenges"
PROBES = "/v1/probes"
LANES = "/v1/lanes"
OPENINGS = "/v1/openings"
LIVE = "/v1/devices/{device_id}/live"

# Providers, to renters.
OFFERS = "/v1/offers"
QUOTES = "/v1/quotes"
DEVICE = "/v1/devices/{device_id}"
TEMPLATES = "/v1/templates"
LEASE = "/v1/leases/{lease_id}"
HANDOVER, HANDOVER_OPENING, START = "/handover", "/handover/opening", "/start"  # under a lease
JOBS, JOB, JOB_OUTPUT = "/jobs", "/jobs/{job_id}", "/jobs/{job_id}/output"
FILES, BUNDLE = "/files", "/bundle"
POD, POD_RESTART, POD_IMAGE = "/pod", "/pod/restart", "/pod/image"
USE, CLUSTER = "/use", "/cluster"
ENDPOINTS, ENDPOINT, NAME = "/endpoints", "/endpoints/{protocol}/{public_port}", "/endpoints/https/{name}"
BACKUP, SNAPSHOTS, RESTORE = "/backup", "/backup/snapshots", "/restore"
NOTEBOOK, SSH_KEYS, LOGIN = "/notebook", "/ssh-keys", "/login"
LOGIN_NONCE, LOGOUT = "/v1/login/nonce", "/v1/logout"


def content(digest: bytes) -> str:
    """The body with this H."""
    return CONTENT.format(digest=to_hex(digest))


def epoch(number: int) -> str:
    """The index of an epoch."""
    return EPOCH.format(epoch=number)


def epoch_opening(number: int, device_id: DeviceId) -> str:
    """The opening of a device that verified at a validator."""
    return EPOCH_OPENING.format(epoch=number, device_id=to_hex(device_id))


def epoch_device(number: int, device_id: DeviceId) -> str:
    """A device's line in a report with its proof."""
    return EPOCH_DEVICE.format(epoch=number, device_id=to_hex(device_id))


def epoch_reward(number: int, account: str) -> str:
    """An account's line in a reward tree with its proof."""
    return EPOCH_REWARD.format(epoch=number, account=account)


def live(device_id: DeviceId, nonce: bytes) -> str:
    """A device's sign of life over a nonce."""
    return f"{LIVE.format(device_id=to_hex(device_id))}?nonce={to_hex(nonce)}"


def lease(lease_id: int, under: str = "") -> str:
    """A lease at its provider, or what is under it."""
    return LEASE.format(lease_id=lease_id) + under


def endpoint(protocol: str, public_port: int) -> str:
    """One endpoint under its lease."""
    return ENDPOINT.format(protocol=protocol, public_port=public_port)


def named_endpoint(name: str) -> str:
    """An endpoint with HTTPS under its lease."""
    return NAME.format(name=quote(name, safe=""))


def job(job_id: str) -> str:
    """A job under its lease; the id as somebody wrote it."""
    return JOB.format(job_id=quote(job_id, safe=""))


def job_output(job_id: str) -> str:
    """A job's output under its lease."""
    return JOB_OUTPUT.format(job_id=quote(job_id, safe=""))
