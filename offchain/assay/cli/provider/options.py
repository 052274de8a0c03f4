"""Options that the provider's commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.option_groups import OptionGroup
from assay.cli.output import OutputFormat
from assay.provider.settings import ProviderSettings

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="folder of databases, device keys and jobs")]
DeviceKeys = Annotated[
    list[Path] | None,
    typer.Option("--device-key", help="key file of a device; default all in DATA_DIR/devices"),
]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="file with the password of the key files")]
Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="table, json or csv", envvar="ASSAY_OUTPUT")]


@dataclass(frozen=True)
class ReadingOptions(OptionGroup):
    """Where the chain is, and whose devices. Each option is an ASSAY_ variable too."""

    rpc: Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; may be repeated")] = None
    deployment: Annotated[Path | None, typer.Option("--deployment", help="deployment file with addresses and ABIs")] = (
        None
    )
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="encrypted key file of the provider, or of its operator")
    ] = None
    provider: Annotated[
        str | None, typer.Option("--provider", help="address of the provider, where the key is an operator's")
    ] = None
    data_dir: DataDir = None

    def settings(self, **more: Any) -> ProviderSettings:
        """These and `more` over the environment. Raises BadSetting."""
        return ProviderSettings.load({**vars(self), **more})


@dataclass(frozen=True)
class SendingOptions(ReadingOptions):
    """The same with what opens the keys."""

    password_file: PasswordFile = None
