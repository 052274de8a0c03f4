"""Options that the provider's commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.option_groups import OptionGroup
from assay.cli.output import OutputFormat
from assay.provider.settings import ProviderSettings

if TYPE_CHECKING:
    from assay.chain.rpc.client import Chain
    from assay.provider.offers.offers import Price
    from assay.provider.offers.terms import ProviderTerms

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

    rpc: Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; repeat for more")] = None
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


@dataclass(frozen=True)
class PriceOptions(OptionGroup):
    """What a price is in and for how long it may be taken."""

    token: Annotated[
        str | None,
        typer.Option("--token", help="address of the token; default the one of the last price, or ASSAY_TOKEN"),
    ] = None
    min_duration: Annotated[int, typer.Option("--min-duration", help="seconds")] = 60
    max_duration: Annotated[int, typer.Option("--max-duration", help="seconds")] = 30 * 24 * 3600
    notice: Annotated[
        int, typer.Option("--notice", help="seconds of notice to take it back without forfeit; 0: none")
    ] = 0

    async def price(
        self, chain: Chain, terms: ProviderTerms, device: str, per_hour: str, default_token: str | None
    ) -> Price:
        """The price that these and `per_hour` whole tokens make for a device. Raises BadProviderSetting."""
        from assay.chain.contracts.erc20 import Erc20
        from assay.cli.provider.endings import decimal_of
        from assay.protocol.hexadecimal import parse_address
        from assay.provider.offers.offers import Price, rate_of

        token = parse_address(terms.token_for(device, self.token or default_token), "--token")
        rate = rate_of(decimal_of(per_hour, "price"), await Erc20(chain, token).decimals())
        return Price(token, rate, self.min_duration, self.max_duration, notice=self.notice)
