"""Settings of a validator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from assay.settings.base import HOME, DataDir, ProgramSettings
from assay.validator.errors import SettingsError


class ValidatorSettings(ProgramSettings):
    """Every setting of `assay validator run`; the descriptions are printed by `assay validator init`."""

    fault = SettingsError

    data_dir: DataDir = HOME / "validator"
    signer: Annotated[
        str,
        Field(pattern="^(keyfile|remote)$", description="Where the signer's key is: keyfile, or remote (JSON-RPC)."),
    ] = "keyfile"
    signer_url: Annotated[
        str | None, Field(description="Address of the remote signer: https, or http on this machine.")
    ] = None
    signer_address: Annotated[
        str | None, Field(pattern="^0x[0-9a-fA-F]{40}$", description="Account that the remote signer signs as.")
    ] = None
    signer_ca_file: Annotated[
        Path | None, Field(description="Authority of the remote signer's certificate; absent: the system's.")
    ] = None
    signer_timeout_s: Annotated[
        float, Field(gt=0, le=60, description="Seconds that a signature may take the remote signer.")
    ] = 5.0
    account: Annotated[
        str | None,
        Field(description="Account that holds the seat; found by the signer's address where it is absent."),
    ] = None
    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535, description="Port to listen on.")] = 8600
    tls_dir: Annotated[
        Path | None,
        Field(description="Folder with certificate.pem and key.pem; absent: plain http, for a proxy on this machine."),
    ] = None
    agreement: Annotated[
        int | None,
        Field(ge=1, le=16, description="RPC endpoints that must agree on a block; absent: a majority."),
    ] = None
    workers: Annotated[int, Field(ge=1, le=256, description="Threads that verify openings.")] = 2
    verification: Annotated[
        str,
        Field(pattern="^(inprocess|dask)$", description="Where openings are verified: inprocess, or dask (a cluster)."),
    ] = "inprocess"
    dask_address: Annotated[
        str | None,
        Field(pattern="^(tcp|tls)://", description="Scheduler of the Dask cluster, tcp://host:port; for dask only."),
    ] = None
    requests_per_second: Annotated[
        float, Field(gt=0, le=1e6, description="Requests that one peer may make on average.")
    ] = 200.0
    request_burst: Annotated[float, Field(gt=0, le=1e6, description="Requests that one peer may make at once.")] = 600.0
    download_mib_per_second: Annotated[
        float, Field(gt=0, le=1e6, description="MiB of contents that one peer may fetch each second on average.")
    ] = 64.0
    download_burst_mib: Annotated[
        float, Field(ge=64, le=1e6, description="MiB of contents that one peer may fetch at once.")
    ] = 1024.0
    keep_openings: Annotated[
        int | None,
        Field(
            ge=0,
            description="Epochs for which openings are kept that enough other seats keep; at least, "
            "and where absent, until rewards can be claimed.",
        ),
    ] = None

    @model_validator(mode="after")
    def _remote_is_whole(self) -> Self:
        if self.signer == "remote" and not (self.signer_url and self.signer_address):
            raise ValueError("signer = remote needs signer_url and signer_address")
        return self

    @model_validator(mode="after")
    def _enough_to_agree(self) -> Self:
        if self.agreement is not None and self.agreement > len(self.rpc):
            raise ValueError(f"agreement of {self.agreement} endpoints, rpc names {len(self.rpc)}")
        return self
