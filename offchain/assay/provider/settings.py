"""Settings of the daemon: from the command line, from ASSAY_ variables, or the defaults here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProviderSettings(BaseSettings):
    """Each field is also an environment variable: ASSAY_RPC_URL, ASSAY_PROVIDER_PORT and so on."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_PROVIDER_", extra="ignore")

    data_dir: Path = Path("provider-data")
    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=0, le=65_535)
    engine: str = "auto"
    runtime: Literal["local", "bubblewrap", "container"] = "container"
    token: str | None = None
    price_per_hour: str | None = None
    min_duration: int = Field(default=60, gt=0)
    max_duration: int = Field(default=30 * 24 * 3600, gt=0)
    claim_every: float = Field(default=24 * 3600, ge=0)
    grace: float = Field(default=900, ge=0)
    poll: float = Field(default=0.5, gt=0)
    job_memory: int = Field(default=2 << 30, gt=0)
    job_disk: int = Field(default=1 << 30, gt=0)
    job_seconds: int = Field(default=24 * 3600, gt=0)
    job_output: int = Field(default=16 << 20, gt=0)
