"""Settings of a relay."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from assay.network.pipe import CHUNK, PipeLimits
from assay.network.port_range import PortRange
from assay.protocol.hexadecimal import parse_bytes32
from assay.protocol.types import DeviceId
from assay.relay.errors import BadRelaySetting
from assay.relay.limits import RelayLimits
from assay.settings.base import HOME, DataDir, ProgramSettings, Several


class RelaySettings(ProgramSettings):
    """Every setting of `assay relay run`; times in seconds, sizes in bytes."""

    fault = BadRelaySetting

    data_dir: DataDir = HOME / "relay"
    relay_host: Annotated[str, Field(description="Address to listen on, for providers and for whoever calls them.")] = (
        "0.0.0.0"  # noqa: S104 - a relay is there for everybody
    )
    relay_port: Annotated[int, Field(ge=1, le=65_535, description="Port that providers connect to.")] = 8900
    relay_ports: Annotated[str, Field(description="Public ports that lead to providers, FIRST-LAST.")] = "20000-20999"
    relay_metrics_host: Annotated[str, Field(description="Address of health, metrics and status.")] = "127.0.0.1"
    relay_metrics_port: Annotated[int, Field(ge=1, le=65_535, description="Port of health, metrics and status.")] = 8901
    relay_devices: Several = Field(
        default=[], description="Ids of the devices that may have a link; absent: all that are enrolled on the chain."
    )
    relay_refresh: Annotated[
        float, Field(ge=1, le=3_600, description="Seconds between looks at who is enrolled on the chain.")
    ] = 30.0
    relay_ports_each: Annotated[
        int, Field(ge=1, le=1_000, description="Public ports of one provider account, also while it is away.")
    ] = 16
    relay_hold: Annotated[
        float, Field(ge=3_600, description="Seconds that a device's ports are kept for it while it is away.")
    ] = 7 * 24 * 3600.0
    relay_streams: Annotated[int, Field(ge=1, le=10_000, description="Open streams of one link.")] = 256
    relay_streams_each: Annotated[
        int, Field(ge=1, le=10_000, description="Open streams of one link that one address may have.")
    ] = 32
    relay_dials: Annotated[
        float, Field(gt=0, le=10_000, description="New streams of one link a second, on average.")
    ] = 50.0
    relay_rate: Annotated[
        int, Field(ge=CHUNK, description="Bytes a second of one provider account, both directions together.")
    ] = 12_500_000
    relay_idle: Annotated[float, Field(gt=0, description="Seconds that a stream may be idle.")] = 900.0

    @field_validator("relay_ports")
    @classmethod
    def _range(cls, value: str) -> str:
        return str(PortRange.parse(value))

    @field_validator("relay_devices")
    @classmethod
    def _ids(cls, value: list[str]) -> list[str]:
        return ["0x" + parse_bytes32(one, "a device's id").hex() for one in value]

    @property
    def listed(self) -> frozenset[DeviceId]:
        """The devices that are named; empty where the chain says."""
        return frozenset(DeviceId(parse_bytes32(one)) for one in self.relay_devices)

    @property
    def ports(self) -> PortRange:
        """The public ports."""
        return PortRange.parse(self.relay_ports)

    @property
    def limits(self) -> RelayLimits:
        """What every link is held to."""
        return RelayLimits(
            streams=self.relay_streams,
            streams_each=self.relay_streams_each,
            dials_per_s=self.relay_dials,
            bytes_per_s=self.relay_rate,
            pipe=PipeLimits(idle_s=self.relay_idle, stall_s=min(60.0, self.relay_idle)),
        )
