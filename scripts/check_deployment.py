"""Compare a deployment with its parameters: `ape run check_deployment --network …`.

Reads the chain and fails if a wiring, a role or a parameter differs from `deployments/<network>.yml` (and the file that
ASSAY_PARAMETERS names), if a contract was created with other code or arguments, or if anybody but those that the file
names holds a role, the deployer above all.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import ape
import click
from ape.cli import ConnectedProviderCommand

from scripts._deployment.checks import differences
from scripts._deployment.execution import chain_id
from scripts._deployment.files import ARTIFACTS, default_artifact, load, network_of, refuse_placeholders
from scripts._deployment.parameters import BadParameters


@click.command(cls=ConnectedProviderCommand)
@click.option("--deployment", envvar="ASSAY_DEPLOYMENT", type=click.Path(path_type=Path), default=None)
def cli(deployment: Path | None) -> None:
    """Fail if the contracts on-chain are not what the parameters say."""
    provider = ape.networks.active_provider
    path = deployment or ARTIFACTS
    try:
        path = deployment or default_artifact(network_of(chain_id(provider)))
        data = json.loads(path.read_text())
        parameters = load(data["network"], os.environ.get("ASSAY_PARAMETERS"))
        refuse_placeholders(parameters)
    except (OSError, ValueError, KeyError, BadParameters) as error:
        click.echo(f"error: {path}: {error}", err=True)
        sys.exit(1)
    if chain_id(provider) != data["chainId"]:
        click.echo(f"error: the chain is {chain_id(provider)}, the deployment is on {data['chainId']}", err=True)
        sys.exit(1)
    found = differences(parameters, ape.project, provider, data)
    for line in found:
        click.echo(f"differs: {line}", err=True)
    if found:
        sys.exit(1)
    click.echo(f"{path}: {len(data['contracts'])} contracts are as {data['network']}.yml says")
