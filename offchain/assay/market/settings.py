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
    market_database: str | None = None
    market_host: str = "127.0.0.1"
    market_port: int = Field(default=8800, ge=1, le=65535)
    market_rate: float = Field(default=20.0, gt=0, description="Requests a second of one address.")
    market_burst: int = Field(default=100, ge=1, description="Requests at once of one address.")
    market_streams: int = Field(default=200, ge=1, description="Event streams open at once.")
    market_streams_each: int = Field(default=16, ge=1, description="Event streams open at once to one address.")
    market_public_rpc: str = Field(default="", description="JSON-RPC address that pages name to wallets.")
    market_stale_seconds: float = Field(
        default=0.0,
        ge=0,
        description="A newest block of this age means that the chain stands still; 0 is by the chain.",
    )
    content_poll: float = Field(default=2.0, ge=0.05)
    offer_poll: float = Field(default=15.0, ge=0.05)
    keep_epochs: int = Field(default=9_000, ge=0, description="Epochs whose reports' lines are kept; 0 keeps all.")
    keep_observations: int = Field(
        default=336, ge=0, description="Epochs whose single observations of seats are kept; 0 keeps all."
    )
    keep_event_days: int = Field(default=400, ge=0, description="Days whose events are kept; 0 keeps all.")

    @property
    def kept(self) -> Kept:
        """How much the index keeps."""
        return Kept(self.keep_epochs, self.keep_observations, self.keep_event_days * 24 * 3600)

    @property
    def database(self) -> str:
        """Where the index stands: a file in the market's folder unless another database is named."""
        return self.market_database or str(self.data_dir / "market.sqlite3")
