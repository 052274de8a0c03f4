"""Settings of a watcher."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, field_validator

from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.settings.base import HOME, DataDir, ProgramSettings, Several
from assay.watcher.demands import DemandLimits
from assay.watcher.errors import BadWatcherSetting

TOKEN = 10**18


class WatcherSettings(ProgramSettings):
    """Every setting of `assay watch`. `validator` names addresses beyond those announced;
    `demand_loss` is in network tokens.
    """

    fault = BadWatcherSetting

    data_dir: DataDir = HOME / "watcher"
    validator: Several = Field(default=[], description="Addresses of validators, besides those announced on the chain.")
    max_demands: Annotated[
        int, Field(ge=0, le=1000, description="Openings demanded on the chain at once, each with a bond; 0: none.")
    ] = 4
    demand_rows: Annotated[int, Field(ge=1, le=256, description="Rows demanded of a device in an epoch.")] = 1
    demand_loss: Annotated[
        Decimal,
        Field(ge=0, le=10**12, description="Network tokens that one device's answers may cost in a proof window."),
    ] = Decimal(50)

    @field_validator("validator")
    @classmethod
    def _origins(cls, addresses: list[str]) -> list[str]:
        try:
            return [parse_origin(address).url for address in addresses]
        except BadOrigin as error:
            raise ValueError(str(error)) from None

    @property
    def limits(self) -> DemandLimits:
        """What is put into demands, in base units."""
        return DemandLimits(self.max_demands, self.demand_rows, int(self.demand_loss * TOKEN))
