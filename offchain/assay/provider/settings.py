"""Settings of a provider."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from assay.protocol.hexadecimal import parse_address
from assay.protocol.leases import MAX_DEVICES
from assay.provider.errors import BadProviderSetting
from assay.settings.base import HOME, DataDir, FilePath, ProgramSettings, Several, split


class ProviderSettings(ProgramSettings):
    """Every setting of `assay provider run`. Times in seconds, sizes in bytes. `provider` is the account that the key
    acts for, where that is an operator's.
    """

    fault = BadProviderSetting

    data_dir: DataDir = HOME / "provider"
    provider: str | None = None
    device_key: Annotated[list[Path], BeforeValidator(split)] = Field(default=[])
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8700
    ssh_port: Annotated[int | None, Field(ge=1, le=65_535)] = None
    engine: str = "auto"
    runtime: Literal["local", "bubblewrap", "container"] = "container"
    container_engine: str | None = None
    container_image: str = "docker.io/library/python:3.12-slim"
    container_allow: Several = Field(default=["*"])
    container_deny: Several = Field(default=[])
    private_registries: Several = Field(
        default=[], description="Origins of registries within this network that images may come from."
    )
    image_cache: Annotated[int, Field(gt=0, description="Bytes that pulled images may take, unpacked.")] = 200 << 30
    image_unpaid: Annotated[
        int, Field(ge=0, description="Bytes of images that leases may fetch in a day before they begin, all together.")
    ] = 200 << 30
    templates: Annotated[
        FilePath | None, Field(description="Folder with templates of this provider's own, one NAME.toml each.")
    ] = None
    container_gpus: Several = Field(default=[])
    egress: Annotated[
        Several | None,
        Field(description="What leases may reach: none, internet, networks, hosts; absent: internet for pods."),
    ] = None
    host_keep_cores: Annotated[int, Field(ge=0, description="Cores that no pod gets.")] = 1
    host_keep_memory: Annotated[int, Field(ge=0, description="Memory that no pod gets.")] = 2 << 30
    host_keep_disk: Annotated[int, Field(ge=0, description="Disk that no pod gets, besides room for images.")] = (
        20 << 30
    )
    pod_cores: Annotated[int | None, Field(ge=1, description="Cores of each device; absent: its equal part.")] = None
    pod_memory: Annotated[int | None, Field(gt=0, description="Memory of each device; absent: its equal part.")] = None
    pod_disk: Annotated[int | None, Field(gt=0, description="Disk of each device; absent: its equal part.")] = None
    pod_processes: Annotated[
        int | None, Field(ge=16, description="Processes of each device's pod; absent: 4096, or what the host allows.")
    ] = None
    pod_open_files: Annotated[
        int | None, Field(ge=256, description="Files a program in a pod may open; absent: 65536, or as above.")
    ] = None
    pod_bandwidth: Annotated[int, Field(ge=0, description="Bits a second each way of each device; 0: all.")] = 0
    receiver: str | None = None
    token: str | None = None
    price_per_hour: Decimal | None = None
    node_sizes: Annotated[
        list[Annotated[int, Field(ge=2, le=MAX_DEVICES)]],
        BeforeValidator(split),
        Field(description="How many free devices, alike, are on offer together too, for the sum of their prices."),
    ] = Field(default=[])
    min_duration: Annotated[int, Field(gt=0)] = 60
    max_duration: Annotated[int, Field(gt=0, lt=1 << 32)] = 30 * 24 * 3600
    notice: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    offer_valid: Annotated[int, Field(ge=2, le=7 * 24 * 3600)] = 900
    claim_every: Annotated[float, Field(ge=0)] = 24 * 3600.0
    grace: Annotated[float, Field(ge=0)] = 900.0
    keep_epochs: Annotated[
        int, Field(ge=0, description="Epochs whose signed answers are kept; never fewer than can be proven against.")
    ] = 0
    job_seconds: Annotated[float, Field(gt=0)] = 30 * 24 * 3600.0
    job_memory: Annotated[int, Field(gt=0)] = 2 << 30
    disk: Literal["auto", "volume", "watched"] = "auto"
    job_disk: Annotated[int, Field(gt=0)] = 1 << 30
    job_output: Annotated[int, Field(gt=0)] = 16 << 20

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
    def egress_policy(self) -> list[str]:
        """What leases may reach, as set or as the runtime's own."""
        if self.egress is not None:
            return self.egress
        return ["internet"] if self.runtime == "container" else ["none"]

    @property
    def devices_dir(self) -> Path:
        """Where device keys are looked for unless they are named."""
        return self.data_dir / "devices"
