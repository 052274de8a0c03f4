"""Settings of a renter, from the first that has them: options, a named context, ASSAY_ variables, the context in use,
the defaults here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from assay.chain.new_files import expanded
from assay.chain.setting_faults import setting_fault
from assay.protocol.hexadecimal import parse_address
from assay.renter.contexts import contexts_file, read_contexts
from assay.renter.errors import BadInput

PREFIX = "ASSAY_"
CONTEXT = "context"


class RenterSettings(BaseModel):
    """Where the chain and the market are, which wallet pays, and where what must survive is kept. `account` is one
    whose key is elsewhere, a contract wallet's too: what it would send can be shown, not sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rpc: Annotated[list[str], Field(min_length=1)] = ["http://127.0.0.1:8545"]
    deployment: Path = Path("deployments/local.json")
    market: str | None = None
    key_file: Path | None = None
    password_file: Path | None = None
    account: str | None = None
    data_dir: Path = Path("~/.assay")
    final_depth: Annotated[int | None, Field(ge=0, le=10_000)] = None
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.25

    @field_validator("rpc", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("market")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected http://HOST[:PORT] or https://HOST[:PORT]")
        return value.rstrip("/") if value else None

    @field_validator("account")
    @classmethod
    def _account(cls, value: str | None) -> str | None:
        return parse_address(value, "account") if value else None

    @field_validator("deployment", "key_file", "password_file")
    @classmethod
    def _home(cls, value: Path | None) -> Path | None:
        return expanded(value) if value else value

    @property
    def folder(self) -> Path:
        """`data_dir` with the home folder filled in. Raises BadInput where there is none."""
        try:
            return expanded(self.data_dir)
        except ValueError as error:
            raise BadInput(f"data_dir = {error}; --data-dir and ASSAY_DATA_DIR name another folder") from None

    @classmethod
    def load(cls, given: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Self:
        """From `given`, which may name a `context`, and the places behind it. Raises BadInput."""
        environment = os.environ if environment is None else environment
        options = {name: value for name, value in given.items() if value not in (None, [])}
        contexts = read_contexts(contexts_file(environment))
        named = options.pop(CONTEXT, None) or environment.get(PREFIX + CONTEXT.upper())
        variables = {
            name: environment[PREFIX + name.upper()]
            for name in cls.model_fields
            if environment.get(PREFIX + name.upper())
        }
        current = contexts.named[contexts.current] if contexts.current and not named else {}
        chosen = contexts.get(named) if named else {}
        return cls.of({**current, **variables, **chosen, **options})

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From these values alone. Raises BadInput naming the setting, its value and the rule."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise BadInput(setting_fault(error)) from None
