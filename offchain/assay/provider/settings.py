"""Settings of a provider: from the command line, else from ASSAY_ variables, else the defaults here."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from assay.chain.setting_faults import setting_fault
from assay.protocol.hexadecimal import parse_address
from assay.provider.errors import BadSetting


class ProviderSettings(BaseSettings):
    """Every setting of `assay provider run`. Times in seconds, sizes in bytes. `provider` is the account that the key
    acts for, where that is an operator's.
    """

    model_config = SettingsConfigDict(env_prefix="ASSAY_", extra="ignore", frozen=True)

    rpc: Annotated[list[str], NoDecode, Field(min_length=1)] = ["http://127.0.0.1:8545"]
    deployment: Path = Path("deployments/local.json")
    key_file: Path = Path("provider.json")
    provider: str | None = None
    password_file: Path | None = None
    device_key: Annotated[list[Path], NoDecode] = []
    data_dir: Annotated[Path, Field(validate_default=True)] = Path("provider-data")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8700
    ssh_port: Annotated[int | None, Field(ge=1, le=65_535)] = None
    final_depth: Annotated[int | None, Field(ge=0, le=10_000)] = None
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.25
    engine: str = "auto"
    runtime: Literal["local", "bubblewrap", "container"] = "container"
    container_engine: str | None = None
    container_image: str = "docker.io/library/python:3.12-slim"
    container_allow: Annotated[list[str], NoDecode] = ["*"]
    container_deny: Annotated[list[str], NoDecode] = []
    container_gpus: Annotated[list[str], NoDecode] = []
    egress: Annotated[list[str], NoDecode] = ["none"]
    receiver: str | None = None
    token: str | None = None
    price_per_hour: Decimal | None = None
    min_duration: Annotated[int, Field(gt=0)] = 60
    max_duration: Annotated[int, Field(gt=0, lt=1 << 32)] = 30 * 24 * 3600
    notice: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    offer_valid: Annotated[int, Field(ge=2, le=7 * 24 * 3600)] = 900
    claim_every: Annotated[float, Field(ge=0)] = 24 * 3600.0
    grace: Annotated[float, Field(ge=0)] = 900.0
    job_seconds: Annotated[float, Field(gt=0)] = 30 * 24 * 3600.0
    job_memory: Annotated[int, Field(gt=0)] = 2 << 30
    disk: Literal["auto", "volume", "watched"] = "auto"
    job_disk: Annotated[int, Field(gt=0)] = 1 << 30
    job_output: Annotated[int, Field(gt=0)] = 16 << 20
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

    @field_validator(
        "rpc", "device_key", "container_allow", "container_deny", "container_gpus", "egress", mode="before"
    )
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("provider", "receiver", "token")
    @classmethod
    def _account(cls, value: str | None) -> str | None:
        return None if value is None else parse_address(value)

    @field_validator("data_dir")
    @classmethod
    def _whole(cls, path: Path) -> Path:
        # An engine takes what is not absolute for the name of a volume of its own.
        return path.absolute()

    @property
    def devices_dir(self) -> Path:
        """Where device keys are looked for unless they are named."""
        return self.data_dir / "devices"

    @classmethod
    def load(cls, given: Mapping[str, Any]) -> Self:
        """`given` over the environment. Raises BadSetting naming the setting, its value and the rule."""
        try:
            return cls(**{name: value for name, value in given.items() if value not in (None, [])})
        except ValidationError as error:
            raise BadSetting(setting_fault(error)) from None
