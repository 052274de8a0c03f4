import pytest

from assay.chain.key_files import Key
from assay.protocol.messages import EpochReport, Observations, Seal
from assay.protocol.signing import Domain
from assay.signing.record import SigningRecord
from assay.signing.witness import Witness

DOMAIN = Domain(31_337, "0x" + "11" * 20)
SEED = b"\x05" * 32


def seal(epoch=1, round_=0, root=1, seed=SEED, set_id=1):
    return Seal(epoch, set_id, round_, seed, bytes([root]) * 32, 3)


def observations(epoch=1, root=1):
    return Observations(epoch, 1, SEED, bytes([root]) * 32)


def report(epoch=1, round_=0, total=5):
    return EpochReport(epoch, 1, round_, SEED, b"\1" * 32, b"\2" * 32, total, b"\3" * 32)


@pytest.fixture
def key():
    return Key(b"\x07" * 32)


@pytest.fixture
def witness(tmp_path):
    return Witness(tmp_path / "run" / "witness")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "signed.sqlite"


@pytest.fixture
def record(path, key, witness):
    made = SigningRecord(path, key.address, DOMAIN.separator, witness)
    made.reconcile(-1)
    yield made
    made.close()
