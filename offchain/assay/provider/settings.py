"""Settings of a provider."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.network.port_range import PortRange
from assay.protocol.hexadecimal import parse_address, parse_bytes32, to_hex
from assay.protocol.leases import MAX_DEVICES
from assay.provider.errors import BadProviderSetting
from assay.provider.ingress.names import parse_name
from assay.settings.base import HOME, DataDir, FilePath, ProgramSettings, Several, split
from assay.wire.pods import MAX_ENDPOINTS


class ProviderSettings(ProgramSettings):
    """Every setting of `assay provider run`. Times in seconds, sizes in bytes. `provider` is the account that the key
    acts for, where that is an operator's.
    """

    fault = BadProviderSetting

    data_dir: DataDir = HOME / "provider"
    provider: Annotated[
        str | None, Field(description="Account of the provider; needed where the key is an operator's.")
    ] = None
    device_key: Annotated[list[Path], BeforeValidator(split)] = Field(
        default=[], description="Key files of the devices to serve; absent: all in the folder `devices` of data_dir."
    )
    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535, description="Port to listen on.")] = 8700
    ssh_port: Annotated[
        int | None, Field(ge=1, le=65_535, description="Port of the SSH server; absent: none runs.")
    ] = None
    relay: Annotated[
        str | None,
        Field(description="Relay through which this host is reached, https://HOST:PORT; absent: reached directly."),
    ] = None
    relay_fingerprint: Annotated[
        str | None, Field(description="H of the relay's certificate, 0x…, as the relay's log says it.")
    ] = None
    engine: Annotated[str, Field(description="Engine that computes proofs; auto picks the fastest that runs here.")] = (
        "auto"
    )
    runtime: Annotated[
        Literal["local", "bubblewrap", "container"],
        Field(description="What isolates a renter's programs; local isolates nothing and runs on a local chain only."),
    ] = "container"
    container_engine: Annotated[
        str | None, Field(description="Address of the container engine's API; absent: found on this host.")
    ] = None
    container_image: Annotated[str, Field(description="Image of pods whose lease names none.")] = (
        "docker.io/library/python:3.12-slim"
    )
    container_allow: Several = Field(default=["*"], description="Shell patterns of image names that leases may use.")
    container_deny: Several = Field(default=[], description="Shell patterns of image names that leases may not use.")
    private_registries: Several = Field(
        default=[], description="Origins of registries in this network that images may come from."
    )
    image_cache: Annotated[int, Field(gt=0, description="Bytes that pulled images may take, unpacked.")] = 200 << 30
    image_unpaid: Annotated[
        int, Field(ge=0, description="Bytes of images that all leases together may fetch in a day before they start.")
    ] = 200 << 30
    templates: Annotated[
        FilePath | None, Field(description="Folder with the provider's own templates, NAME.toml each.")
    ] = None
    container_gpus: Several = Field(default=[], description="CDI names of the GPUs that containers get.")
    egress: Annotated[
        Several | None,
        Field(description="What leases may reach: none, internet, networks, hosts; absent: internet, for pods."),
    ] = None
    host_keep_cores: Annotated[int, Field(ge=0, description="Cores that no pod gets.")] = 1
    host_keep_memory: Annotated[int, Field(ge=0, description="Bytes of memory that no pod gets.")] = 2 << 30
    host_keep_disk: Annotated[int, Field(ge=0, description="Bytes of disk that no pod gets, beside images.")] = 20 << 30
    pod_cores: Annotated[int | None, Field(ge=1, description="Cores for each device; absent: an equal share.")] = None
    pod_memory: Annotated[int | None, Field(gt=0, description="Bytes of memory for each device; absent: as above.")] = (
        None
    )
    pod_disk: Annotated[int | None, Field(gt=0, description="Bytes of disk for each device; absent: as above.")] = None
    pod_processes: Annotated[
        int | None, Field(ge=16, description="Processes of a pod for each device; absent: 4096, or the host's limit.")
    ] = None
    pod_open_files: Annotated[
        int | None, Field(ge=256, description="Files that a program may open; absent: 65536, or the host's limit.")
    ] = None
    pod_bandwidth: Annotated[int, Field(ge=0, description="Bits a second each way for each device; 0: no limit.")] = 0
    receiver: Annotated[
        str | None, Field(description="Account that rent and bonds are paid to; absent: the payout address.")
    ] = None
    token: Annotated[str | None, Field(description="Token of prices that name no other.")] = None
    price_per_hour: Annotated[
        Decimal | None, Field(description="Price of each device in whole tokens an hour, where it has none of its own.")
    ] = None
    public_ports: Annotated[
        str | None, Field(description="Ports of this host that may lead into pods, FIRST-LAST; absent: no endpoints.")
    ] = None
    public_host: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,253}$",
            description="Name or address at which public ports are reached; absent: that of the announced endpoint.",
        ),
    ] = None
    endpoints_per_lease: Annotated[
        int, Field(ge=1, le=MAX_ENDPOINTS, description="Endpoints of one lease, at most.")
    ] = 8
    endpoint_connections: Annotated[
        int, Field(ge=1, le=1 << 20, description="Connections through all endpoints of a lease at once, at most.")
    ] = 1_024
    endpoint_rate: Annotated[
        int, Field(ge=1, le=1 << 20, description="New connections a second through all endpoints of a lease.")
    ] = 200
    endpoint_domain: Annotated[
        str | None,
        Field(description="Domain whose every name leads to this host, for names with HTTPS; absent: there are none."),
    ] = None
    endpoint_https_port: Annotated[int, Field(ge=1, le=65_535, description="Port of names with HTTPS.")] = 443
    endpoint_http_port: Annotated[
        int, Field(ge=1, le=65_535, description="Port that redirects to HTTPS and answers ACME.")
    ] = 80
    endpoint_certificate: Annotated[
        FilePath | None, Field(description="Chain of certificates for every name of that domain, as PEM.")
    ] = None
    endpoint_certificate_key: Annotated[FilePath | None, Field(description="Its key, as PEM without a password.")] = (
        None
    )
    endpoint_issuer: Annotated[
        Literal["acme", "internal"],
        Field(description="Who certifies other names: ACME, or an authority of Caddy's own that nobody trusts."),
    ] = "acme"
    endpoint_acme_email: Annotated[str | None, Field(description="Address that the ACME authority may write to.")] = (
        None
    )
    endpoint_acme_directory: Annotated[
        str | None, Field(pattern="^https://", description="The ACME authority's directory; absent: Let's Encrypt.")
    ] = None
    node_sizes: Annotated[
        list[Annotated[int, Field(ge=2, le=MAX_DEVICES)]],
        BeforeValidator(split),
        Field(description="Sizes of nodes: so many alike devices are also offered together, at the sum of prices."),
    ] = Field(default=[])
    min_duration: Annotated[
        int, Field(gt=0, description="Shortest lease on offer, in seconds; the bond covers it.")
    ] = 60
    max_duration: Annotated[int, Field(gt=0, lt=1 << 32, description="Longest lease on offer, in seconds.")] = (
        30 * 24 * 3600
    )
    notice: Annotated[
        int, Field(ge=0, lt=1 << 32, description="Seconds of notice to end a lease without forfeit; 0: never.")
    ] = 0
    offer_valid: Annotated[int, Field(ge=2, le=7 * 24 * 3600, description="Seconds that a signed offer is valid.")] = (
        900
    )
    claim_every: Annotated[float, Field(ge=0, description="Seconds between claims of a running lease's rent.")] = (
        24 * 3600.0
    )
    grace: Annotated[float, Field(ge=0, description="Seconds that a lease's files are kept after its end.")] = 900.0
    keep_epochs: Annotated[
        int, Field(ge=0, description="Epochs whose signed answers are kept; never fewer than can be disputed.")
    ] = 0
    job_seconds: Annotated[float, Field(gt=0, description="Seconds that a job may run.")] = 30 * 24 * 3600.0
    job_memory: Annotated[int, Field(gt=0, description="Bytes of memory of a job outside a pod.")] = 2 << 30
    disk: Annotated[
        Literal["auto", "volume", "watched"],
        Field(
            description="How disk is limited: by a volume of that size, or by watching; auto: volumes where possible."
        ),
    ] = "auto"
    job_disk: Annotated[int, Field(gt=0, description="Bytes of disk of a lease without a pod.")] = 1 << 30
    job_output: Annotated[int, Field(gt=0, description="Bytes of output that are kept of a job.")] = 16 << 20

    @field_validator("provider", "receiver", "token")
    @classmethod
    def _account(cls, value: str | None) -> str | None:
        return None if value is None else parse_address(value)

    @field_validator("relay")
    @classmethod
    def _relay(cls, value: str | None, known: ValidationInfo) -> str | None:
        if value is None:
            return None
        try:
            origin = parse_origin(value)
        except BadOrigin as error:
            raise ValueError(str(error)) from None
        if not origin.is_secure:
            raise ValueError("a relay is reached over https, with the certificate that relay_fingerprint names")
        if known.data.get("host") not in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - compared, not listened on
            raise ValueError("it leads to 127.0.0.1, on which this daemon has to listen: host = 127.0.0.1")
        return origin.url

    @field_validator("relay_fingerprint")
    @classmethod
    def _pin(cls, value: str | None, known: ValidationInfo) -> str | None:
        if (value is None) != (known.data.get("relay") is None):
            raise ValueError("relay and relay_fingerprint go together")
        return None if value is None else to_hex(parse_bytes32(value, "relay_fingerprint"))

    @field_validator("public_host")
    @classmethod
    def _not_the_relay(cls, value: str | None, known: ValidationInfo) -> str | None:
        if value is None and known.data.get("relay") is not None and known.data.get("public_ports") is not None:
            raise ValueError("public_ports do not lead through a relay: name the host at which they are reached")
        return value

    @field_validator("public_ports")
    @classmethod
    def _apart(cls, value: str | None, known: ValidationInfo) -> str | None:
        if value is None:
            return None
        ports = PortRange.parse(value)
        if known.data.get("runtime", "container") != "container":
            raise ValueError("they lead into pods, which need the runtime container")
        for name in ("port", "ssh_port"):
            if known.data.get(name) in ports:
                raise ValueError(f"{name} {known.data[name]}, which this daemon listens on itself, is among them")
        return str(ports)

    @field_validator("endpoint_domain")
    @classmethod
    def _domain(cls, value: str | None, known: ValidationInfo) -> str | None:
        if value is None:
            return None
        if known.data.get("runtime", "container") != "container":
            raise ValueError("its names lead into pods, which need the runtime container")
        return parse_name(value)

    @field_validator("endpoint_https_port", "endpoint_http_port")
    @classmethod
    def _free(cls, value: int, known: ValidationInfo) -> int:
        if known.data.get("endpoint_domain") is None:
            return value
        for name in ("port", "ssh_port", "endpoint_https_port"):
            if known.data.get(name) == value:
                raise ValueError(f"{value} is {name}, too")
        if (ports := known.data.get("public_ports")) is not None and value in PortRange.parse(ports):
            raise ValueError(f"{value} is among the public ports")
        return value

    @field_validator("endpoint_certificate_key")
    @classmethod
    def _both(cls, value: Path | None, known: ValidationInfo) -> Path | None:
        if (value is None) != (known.data.get("endpoint_certificate") is None):
            raise ValueError("certificate and key go together")
        return value

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
