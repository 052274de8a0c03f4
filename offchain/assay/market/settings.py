"""Settings of a market."""

from __future__ import annotations

from pydantic import Field

from assay.market.errors import BadMarketSetting
from assay.market.follow.pruning import Kept
from assay.settings.base import HOME, DataDir, ProgramSettings


class MarketSettings(ProgramSettings):
    """Every setting of `assay market run`; times in seconds."""

    fault = BadMarketSetting

    data_dir: DataDir = HOME / "market"
    market_database: str | None = Field(
        default=None, description="SQLite file, or postgresql://USER@HOST/NAME; absent: a file in data_dir."
    )
    market_host: str = Field(default="127.0.0.1", description="Address to listen on.")
    market_port: int = Field(default=8800, ge=1, le=65535, description="Port to listen on.")
    market_rate: float = Field(default=20.0, gt=0, description="Requests a second that one address may make.")
    market_burst: int = Field(default=100, ge=1, description="Requests that one address may make at once.")
    market_streams: int = Field(default=200, ge=1, description="Event streams open at once.")
    market_streams_each: int = Field(default=16, ge=1, description="Event streams open at once to one address.")
    market_public_rpc: str = Field(default="", description="JSON-RPC address that pages give to wallets.")
    market_stale_seconds: float = Field(
        default=0.0,
        ge=0,
        description="Age of the newest block from which the chain counts as stalled; 0: derived from the chain.",
    )
    content_poll: float = Field(default=2.0, ge=0.05, description="Seconds between fetches of what validators publish.")
    offer_poll: float = Field(default=15.0, ge=0.05, description="Seconds between fetches of providers' offers.")
    keep_epochs: int = Field(default=9_000, ge=0, description="Epochs whose report lines are kept; 0 keeps all.")
    keep_observations: int = Field(
        default=336, ge=0, description="Epochs whose observations by single seats are kept; 0 keeps all."
    )
    keep_event_days: int = Field(default=400, ge=0, description="Days that events are kept; 0 keeps all.")

    @property
    def kept(self) -> Kept:
        """How much the index keeps."""
        return Kept(self.keep_epochs, self.keep_observations, self.keep_event_days * 24 * 3600)

    @property
    def database(self) -> str:
        """Where the index stands: a file in the market's folder unless another database is named."""
        return self.market_database or str(self.data_dir / "market.sqlite3")
