"""Settings that hang together are refused together, in words."""

from __future__ import annotations

import pytest

from assay.chain.key_files import Key
from assay.network.origins import Endpoint
from assay.signing.errors import SignerUnavailable
from assay.signing.remote_signer import RemoteSigner
from assay.validator.errors import SettingsError
from assay.validator.peer_client import refusal_of
from assay.validator.process import load_key
from assay.validator.settings import ValidatorSettings

ADDRESS = Key(b"\7" * 32).address
REMOTE = {"signer": "remote", "signer_url": "https://signer.example", "signer_address": ADDRESS}


def test_settings__remote_signer_named_whole__signs_instead_of_a_key_file():
    key = load_key(ValidatorSettings.load(REMOTE))
    assert isinstance(key, RemoteSigner)
    assert (key.address, key.blocks) == (ADDRESS, True)
    key.close()


@pytest.mark.parametrize("missing", ["signer_url", "signer_address"])
def test_settings__remote_signer_named_in_part__says_what_is_missing(missing):
    with pytest.raises(SettingsError, match="needs signer_url and signer_address"):
        ValidatorSettings.load({name: value for name, value in REMOTE.items() if name != missing})


def test_settings__remote_signer_in_clear_beyond_this_machine__refused():
    with pytest.raises(SignerUnavailable, match="over https"):
        load_key(ValidatorSettings.load({**REMOTE, "signer_url": "http://signer.example"}))


ENDPOINTS = [("https://a.example", True), ("http://localhost:1", True), ("http://a", False)]


@pytest.mark.parametrize(("url", "spoken_to"), ENDPOINTS)
def test_endpoint__plain_http__only_on_this_machine(url, spoken_to):
    assert (refusal_of(Endpoint(url)) is None) == spoken_to


def test_settings__more_must_agree_than_there_are_endpoints__refused():
    with pytest.raises(SettingsError, match="agreement of 3 endpoints, rpc names 2"):
        ValidatorSettings.load({"rpc": ["http://a:1", "http://b:2"], "agreement": 3})
