"""Settings of `assay market run`: options, or the environment with the prefix ASSAY_."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from assay.chain.setting_faults import setting_fault
from assay.market.errors import BadSetting


class MarketSettings(BaseSettings):
    """Every setting has a bound; times in seconds."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", extra="ignore")

    rpc: str = "http://127.0.0.1:8545"
    deployment: Path = Path("deployment.json")
    market_database: str = "market.sqlite3"
    market_host: str = "127.0.0.1"
    market_port: int = Field(default=8600, ge=1, le=65535)
    market_rate: float = Field(default=20.0, gt=0, description="Requests a second of one address.")
    market_burst: int = Field(default=100, ge=1, description="Requests at once of one address.")
    block_poll: float = Field(default=1.0, ge=0.05)
    content_poll: float = Field(default=2.0, ge=0.05)
    offer_poll: float = Field(default=15.0, ge=0.05)
    keep_epochs: int = Field(default=0, ge=0, description="Epochs whose reports' lines are kept; 0 keeps all.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    final_depth: int | None = Field(default=None, ge=0)
    allow_private: bool | None = None  # endpoints in private networks; by default on local chains only

    @classmethod
    def load(cls, given: Mapping[str, Any]) -> Self:
        """`given` over the environment. Raises BadSetting naming the setting, its value and the rule."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise BadSetting(setting_fault(error)) from None
