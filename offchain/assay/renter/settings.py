"""Settings of a renter: from the command line, else from ASSAY_ variables, else the defaults here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from assay.renter.errors import BadInput


class RenterSettings(BaseSettings):
    """Where the chain is, which wallet pays, and where what must survive is kept."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", extra="ignore", frozen=True)

    rpc: Annotated[list[str], NoDecode, Field(min_length=1)] = ["http://127.0.0.1:8545"]
    deployment: Path = Path("deployments/local.json")
    key_file: Path | None = None
    password_file: Path | None = None
    data_dir: Path = Path("~/.assay")
    final_depth: Annotated[int | None, Field(ge=0, le=10_000)] = None
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.25

    @field_validator("rpc", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @property
    def folder(self) -> Path:
        """`data_dir` with the home folder filled in."""
        return self.data_dir.expanduser()

    @classmethod
    def load(cls, given: Mapping[str, Any]) -> Self:
        """`given` over the environment. Raises BadInput naming the setting, its value and the rule."""
        try:
            return cls(**{name: value for name, value in given.items() if value not in (None, [])})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "settings"
            raise BadInput(f"{where} = {first['input']!r}: {first['msg']}") from None
