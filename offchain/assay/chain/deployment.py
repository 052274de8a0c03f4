"""The deployment file: on which chain the contracts stand, where, and with which ABIs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from assay.chain.errors import BadDeployment
from assay.protocol.hexadecimal import parse_address
from assay.protocol.signing import Domain

MAX_FILE = 16 << 20
REQUIRED = (
    "StakeManager",
    "DeviceRegistry",
    "ValidatorSet",
    "EpochOracle",
    "FraudProofs",
    "OpeningDemands",
    "LeaseEscrow",
)


class _Model(BaseModel):
    model_config = ConfigDict(populate_by_name=True, frozen=True, extra="ignore")


class DeployedContract(_Model):
    """One contract: where it stands, and its ABI."""

    address: Annotated[str, AfterValidator(parse_address)]
    abi: list[dict[str, Any]]
    constructor_arguments: dict[str, Any] = Field(default_factory=dict, alias="constructorArguments")
    transaction: str | None = None
    block: int = Field(default=0, ge=0)


class Deployment(_Model):
    """All contracts of one network. `block` is the first block that any of them stands in."""

    network: str
    chain_id: int = Field(alias="chainId", ge=1)
    block: int = Field(ge=0)
    contracts: dict[str, DeployedContract]
    compiler: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """The deployment in a file. Raises BadDeployment."""
        path = Path(path)
        try:
            if path.stat().st_size > MAX_FILE:
                raise BadDeployment(f"{path}: {path.stat().st_size} bytes, not a deployment file")
            data = json.loads(path.read_bytes())  # with or without a byte order mark
        except FileNotFoundError:
            raise BadDeployment(f"{path}: no such file; deploy first, or name the file with --deployment") from None
        except OSError as error:
            raise BadDeployment(f"{path}: cannot be read ({error.strerror})") from None
        except ValueError as error:
            raise BadDeployment(f"{path}: is not JSON ({error}); deploy anew or fetch the file again") from None
        return cls.from_json(data, str(path))

    @classmethod
    def from_json(cls, data: Any, source: str = "deployment") -> Self:
        """The deployment in parsed JSON. Raises BadDeployment."""
        try:
            deployment = cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise BadDeployment(f"{source}: {where}: {first['msg']}") from None
        if missing := [name for name in REQUIRED if name not in deployment.contracts]:
            raise BadDeployment(f"{source}: lacks the contracts {', '.join(missing)}")
        return deployment

    def contract(self, name: str) -> DeployedContract:
        """Raises BadDeployment for a contract that is not deployed."""
        try:
            return self.contracts[name]
        except KeyError:
            known = ", ".join(sorted(self.contracts))
            raise BadDeployment(f"no contract {name} in the deployment {self.network}; it has {known}") from None

    def address(self, name: str) -> str:
        """Checksummed. Raises BadDeployment."""
        return self.contract(name).address

    def domain(self, name: str) -> Domain:
        """EIP-712 domain of a contract. Raises BadDeployment."""
        return Domain(self.chain_id, self.address(name))
