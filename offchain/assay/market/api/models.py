"""Forms of the answers: camelCase, bytes as 0x-hex, amounts as decimal text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, computed_field, create_model
from pydantic.alias_generators import to_camel
from sqlalchemy import Boolean, LargeBinary, String, Table

from assay.market.api import names
from assay.market.store import tables
from assay.market.store.types import Amount, DeviceIds, to_json
from assay.sheet.fields import sheet_of_row
from assay.sheet.values import Sheet

T = TypeVar("T")


class ApiModel(BaseModel):
    """Base of the answers."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True)


class _NamedLease(ApiModel):
    status: int

    @computed_field
    def status_name(self) -> str:
        return names.LEASE_STATUSES.get(self.status, names.UNKNOWN)


class _NamedDevice(ApiModel):
    status: int

    @computed_field
    def status_name(self) -> str:
        return names.DEVICE_STATUSES.get(self.status, names.UNKNOWN)


class _NamedDemand(ApiModel):
    status: int

    @computed_field
    def status_name(self) -> str:
        return names.DEMANDS.get(self.status, names.UNKNOWN)


class _NamedEpoch(ApiModel):
    phase: int

    @computed_field
    def phase_name(self) -> str:
        return names.PHASES.get(self.phase, names.UNKNOWN)


class _NamedFault(ApiModel):
    kind: int
    slash_status: int

    @computed_field
    def kind_name(self) -> str:
        return names.FAULTS.get(self.kind, names.UNKNOWN)

    @computed_field
    def slash_status_name(self) -> str:
        return names.SLASHES.get(self.slash_status, names.UNKNOWN)


def row_model(name: str, table: Table, base: type[ApiModel] = ApiModel, **extra: Any) -> type[ApiModel]:
    """The form of a table's rows, with more fields behind, and those that `base` works out of them."""
    fields: dict[str, Any] = {}
    for column in table.columns:
        kind = _plain_kind(column.type)
        fields[column.name] = (kind | None if column.nullable else kind, ...)
    return create_model(name, __base__=base, **fields, **extra)


def _plain_kind(kind: Any) -> Any:
    if isinstance(kind, Boolean):
        return bool
    if isinstance(kind, DeviceIds):
        return list[str]
    if isinstance(kind, (Amount, LargeBinary, String)):
        return str
    return int


def plain(value: Any, model: type[BaseModel] | None = None) -> Any:
    """A row, or a list or mapping of them, as JSON values; amounts as text wherever the model says so."""
    if isinstance(value, dict):
        kinds = {n: f.annotation for n, f in model.model_fields.items()} if model else {}
        return {name: _field(kinds.get(name), part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part, model) for part in value]
    return to_json(value)


def _field(kind: Any, value: Any) -> Any:
    if isinstance(value, (dict, list, tuple)):
        return plain(value)
    if isinstance(value, int) and not isinstance(value, bool) and kind in (str, str | None):
        return str(value)
    return to_json(value)


def entries(sheet: Sheet) -> Any:
    """A sheet as answers have it."""
    return {name: value.to_json() for name, value in sheet.items()}


def with_sheet(row: Mapping[str, Any] | None) -> Any:
    """A listing with its sheet, or None."""
    return row and plain({**row, "sheet": entries(sheet_of_row(row))}, Listing)


class At(ApiModel):
    """Where the index stood when it answered; times in seconds. `stale`: no block has become final for so long that
    the answer may not hold any more.
    """

    network: str
    chain_id: int
    block: int
    timestamp: int
    lag_blocks: int
    lag_seconds: int
    stale: bool


class One(ApiModel, Generic[T]):
    """One thing."""

    data: T
    at: At


class Many(ApiModel, Generic[T]):
    """A page of things; `next` is the cursor of the next page."""

    data: list[T]
    next: str | None
    at: At


def one_of(model: Any) -> Any:
    """The form of an answer of one such thing."""
    return One.__class_getitem__(model)


def list_of(model: Any) -> Any:
    """The form of an answer of a whole list."""
    return One.__class_getitem__(cast(Any, list[model]))


def page_of(model: Any) -> Any:
    """The form of a page of such things."""
    return Many.__class_getitem__(model)


class Failure(ApiModel):
    """Why there is no answer."""

    error: str


class SheetEntry(ApiModel):
    """A value and whose word it is: proven, testimony (of a quorum), renters (how many: `by`) or declared."""

    value: int | str
    unit: str
    source: str
    by: int


ProviderHistory = row_model("ProviderHistory", tables.providers)
Listing = row_model("Listing", tables.listings, sheet=(dict[str, SheetEntry], ...))
CheckRow = row_model("Check", tables.checks)
DeviceRow = row_model("Device", tables.devices, _NamedDevice)
ProfileRow = row_model("Profile", tables.profiles)
SpecificationRow = row_model("Specification", tables.specifications)
OfferRow = row_model("Offer", tables.offers)
Measurement = row_model("Measurement", tables.measurements)
Lease = row_model(
    "Lease",
    tables.leases,
    _NamedLease,
    streamed=(str, ...),
    refundable=(str, ...),
    claimable=(str, ...),
    bond_returnable=(str, ...),
    forfeitable=(str, ...),
    free=(bool, ...),
)
Downtime = row_model("Downtime", tables.downtimes)
OperatorRow = row_model("Operator", tables.operators)
BondCredit = row_model("BondCredit", tables.bond_credits, left_today=(str, ...))
Slash = row_model("Slash", tables.slashes)
EpochRow = row_model("Epoch", tables.epochs, _NamedEpoch)
Stake = row_model("Stake", tables.stakes)
RewardRow = row_model("Reward", tables.rewards)
ValidatorRow = row_model("Validator", tables.validators)
Validator = row_model("SeatedValidator", tables.validators, active=(str | None, None), slashed=(str | None, None))
Batch = row_model("Batch", tables.batches)
Observation = row_model("Observation", tables.observations)
Refusal = row_model("Refusal", tables.refusals)
Demand = row_model("Demand", tables.demands, _NamedDemand)
ChainEvent = row_model("ChainEvent", tables.events)
ChainEvent = create_model("Event", __base__=ChainEvent, arguments=(dict[str, Any], ...))


