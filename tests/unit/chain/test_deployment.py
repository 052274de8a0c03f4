import json

import pytest

from assay.chain.deployment import REQUIRED, Deployment
from assay.chain.errors import BadDeployment


def artifact(**changes):
    contracts = {name: {"address": "0x" + f"{i + 1:040x}", "abi": []} for i, name in enumerate(REQUIRED)}
    return {
        "network": "local",
        "chainId": 31337,
        "block": 1,
        "contracts": contracts,
        "compiler": {},
        **changes,
    }


def test_load__written_file__addresses_and_domain(tmp_path):
    path = tmp_path / "local.json"
    path.write_text(json.dumps(artifact()))
    deployment = Deployment.load(path)
    assert deployment.address("StakeManager") == "0x0000000000000000000000000000000000000001"
    domain = deployment.domain("EpochOracle")
    assert (domain.chain_id, domain.verifying_contract) == (31337, deployment.address("EpochOracle"))


def test_load__file_with_a_byte_order_mark__read(tmp_path):
    path = tmp_path / "local.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(artifact()).encode())
    assert Deployment.load(path).chain_id == 31337


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is not JSON"),
        ("[1]", "the file"),
        ("{}", "network"),
        (json.dumps(artifact(chainId="x")), "chainId"),
        (json.dumps(artifact(chainId=0)), "chainId"),
        (json.dumps(artifact(contracts={})), "lacks the contracts StakeManager"),
        (json.dumps(artifact(contracts={"EpochOracle": {"address": "0x12", "abi": []}})), "address"),
    ],
)
def test_load__bad_file__says_where(tmp_path, content, complaint):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(BadDeployment, match=complaint) as caught:
        Deployment.load(path)
    assert str(path) in str(caught.value)


def test_load__missing_file__says_what_to_do(tmp_path):
    with pytest.raises(BadDeployment, match="deploy first"):
        Deployment.load(tmp_path / "none.json")


def test_load__a_folder__cannot_be_read(tmp_path):
    with pytest.raises(BadDeployment, match="cannot be read"):
        Deployment.load(tmp_path)


def test_contract__not_deployed__names_what_is():
    with pytest.raises(BadDeployment, match=r"no contract Nothing .* it has DeviceRegistry"):
        Deployment.from_json(artifact()).contract("Nothing")
