"""Parameter files: found by chain, read, put over one another, held to their bounds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from eth_utils import to_checksum_address
from pydantic import ValidationError

from scripts._deployment.bounds import out_of_bounds
from scripts._deployment.parameters import BadParameters, Parameters

FOLDER = Path("deployments")
ARTIFACTS = Path("build/deployments")

# What the files in the tree hold where whoever deploys has to name accounts of their own.
PLACEHOLDERS = {
    to_checksum_address("0x" + "00" * 20),
    to_checksum_address("0x000000000000000000000000000000000000dEaD"),
}


def refuse_placeholders(p: Parameters) -> None:
    """Raises BadParameters that names every account still to be filled in."""
    accounts = {
        **{f"token.allocations.{i}.account": a.account for i, a in enumerate(p.token.allocations)},
        **{f"governance.proposers.{i}": a for i, a in enumerate(p.governance.proposers)},
        **{f"governance.executors.{i}": a for i, a in enumerate(p.governance.executors)},
        "governance.guardian": p.governance.guardian,
    }
    left = [f"{where}: {account} is a placeholder" for where, account in accounts.items() if account in PLACEHOLDERS]
    if left:
        raise BadParameters(
            f"deployments/{p.network}.yml names accounts that are nobody's:\n  "
            + "\n  ".join(left)
            + "\nPut your own there (a multi-signature wallet for each), or name a file that does in ASSAY_PARAMETERS."
        )


def default_artifact(network: str) -> Path:
    """Where a network's deployment is written, and where programs look for it."""
    return ARTIFACTS / f"{network}.json"


def network_of(chain_id: int, folder: Path = FOLDER) -> str:
    """Name of the network whose file is for this chain. Raises BadParameters."""
    known = {int(_read(path)["chainId"]): path.stem for path in sorted(folder.glob("*.yml"))}
    if chain_id not in known:
        chains = ", ".join(f"{name} ({number})" for number, name in known.items())
        raise BadParameters(f"no file in {folder} is for chain {chain_id}; known: {chains}")
    return known[chain_id]


def load(network: str, override: str | os.PathLike[str] | None = None, folder: Path = FOLDER) -> Parameters:
    """Parameters of a network; those in the file `override` replace them, key by key. Raises BadParameters."""
    data = _read(folder / f"{network}.yml")
    if override:
        data = _merged(data, _read(Path(override)))
    return checked(data, str(override or folder / f"{network}.yml"))


def checked(data: Any, source: str) -> Parameters:
    """The parameters in parsed YAML, typed and within their bounds. Raises BadParameters with all that is wrong."""
    try:
        parameters = Parameters.model_validate(data)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
    else:
        wrong = out_of_bounds(parameters)
        if not wrong:
            return parameters
    raise BadParameters(f"{source}:\n  " + "\n  ".join(wrong))


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yml")))
        raise BadParameters(f"{path}: no such file; known networks: {known}") from None
    except (OSError, yaml.YAMLError) as error:
        raise BadParameters(f"{path}: cannot be read: {error}") from None
    if not isinstance(data, dict):
        raise BadParameters(f"{path}: is not a mapping of parameters")
    return data


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = _merged(base[key], value) if both else value
    return result
