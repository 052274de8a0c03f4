"""Options that the provider's commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import OutputFormat

Rpc = Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; may be repeated")]
DeploymentFile = Annotated[Path | None, typer.Option("--deployment", help="deployment file with addresses and ABIs")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="encrypted key file of the provider")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="file with the password of the key files")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="folder of databases, device keys and jobs")]
DeviceKeys = Annotated[
    list[Path] | None,
    typer.Option("--device-key", help="key file of a device; default all in DATA_DIR/devices"),
]
Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="table, json or csv", envvar="ASSAY_OUTPUT")]
