import json
import pickle
import stat

import pytest
from eth_account import Account

from assay.chain import key_files
from assay.chain.errors import KeyFileError
from assay.chain.key_files import Key
from assay.protocol.messages import SeatClaim
from assay.protocol.signing import Domain, recover

SECRET = bytes(range(1, 33))


def test_create__then_load__same_key_private_file(tmp_path):
    path = tmp_path / "keys" / "seat.json"
    key = key_files.create(path, "password", key=Key(SECRET), light=True)
    assert key_files.load(path, "password").address == key.address == Account.from_key(SECRET).address
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_files.address_in(path) == key.address


def test_load__written_by_eth_account__same_key(tmp_path):
    path = tmp_path / "geth.json"
    path.write_text(json.dumps(Account.encrypt(SECRET, "password", kdf="scrypt", iterations=2)))
    assert key_files.load(path, "password").address == Account.from_key(SECRET).address


def test_create__file_there__never_overwritten(tmp_path):
    path = tmp_path / "k.json"
    path.write_text("something")
    with pytest.raises(KeyFileError, match="never overwritten"):
        key_files.create(path, "password", light=True)
    assert path.read_text() == "something"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is not JSON"),
        ("[]", "is not a keystore"),
        ('{"address": "00"}', "is not a keystore"),
        ('{"crypto": {}, "version": 3}', "not a version 3 keystore|does not unlock"),
        ('{"crypto": 5, "version": 3}', "not a version 3 keystore|does not unlock"),
    ],
)
def test_load__bad_file__says_so(tmp_path, content, complaint):
    path = tmp_path / "k.json"
    path.write_text(content)
    with pytest.raises(KeyFileError, match=complaint):
        key_files.load(path, "password")


def test_load__missing__says_so(tmp_path):
    with pytest.raises(KeyFileError, match="no such key file"):
        key_files.load(tmp_path / "none", "x")


def test_load__wrong_password__neither_password_nor_key_shown(tmp_path):
    path = tmp_path / "k.json"
    key_files.create(path, "right", key=Key(SECRET), light=True)
    with pytest.raises(KeyFileError, match="does not unlock") as caught:
        key_files.load(path, "hunter2")
    assert "hunter2" not in str(caught.value)


def test_key__shown_or_pickled__no_secret():
    key = Key(SECRET)
    assert SECRET.hex() not in repr(key) and SECRET.hex() not in str(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert not hasattr(key, "__dict__")


def test_sign__typed_message__recovers():
    key, domain = Key(SECRET), Domain(1, "0x" + "11" * 20)
    claim = SeatClaim(key.address, key.address, 0)
    assert recover(claim.digest(domain), key.sign(claim, domain)) == key.address


def test_password__file_first_line__then_environment(tmp_path):
    (tmp_path / "p").write_text("first\nsecond\n")
    assert key_files.password(tmp_path / "p") == "first"
    named = {key_files.PASSWORD_FILE_VARIABLE: str(tmp_path / "p")}
    assert key_files.password(environment=named) == "first"


def test_password__no_file_no_terminal__says_how(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(KeyFileError, match="--password-file"):
        key_files.password(environment={})


def test_password__missing_file__named(tmp_path):
    with pytest.raises(KeyFileError, match="none"):
        key_files.password(tmp_path / "none")
