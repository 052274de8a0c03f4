"""What a renter says of its pod, what a provider shows of one, and templates: ready-made pods by a short name."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from assay.protocol.leases import MAX_DEVICES
from assay.wire.fields import Wire
from assay.wire.jobs import Arguments, Environment

MAX_PORTS = 32
MAX_IMAGE_NAME = 255
MAX_LOGIN = 4_096
MAX_NOTES = 16
MAX_SAMPLES = 240
MAX_ENDPOINTS = 64
MAX_SHUT_REASON = 300
# Of a login before an endpoint: cost, block, lanes and bytes of scrypt. It is cheap, since what is hashed is drawn at
# random by the renter's command; so strangers' guesses cost the provider nothing.
ENDPOINT_SCRYPT = (16, 8, 1, 32)
TEMPLATE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)

Name = Annotated[str, Field(pattern=f"^{TEMPLATE_NAME.pattern}$")]
Image = Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_NAME)]
Digest = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
Ports = Annotated[list[Annotated[int, Field(ge=1, le=65_535)]], Field(max_length=MAX_PORTS)]
Finite = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Counted = Annotated[int, Field(ge=0)]
Listening = Literal["yes", "no", "loopback", "stopped"]
Phase = Literal["none", "pulling", "unpacking", "ready", "failed"]


class _Runs(Wire):
    start: Arguments = Field(default_factory=list)
    ports: Ports = Field(default_factory=list)
    environment: Environment = Field(default_factory=dict)


class PodTemplate(_Runs):
    """A ready-made pod. `start` runs when the pod starts, without it the pod is idle; `ports` are served on the pod's
    loopback, reached with `ssh -L`; `min_memory_mib` is what a card should have, 0 where none is needed."""

    name: Name
    title: Annotated[str, Field(min_length=1, max_length=60)]
    description: Annotated[str, Field(min_length=1, max_length=300)]
    image: Image
    min_memory_mib: Annotated[int, Field(ge=0, le=1 << 30)] = 0


class TemplatesBody(Wire):
    """The templates that a provider knows beside those that everybody has."""

    templates: Annotated[list[PodTemplate], Field(max_length=256)]


class LoginOfRegistry(Wire):
    """A login at a registry, for one pull."""

    user: Annotated[str, Field(min_length=1, max_length=MAX_LOGIN)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=MAX_LOGIN)]

    @field_validator("user")
    @classmethod
    def _no_colon(cls, value: str) -> str:
        if ":" in value or not value.isprintable():
            raise ValueError("a user has no colon")
        return value


class PodBody(_Runs):
    """What a pod is to start from: an image, a template of the provider's by its name, or the template with that image.
    Neither: the provider's own image. Whatever is given goes before the template's."""

    image: Image | None = None
    template: Name | None = None
    digest: Digest | None = None
    login: LoginOfRegistry | None = None


class PullBody(Wire):
    """How far an image has come: layers, and bytes as they travel."""

    layers: Annotated[int, Field(ge=0)]
    layers_done: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    total_bytes: Annotated[int, Field(ge=0)]
    resumed: Annotated[int, Field(ge=0)]


class ShareBody(Wire):
    """What of its host a pod has; sizes in bytes."""

    cores: Annotated[int, Field(ge=0)]
    memory_bytes: Annotated[int, Field(ge=0)]
    disk_bytes: Annotated[int, Field(ge=0)]
    shm_bytes: Annotated[int, Field(ge=0)]
    processes: Annotated[int, Field(ge=0)]
    open_files: Annotated[int, Field(ge=0)]
    bandwidth_bps: Annotated[int, Field(ge=0)]


class PodShownBody(Wire):
    """A pod as its renter sees it. `phase` is how far its image is, `state` how the pod stands; `ends_at` in seconds
    since 1970. `failure` is why the image could not be had, `reason` why the pod failed or stopped; `address` is where
    the renter's other pods on the same host reach it while it runs."""

    lease_id: Annotated[int, Field(ge=1)]
    state: Annotated[str, Field(max_length=20)]
    phase: Phase
    image: Annotated[str, Field(max_length=400)] | None = None
    digest: Annotated[str, Field(max_length=100)] | None = None
    notes: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=MAX_NOTES)] = Field(
        default_factory=list
    )
    pull: PullBody | None = None
    failure: Annotated[str, Field(max_length=1_000)] | None = None
    reason: Annotated[str, Field(max_length=1_000)] | None = None
    start: Arguments = Field(default_factory=list)
    ports: Ports = Field(default_factory=list)
    started_at: float | None = None
    restarts: Annotated[int, Field(ge=0)] = 0
    ends_at: Annotated[int, Field(ge=0)]
    share: ShareBody | None = None
    address: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$")] | None = None


