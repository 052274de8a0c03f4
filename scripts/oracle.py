"""The oracle that validators run: `ape run oracle --network … --account ALIAS -- [options of assay validator run]`.

Takes the RPC address from Ape's network and the key file of an Ape account, and hands both to `assay validator run`,
which runs in this process's place. Other options, `--deployment` and `--port` among them, go behind `--`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ape
import click
from ape.cli import ConnectedProviderCommand
from ape_accounts import KeyfileAccount


def key_file(alias: str) -> Path:
    """The encrypted key file of an Ape account. Raises ClickException where Ape knows no such account."""
    try:
        account = ape.accounts.load(alias)
    except KeyError:
        known = ", ".join(sorted(ape.accounts.aliases)) or "none"
        raise click.ClickException(f"Ape knows no account {alias!r} (known: {known}); see `ape accounts`") from None
    if not isinstance(account, KeyfileAccount):
        raise click.ClickException(
            f"{alias!r} is a {type(account).__name__}; the oracle needs an account with a key file"
        )
    return account.keyfile_path


def rpc_address(provider: ape.api.ProviderAPI) -> str:
    """The HTTP address of the node that Ape is connected to."""
    address = getattr(provider, "http_uri", None) or getattr(provider, "uri", None)
    if not isinstance(address, str):
        raise click.ClickException(
            f"{provider.name} has no HTTP address; name one, as in --network http://127.0.0.1:8545"
        )
    return address


@click.command(cls=ConnectedProviderCommand)
@click.option("--account", required=True, help="Alias of the Ape account that holds the seat.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def cli(account: str, options: tuple[str, ...]) -> None:
    """Run a validator with an Ape account on an Ape network."""
    provider = ape.networks.active_provider
    assert provider is not None
    program = Path(sys.executable).with_name("assay")
    command = ["validator", "run", "--rpc", rpc_address(provider), "--key-file", str(key_file(account)), *options]
    os.execv(program, [str(program), *command])  # noqa: S606 - our own program, no shell
