"""Settings of a validator: from a TOML file, the environment (prefix ASSAY_), and the command line, which
wins.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from assay.chain.setting_faults import setting_fault
from assay.validator.errors import SettingsError

MEBIBYTE = 1 << 20


class ValidatorSettings(BaseSettings):
    """Every setting of `assay validator run`; the descriptions are printed by `assay validator init`."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", extra="forbid", frozen=True)

    rpc: Annotated[
        list[str], NoDecode, Field(min_length=1, description="JSON-RPC addresses, the preferred one first.")
    ] = ["http://127.0.0.1:8545"]
    deployment: Annotated[Path, Field(description="Deployment file with addresses and ABIs.")] = Path(
        "deployments/local.json"
    )
    key_file: Annotated[
        Path, Field(description="Encrypted key file of the seat's signer; it also pays for transactions.")
    ] = Path("signer.json")
    password_file: Annotated[
        Path | None, Field(description="File with the password; asked for on a terminal where it is absent.")
    ] = None
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
    data_dir: Annotated[Path, Field(description="Folder of the databases; one process at a time.")] = Path(
        "validator-data"
    )
    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535, description="Port to listen on.")] = 8600
    tls_dir: Annotated[
        Path | None,
        Field(description="Folder with certificate.pem and key.pem; absent: plain http, for a proxy on this machine."),
    ] = None
    final_depth: Annotated[
        int | None,
        Field(ge=0, le=10_000, description="Blocks below the head that count as final; absent: chain's own."),
    ] = None
    agreement: Annotated[
        int | None,
        Field(ge=1, le=16, description="RPC endpoints that must agree on a block; absent: a majority."),
    ] = None
    poll_seconds: Annotated[float, Field(gt=0, le=60, description="How often the chain is asked for blocks.")] = 0.25
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
    log_level: Annotated[
        str, Field(pattern="^(debug|info|warning|error)$", description="Least level of what is logged.")
    ] = "info"

    @field_validator("rpc", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

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

    @classmethod
    def load(cls, file: Path | None, given: Mapping[str, Any]) -> Self:
        """`given` over environment over file. Raises SettingsError naming the setting, its value and the
        rule.
        """
        values: dict[str, Any] = {}
        if file is not None:
            try:
                values = tomllib.loads(file.read_text())
            except FileNotFoundError:
                raise SettingsError(f"{file}: no such settings file") from None
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
                raise SettingsError(f"{file}: {error}") from None
        for name in cls.model_fields:
            variable = f"ASSAY_{name.upper()}"
            if variable in os.environ:
                values.pop(name, None)
        values.update({name: value for name, value in given.items() if value is not None})
        try:
            return cls(**values)
        except ValidationError as error:
            raise SettingsError(setting_fault(error)) from None
