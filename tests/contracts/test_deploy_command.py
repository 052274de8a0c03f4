"""`ape run deploy` and `ape run check_deployment` as people run them, on chains that bear the networks' ids."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx2
import pytest
import yaml
from eth_abi import encode
from eth_account import Account
from eth_utils import keccak

ROOT = Path(__file__).parents[2]
KEY = keccak(b"deployer of a rehearsal")
PASSPHRASE = "only for rehearsals"
USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
WALLETS = ["0x" + f"{n:02x}" * 20 for n in (0xA1, 0xA2, 0xA3, 0xA4)]

pytestmark = pytest.mark.deep


class Rehearsal:
    """An anvil with a network's chain id, an Ape account with a passphrase, and the accounts to fill in."""

    def __init__(self, folder: Path, chain_id: int, choice: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        port = self.url.rsplit(":", 1)[1]
        # Blocks of a second: Ape waits for confirmations on public networks.
        self.anvil = subprocess.Popen(
            ["anvil", "--chain-id", str(chain_id), "--port", port, "--block-time", "1", "--silent"]
        )
        self.folder, self.choice = folder, choice.format(url=self.url)
        self.deployer = Account.from_key(KEY).address
        self.artifact = folder / "deployment.json"
        data = folder / "ape"
        (data / "accounts").mkdir(parents=True)
        (data / "accounts" / "deployer.json").write_text(json.dumps(Account.encrypt(KEY, PASSPHRASE, iterations=2)))
        if (packages := Path.home() / ".ape" / "packages").exists():
            (data / "packages").symlink_to(packages)
        filled = folder / "accounts.yml"
        filled.write_text(
            yaml.safe_dump(
                {
                    "token": {"allocations": [{"account": WALLETS[0], "amount": "5e26"}]},
                    "governance": {"proposers": [WALLETS[1]], "executors": [WALLETS[2]], "guardian": WALLETS[3]},
                }
            )
        )
        self.environment = {
            **os.environ,
            "APE_DATA_FOLDER": str(data),
            "APE_ACCOUNTS_deployer_PASSPHRASE": PASSPHRASE,
            "ASSAY_PARAMETERS": str(filled),
            "ASSAY_DEPLOYMENT": str(self.artifact),
        }
        for _ in range(100):
            try:
                self.request("anvil_setBalance", [self.deployer, hex(10**20)])
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        self.request("anvil_setCode", [USDC, "0x00"])

    def request(self, method, params):
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return httpx2.post(self.url, json=asked, timeout=10).json()["result"]

    def command(self, name, **environment):
        extra = ["--account", "deployer", "--out", str(self.artifact)] if name == "deploy" else []
        return subprocess.Popen(
            ["ape", "run", name, "--network", self.choice, *extra],
            cwd=ROOT,
            env={**self.environment, **environment},
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, name, **environment):
        process = self.command(name, **environment)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def deployed(self):
        return len(json.loads(self.artifact.read_text())["contracts"]) if self.artifact.exists() else 0

    def kill_deploying_after(self, contracts):
        process = self.command("deploy")
        while self.deployed() < contracts and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize(
    ("network", "chain_id", "choice"),
    [("sepolia", 11155111, "ethereum:sepolia:{url}"), ("base-mainnet", 8453, "{url}")],
)
def test_deploy_command__killed_half_way__goes_on_and_is_checked(tmp_path, network, chain_id, choice):
    rehearsal = Rehearsal(tmp_path, chain_id, choice)
    try:
        code, output = rehearsal.run("deploy", ASSAY_PARAMETERS="")
        assert (
            code == 1 and "governance.guardian: 0x000000000000000000000000000000000000dEaD is a placeholder" in output
        )
        assert rehearsal.request("eth_getTransactionCount", [rehearsal.deployer, "latest"]) == "0x0"
        for contracts in (1, 5):
            rehearsal.kill_deploying_after(contracts)
            assert contracts <= rehearsal.deployed() < 10
        code, output = rehearsal.run("deploy")
        assert code == 0, output
        data = json.loads(rehearsal.artifact.read_text())
        assert (data["network"], data["chainId"], data["complete"]) == (network, chain_id, True)
        assert len(data["contracts"]) == 10 and all(c["transaction"] for c in data["contracts"].values())
        code, output = rehearsal.run("check_deployment")
        assert code == 0, output

        timelock, authority = (data["contracts"][name]["address"] for name in ("Timelock", "Authority"))
        rehearsal.request("anvil_setBalance", [timelock, hex(10**20)])
        rehearsal.request("anvil_impersonateAccount", [timelock])
        grant = keccak(b"grantRole(uint64,address,uint32)")[:4]
        call = "0x" + (grant + encode(["uint64", "address", "uint32"], [0, rehearsal.deployer, 0])).hex()
        rehearsal.request("eth_sendTransaction", [{"from": timelock, "to": authority, "data": call}])
        time.sleep(2)
        code, output = rehearsal.run("check_deployment")
        assert code == 1 and "Authority: who administers" in output and rehearsal.deployer in output
    finally:
        rehearsal.anvil.kill()
        rehearsal.anvil.wait()