class Element(ApiModel):
    """The element of a wrong-element proof: round, row, column, what was committed, what is correct."""

    t: int
    i: int
    j: int
    claimed: int
    correct: int


Fault = row_model(
    "Fault", tables.faults, _NamedFault, bounty=(str, ...), burned=(str, ...), slash_status=(int, ...),
    held_until=(int, ...), closed_at=(int, ...), close_transaction=(str | None, ...), element=(Element | None, None),
)  # fmt: skip


class ProvenElement(ApiModel):
    """A wrong element with everything that its recomputation takes; hashes and bytes as 0x-hex."""

    chain_id: int
    oracle: str
    epoch: int
    device_id: str
    result_root: str
    beacon: str
    epoch_seed: str
    profile: dict[str, int]
    t: int
    seed: str
    root: str
    round_path: list[str]
    i: int
    j: int
    chunk_bytes: str
    chunk_path: list[str]
    claimed: int
    correct: int


class SlashProof(ApiModel):
    """The call that proved a fault; numbers in its arguments as decimal text."""

    transaction: str
    function: str
    arguments: dict[str, Any]
    element: ProvenElement | None


class DeviceDetail(ApiModel):
    """A device with what belongs to it; `offers` are those to anyone that it is part of, alone or with others."""

    device: DeviceRow  # type: ignore[valid-type]
    listing: Listing | None  # type: ignore[valid-type]
    profile: ProfileRow | None  # type: ignore[valid-type]
    specification: SpecificationRow | None  # type: ignore[valid-type]
    offers: list[OfferRow]  # type: ignore[valid-type]
    faults: list[Fault]  # type: ignore[valid-type]
    testimony: dict[str, SheetEntry]


class ListedDevice(ApiModel):
    """A device of a listing."""

    device: DeviceRow  # type: ignore[valid-type]
    profile: ProfileRow | None  # type: ignore[valid-type]
    specification: SpecificationRow | None  # type: ignore[valid-type]


class ListingDetail(ApiModel):
    """A listing, its signed offer while one is good, and its devices in order."""

    listing: Listing  # type: ignore[valid-type]
    offer: OfferRow | None  # type: ignore[valid-type]
    devices: list[ListedDevice]
    history: ProviderHistory | None  # type: ignore[valid-type]
    testimony: dict[str, SheetEntry]


class KeptCheck(ApiModel):
    """What was kept."""

    lease_id: int


class EpochDetail(ApiModel):
    """An epoch; `refusals` is content that validators served for it and that did not prove."""

    epoch: EpochRow  # type: ignore[valid-type]
    refusals: list[Refusal]  # type: ignore[valid-type]


class MerkleProof(ApiModel):
    """A leaf in the order of its contract's struct, and its way to the root."""

    types: list[str]
    leaf: list[Any]
    proof: list[str]
    root: str


class FacetCounts(ApiModel):
    """Listings by facet value, with every other filter applied."""

    total: int
    facets: dict[str, dict[str, int]]


class Account(ApiModel):
    """What an account holds and did."""

    account: str
    stake: Stake | None  # type: ignore[valid-type]
    devices: int
    validator: ValidatorRow | None  # type: ignore[valid-type]
    leases_as_renter: int
    leases_as_provider: int
    faults: int
    proofs: int
    rewards: RewardRow | None  # type: ignore[valid-type]
    operators: list[OperatorRow]  # type: ignore[valid-type]
    acts_for: list[OperatorRow]  # type: ignore[valid-type]
    payout: str
    credits: list[BondCredit]  # type: ignore[valid-type]
    history: ProviderHistory | None  # type: ignore[valid-type]


class Totals(ApiModel):
    """The network in numbers; amounts in base units of the network token. `held` is slashed and not final yet."""

    devices: int
    devices_by_state: dict[str, int]
    nodes: int
    leases: int
    active_leases: int
    pending_leases: int
    newest_epoch: int | None
    reported_epoch: int | None
    total_gops: int
    emitted: str
    validators: int
    staked: str
    faults: int
    slashed: str
    held: str
    burned: str


class TokenPoint(ApiModel):
    """What one token paid in an epoch. `median_rate` is of one device, in leases that began; null where none did."""

    token: str
    streamed: str
    median_rate: str | None


class EpochPoint(ApiModel):
    """The network in one epoch; `staked` when it was opened, in base units of the network token."""

    epoch: int
    phase: int
    opened_at: int
    seal_count: int
    passed: int
    failed: int
    leased: int
    total_gops: int
    utilisation_bps: int
    leases_opened: int
    staked: str
    money: list[TokenPoint]


class EpochPresence(ApiModel):
    """Who signed an epoch, and who checked in where it stopped before its seal."""

    epoch: int
    phase: int
    seats: list[str]
    sealed: list[str]
    reported: list[str]
    checked_in: list[str]