class UseSample(Wire):
    """What a pod uses at one instant. Processor time and bytes on its network count from its start."""

    at: Finite
    cpu_seconds: Finite
    memory_bytes: Annotated[int, Field(ge=0)]
    disk_bytes: Annotated[int, Field(ge=0)]
    processes: Annotated[int, Field(ge=0)]
    received_bytes: Annotated[int, Field(ge=0)]
    sent_bytes: Annotated[int, Field(ge=0)]


class CardUse(Wire):
    """What a leased card does. Load in percent, temperature in °C, power in watts; None for what it does not tell."""

    device_id: Annotated[str, Field(pattern="^0x[0-9a-f]{64}$")]
    load: Annotated[int, Field(ge=0, le=100)] | None = None
    memory_used: Annotated[int, Field(ge=0)] | None = None
    memory_total: Annotated[int, Field(ge=0)] | None = None
    temperature: int | None = None
    power: Finite | None = None


class UseBody(Wire):
    """A lease's pod and cards: `now` is None where no pod runs, `hour` oldest first. The provider's own readings: they
    prove nothing."""

    lease_id: Annotated[int, Field(ge=1)]
    now: UseSample | None = None
    share: ShareBody | None = None
    hour: Annotated[list[UseSample], Field(max_length=MAX_SAMPLES)] = Field(default_factory=list)
    cards: Annotated[list[CardUse], Field(max_length=MAX_DEVICES)] = Field(default_factory=list)


class EndpointLogin(Wire):
    """Who may call an endpoint with HTTPS: the hash of a password and its salt, each in base64. With `bearer` user and
    password are shown as one key."""

    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    hash: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
    salt: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{22}==$")]
    bearer: bool = False


class ExposeBody(Wire):
    """A port of the pod that anybody is to reach: at this public port of the provider's or one that it chooses; or by
    HTTPS at a name that it chooses, or at a domain of the renter's, with or without a login."""

    port: Port
    protocol: Literal["tcp", "udp", "https"] = "tcp"
    public_port: Port | None = None
    domain: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    login: EndpointLogin | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.protocol == "https" and self.public_port is not None:
            raise ValueError("a name has no public port to choose")
        if self.protocol != "https" and (self.domain is not None or self.login is not None):
            raise ValueError("a domain and a login need HTTPS")
        return self


class EndpointBody(Wire):
    """A port of the pod that anybody reaches at the public one: of `host`, else of where its provider is. `listening`
    says what in the pod answers there: `loopback` is what listens for the pod alone. `shut` is why the provider has
    shut it. Bytes are those into the pod and out of it; they count from `opened_at`, or the host's start. With HTTPS
    `host` is the name, `login` who may call it, `key` where one has the key, and connections are those of the provider
    to the pod."""

    protocol: Literal["tcp", "udp", "https"]
    port: Port
    public_port: Port
    host: Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    listening: Listening
    shut: Annotated[str, Field(max_length=MAX_SHUT_REASON)] | None = None
    connections: Counted = 0
    received_bytes: Counted = 0
    sent_bytes: Counted = 0
    opened_at: Counted
    login: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    certificate: Literal["ready", "waiting"] | None = None


class EndpointsBody(Wire):
    """A lease's endpoints, how many it may have, and why the provider has shut all of them, if so."""

    endpoints: Annotated[list[EndpointBody], Field(max_length=MAX_ENDPOINTS)]
    most: Counted
    shut: Annotated[str, Field(max_length=MAX_SHUT_REASON)] | None = None
