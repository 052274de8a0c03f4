"""Who takes part in a local network, with keys derived from anvil's public test mnemonic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

# Published with anvil and every other test chain: these keys hold nothing anywhere.
MNEMONIC = "test test test test test test test test test test test junk"
# Weak on purpose: a devnet's keys are public, and thirty strong key files would take a minute to open.
KEY_FILE_ITERATIONS = 2


@dataclass(frozen=True)
class Participant:
    """An account of the network and, where it has one, its encrypted key file."""

    name: str
    account: LocalAccount
    key_file: Path

    @property
    def address(self) -> str:
        """Checksummed address."""
        return str(self.account.address)


def participant(name: str, index: int, keys: Path, password: str) -> Participant:
    """The account at `index` of the test mnemonic, written to an encrypted key file."""
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    key_file = keys / f"{name}.json"
    encrypted = Account.encrypt(account.key, password, kdf="pbkdf2", iterations=KEY_FILE_ITERATIONS)
    key_file.write_text(json.dumps(encrypted))
    key_file.chmod(0o600)
    return Participant(name, account, key_file)
