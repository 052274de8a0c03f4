"""Carries out a plan, and goes on with one that stopped half-way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts._deployment.artifact import Artifact, plain
from scripts._deployment.creation import creation_of
from scripts._deployment.files import refuse_placeholders
from scripts._deployment.parameters import Parameters
from scripts._deployment.plan import predicted, steps


class DeploymentFailed(Exception):
    """A deployment that cannot begin or go on; the message says what to do."""


def chain_id(provider: Any) -> int:
    """The node's own answer; Ape has a fixed one for networks that it takes for its own."""
    return int(str(provider.make_request("eth_chainId", [])), 16)


def deploy(
    parameters: Parameters,
    project: Any,
    provider: Any,
    deployer: Any,
    path: Path,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Deploy what is missing; returns the artifact's data. Raises DeploymentFailed, BadParameters.

    `project`, `provider` and `deployer` are Ape's. Every contract is found or put at the address that the others were
    told, or nothing more is deployed.
    """
    if chain_id(provider) != parameters.chainId:
        raise DeploymentFailed(
            f"the chain is {chain_id(provider)}, the parameters are for {parameters.chainId}; "
            "choose the network that the file is for"
        )
    refuse_placeholders(parameters)
    artifact = _begun(parameters, provider, deployer, path)
    data = artifact.data
    plan = steps(parameters, data["genesis"])
    addresses = predicted(plan, data["deployer"], data["firstNonce"])
    for offset, step in enumerate(plan):
        address = addresses[step.name]
        arguments = step.arguments(addresses)
        contract = getattr(project, step.name)
        if provider.get_code(address):
            say(f"{step.name} stands at {address}")
            known = data["contracts"].get(step.name) or creation_of(
                provider, data["deployer"], data["firstNonce"] + offset, data["block"]
            )
        else:
            nonce = provider.get_nonce(deployer.address)
            if nonce != data["firstNonce"] + offset:
                raise DeploymentFailed(
                    f"{step.name} belongs at {address}, nonce {data['firstNonce'] + offset} of {deployer.address}, "
                    f"which is at {nonce}: the account was used for something else meanwhile. "
                    f"Remove {path} and deploy anew."
                )
            instance = deployer.deploy(contract, *arguments)
            if instance.address != address:
                raise DeploymentFailed(f"{step.name} came to stand at {instance.address}, not at {address}")
            receipt = instance.creation_metadata.receipt
            known = {"transaction": receipt.txn_hash, "block": receipt.block_number, "gas": receipt.gas_used}
            say(f"{step.name} deployed at {address}")
        inputs = contract.contract_type.constructor.inputs
        data["contracts"][step.name] = {
            "address": address,
            "abi": [entry.model_dump(mode="json", exclude_none=True) for entry in contract.contract_type.abi],
            "constructorArguments": {
                i.name.rstrip("_"): plain(value) for i, value in zip(inputs, arguments, strict=True)
            },
            "transaction": known.get("transaction"),
            "block": known.get("block", data["block"]),
            "gas": known.get("gas"),
        }
        artifact.write()
    data["complete"] = True
    artifact.write()
    return data


def _begun(parameters: Parameters, provider: Any, deployer: Any, path: Path) -> Artifact:
    wanted = parameters.model_dump(mode="json")
    artifact = Artifact.read(path)
    block = provider.get_block("latest")
    if artifact is not None:
        same_chain = artifact.data.get("chainId") == chain_id(provider) and _stands(artifact, provider)
        if same_chain and artifact.data.get("parameters") != wanted:
            raise DeploymentFailed(f"{path} holds a deployment with other parameters; remove it to deploy anew")
        if same_chain and artifact.data["deployer"] != deployer.address:
            raise DeploymentFailed(f"{path} was begun by {artifact.data['deployer']}, not by {deployer.address}")
        if same_chain:
            return artifact
    config = provider.config_manager.get_config("solidity")
    artifact = Artifact(
        path,
        {
            "network": parameters.network,
            "chainId": chain_id(provider),
            "block": block.number,
            "genesis": parameters.epochs.at(block.timestamp),
            "deployer": deployer.address,
            "firstNonce": provider.get_nonce(deployer.address),
            "complete": False,
            "compiler": {
                "name": "solc",
                "version": str(config.version),
                "evmVersion": config.evm_version,
                "optimizer": {"enabled": True, "runs": config.optimization_runs},
                "viaIR": bool(config.via_ir),
            },
            "parameters": wanted,
            "contracts": {},
        },
    )
    artifact.write()
    return artifact


def _stands(artifact: Artifact, provider: Any) -> bool:
    """Whether the artifact is of this very chain: a local chain starts anew under the same id."""
    return all(provider.get_code(c["address"]) for c in artifact.data.get("contracts", {}).values())
