"""Typed parameters of a network, read from `deployments/<network>.yml`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import yaml
from eth_utils import is_address, to_checksum_address
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

FOLDER = Path("deployments")


class BadParameters(Exception):
    """A parameter file that is missing, malformed, or asks for what cannot be."""


def _address(value: Any) -> str:
    # An unquoted 0x… in YAML is read as a number.
    text = f"0x{value:040x}" if isinstance(value, int) else str(value)
    if not is_address(text):
        raise ValueError(f"{value!r} is not an address; write it quoted, as 0x and 40 hex digits")
    return to_checksum_address(text)


def _whole(value: Any) -> int:
    """Integers, also as text and in the form 1.5e21, as long as nothing is rounded."""
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, int):
        return value
    from decimal import Decimal, InvalidOperation

    try:
        number = Decimal(str(value).replace("_", ""))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if number != number.to_integral_value():
        raise ValueError(f"{value!r} is not a whole number")
    return int(number)


Address = Annotated[str, BeforeValidator(_address)]
Units = Annotated[int, BeforeValidator(_whole), AfterValidator(lambda n: n), Field(ge=0, lt=1 << 256)]
Seconds = Annotated[int, Field(ge=0, lt=1 << 40)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Epochs(_Model):
    """Seconds after the start of an epoch, but for `genesis` (a time, or "now+N") and `drawDelay` (blocks)."""

    genesis: int | str
    epochLength: int
    openBy: int
    sealBy: int
    drawBy: int
    reportBy: int
    drawDelay: int
    proofWindow: Seconds

    def at(self, now: int) -> int:
        """Genesis as a time. Raises BadParameters."""
        if isinstance(self.genesis, int):
            return self.genesis
        text = self.genesis.replace(" ", "")
        if text.startswith("now+") and text[4:].isdigit():
            return now + int(text[4:])
        raise BadParameters(f"epochs.genesis: {self.genesis!r} is neither a time nor now+SECONDS")


class Allocation(_Model):
    account: Address
    amount: Units


class Token(_Model):
    name: str
    symbol: str
    cap: Units
    allocations: list[Allocation]


class Profile(_Model):
    name: str
    M: int
    N: int
    K: int
    T: int
    chunk: int
    k: int
    W: int
    deadlineMs: int
    credit: int
    maxGops: int
    stake: Units


class Stakes(_Model):
    unbondingPeriod: Seconds
    bountyBps: Annotated[int, Field(ge=0, le=1000)]


class Seats(_Model):
    seatStake: Units
    idleEpochs: int


class Proofs(_Model):
    commitLifetime: int
    answerWindow: Seconds
    demandBond: Units


class Rewards(_Model):
    initialEmission: Units
    eraEpochs: int
    providerBps: Annotated[int, Field(ge=0, le=10_000)]
    maxPerCredit: Units
    claimDelay: Seconds


class LeaseToken(_Model):
    """`token` is an address, or the name of a token that this deployment creates."""

    token: str | int
    feeFloor: Units


class Leases(_Model):
    holdback: Seconds
    maxDowntime: Seconds
    maxAge: int
    feeBps: Annotated[int, Field(ge=0, le=500)]
    tokens: list[LeaseToken]


class Governance(_Model):
    timelockDelay: Seconds
    proposers: list[Address]
    executors: list[Address]
    guardian: Address


class TestToken(_Model):
    name: str
    symbol: str
    decimals: Annotated[int, Field(ge=0, le=255)]


class Assumptions(_Model):
    """What the sizes of stakes and bounties were reckoned with."""

    gasPriceGwei: float
    tokensPerEther: float


class Parameters(_Model):
    network: str
    chainId: int
    epochs: Epochs
    token: Token
    profiles: list[Profile]
    stakes: Stakes
    seats: Seats
    proofs: Proofs
    rewards: Rewards
    leases: Leases
    governance: Governance
    testToken: TestToken | None = None
    assumptions: Assumptions


# What the files in the tree hold where whoever deploys has to name accounts of their own.
PLACEHOLDERS = {
    to_checksum_address("0x" + "00" * 20),
    to_checksum_address("0x000000000000000000000000000000000000dEaD"),
}


def refuse_placeholders(p: Parameters) -> None:
    """Raises BadParameters that names every account still to be filled in."""
    accounts = {
        **{f"token.allocations.{i}.account": a.account for i, a in enumerate(p.token.allocations)},
        **{f"governance.proposers.{i}": a for i, a in enumerate(p.governance.proposers)},
        **{f"governance.executors.{i}": a for i, a in enumerate(p.governance.executors)},
        "governance.guardian": p.governance.guardian,
    }
    left = [f"{where}: {account} is a placeholder" for where, account in accounts.items() if account in PLACEHOLDERS]
    if left:
        raise BadParameters(
            f"deployments/{p.network}.yml names accounts that are nobody's:\n  "
            + "\n  ".join(left)
            + "\nPut your own there (a multi-signature wallet for each), or name a file that does in ASSAY_PARAMETERS."
        )


def network_of(chain_id: int, folder: Path = FOLDER) -> str:
    """Name of the network whose file is for this chain. Raises BadParameters."""
    known = {int(_read(path)["chainId"]): path.stem for path in sorted(folder.glob("*.yml"))}
    if chain_id not in known:
        chains = ", ".join(f"{name} ({number})" for number, name in known.items())
        raise BadParameters(f"no file in {folder} is for chain {chain_id}; known: {chains}")
    return known[chain_id]


def load(network: str, override: str | os.PathLike[str] | None = None, folder: Path = FOLDER) -> Parameters:
    """Parameters of a network; those in the file `override` replace them, key by key. Raises BadParameters."""
    data = _read(folder / f"{network}.yml")
    if override:
        data = _merged(data, _read(Path(override)))
    try:
        return Parameters.model_validate(data)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
        raise BadParameters(f"{override or folder / f'{network}.yml'}:\n  " + "\n  ".join(lines)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yml")))
        raise BadParameters(f"{path}: no such file; known networks: {known}") from None
    except (OSError, yaml.YAMLError) as error:
        raise BadParameters(f"{path}: cannot be read: {error}") from None
    if not isinstance(data, dict):
        raise BadParameters(f"{path}: is not a mapping of parameters")
    return data


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = _merged(base[key], value) if both else value
    return result
