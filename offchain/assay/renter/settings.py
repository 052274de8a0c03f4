"""Settings of a renter. Contexts stand beside its settings file: one that is named goes before the environment, since
whoever names it means it; the one in use comes after."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator

from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.protocol.hexadecimal import parse_address
from assay.renter.contexts import contexts_file, read_contexts
from assay.renter.errors import BadInput
from assay.settings.base import HOME, PREFIX, DataDir, ProgramSettings, named

CONTEXT = "context"


class RenterSettings(ProgramSettings):
    """Where the chain and the market are, which wallet pays, and where what must survive is kept. `account` is one
    whose key is elsewhere, a contract wallet's too: what it would send can be shown, not sent."""

    fault = BadInput

    data_dir: DataDir = HOME / "renter"
    market: Annotated[
        str | None, Field(description="Address of a market to search; absent: validators and providers are asked.")
    ] = None
    account: Annotated[
        str | None, Field(description="Wallet to act for; its key may be elsewhere, for what is shown but not sent.")
    ] = None

    @field_validator("market")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        try:
            return parse_origin(value).url if value else None
        except BadOrigin as error:
            raise ValueError(error.reason) from None

    @field_validator("account")
    @classmethod
    def _account(cls, value: str | None) -> str | None:
        return parse_address(value, "account") if value else None

    @classmethod
    def load(
        cls, given: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Self:
        """From `given`, which may name a `context`, and the places behind it. Raises BadInput."""
        environment = os.environ if environment is None else environment
        options = named(given)
        contexts = read_contexts(contexts_file(environment))
        wanted = options.pop(CONTEXT, None) or environment.get(PREFIX + CONTEXT.upper())
        current = contexts.named[contexts.current] if contexts.current and not wanted else {}
        chosen = contexts.get(wanted) if wanted else {}
        behind = {**cls.in_file(file, environment), **current, **cls.in_environment(environment)}
        return cls.of({**behind, **chosen, **options})
