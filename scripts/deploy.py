"""Deploy the contracts: `ape run deploy --network …`.

Parameters come from `deployments/<network>.yml`; the file that ASSAY_PARAMETERS names replaces some. The artifact
goes to ASSAY_DEPLOYMENT_OUT or `build/deployments/<network>.json`. A deployment that failed half-way goes on when run
again. The deployer is the Ape account that `--account` or ASSAY_DEPLOYER names; on a local chain a test account.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ape
import click
from ape.cli import ConnectedProviderCommand

from scripts._deployment.execution import DeploymentFailed, chain_id, deploy
from scripts._deployment.files import default_artifact, load, network_of
from scripts._deployment.parameters import BadParameters

LOCAL_CHAIN = 31337


def network_name(provider: ape.api.ProviderAPI) -> str:
    """Name of the parameter file: the one for the chain that Ape is connected to, or ASSAY_NETWORK."""
    return os.environ.get("ASSAY_NETWORK") or network_of(chain_id(provider))


def deployer_account(alias: str | None, provider: ape.api.ProviderAPI) -> ape.api.AccountAPI:
    """Keys are Ape's; none is ever read from the tree."""
    if alias:
        account = ape.accounts.load(alias)
        # One question for the passphrase instead of one for each of ten transactions; APE_ACCOUNTS_<alias>_PASSPHRASE
        # answers it where nobody is there to.
        account.set_autosign(True, passphrase=os.environ.get(f"APE_ACCOUNTS_{alias}_PASSPHRASE"))
        return account
    if chain_id(provider) == LOCAL_CHAIN:
        return ape.accounts.test_accounts[0]
    raise DeploymentFailed("name the deployer's Ape account with --account or ASSAY_DEPLOYER")


@click.command(cls=ConnectedProviderCommand)
@click.option("--account", envvar="ASSAY_DEPLOYER", default=None, help="Alias of the deployer's Ape account.")
@click.option("--out", envvar="ASSAY_DEPLOYMENT_OUT", default=None, type=click.Path(path_type=Path))
def cli(account: str | None, out: Path | None) -> None:
    """Deploy the contracts of a network, or what is missing of them."""
    provider = ape.networks.active_provider
    assert provider is not None
    try:
        parameters = load(network_name(provider), os.environ.get("ASSAY_PARAMETERS"))
        path = out or default_artifact(parameters.network)
        deployer = deployer_account(account, provider)
        deploy(parameters, ape.project, provider, deployer, path, lambda line: click.echo(line, err=True))
    except (BadParameters, DeploymentFailed) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    click.echo(path)
