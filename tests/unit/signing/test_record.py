import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.signing.errors import BadRecord, DoubleSign, SittingOut
from assay.signing.record import SigningRecord
from assay.signing.statements import SigningRequest, StatementKind, statement_of
from assay.signing.witness import Witness
from tests.unit.signing.conftest import DOMAIN, observations, report, seal


def state(message):
    return statement_of(message, DOMAIN)


def reopened(record, path, key, witness, latest=7):
    record.close()
    again = SigningRecord(path, key.address, DOMAIN.separator, witness)
    return again, again.reconcile(latest)


@pytest.mark.parametrize(
    ("first", "second"),
    [(seal(), seal(root=2)), (observations(), observations(root=2)), (report(), report(total=6))],
)
def test_authorise__two_of_a_kind__second_refused(record, first, second):
    record.authorise(state(first))
    with pytest.raises(DoubleSign, match="another one was signed"):
        record.authorise(state(second))
    assert record.statements() == [state(first)]


def test_authorise__the_same_again__passes(record):
    record.authorise(state(seal()))
    record.authorise(state(seal()))
    assert len(record.statements()) == 1


@pytest.mark.parametrize(
    "other", [seal(epoch=2, root=2), seal(set_id=2, root=2), seal(seed=b"\6" * 32, root=2), report()]
)
def test_authorise__another_place__passes(record, other):
    record.authorise(state(seal()))
    record.authorise(state(other))
    assert len(record.statements()) == 2


def test_authorise__later_round__earlier_ones_are_over(record):
    record.authorise(state(report(round_=0)))
    record.authorise(state(report(round_=2, total=6)))
    with pytest.raises(DoubleSign, match="round 2 was signed"):
        record.authorise(state(report(round_=1)))
    record.authorise(state(report(round_=0)))


def test_reconcile__plain_restart__nothing_in_doubt(record, path, key, witness):
    record.authorise(state(seal(epoch=7)))
    again, doubt = reopened(record, path, key, witness)
    assert doubt == ""
    again.authorise(state(report(epoch=7)))


def test_reconcile__restored_from_yesterday__epoch_sat_out(record, path, key, witness, tmp_path):
    record.authorise(state(seal(epoch=6)))
    record.close()
    shutil.copy(path, tmp_path / "backup")
    record = SigningRecord(path, key.address, DOMAIN.separator, witness)
    record.authorise(state(seal(epoch=7)))
    record.close()
    shutil.copy(tmp_path / "backup", path)

    restored = SigningRecord(path, key.address, DOMAIN.separator, witness)
    assert "restored from a backup" in restored.reconcile(7)
    with pytest.raises(SittingOut, match="epochs up to 7 are sat out"):
        restored.authorise(state(seal(epoch=7, root=2)))
    restored.authorise(state(seal(epoch=6)))
    restored.authorise(state(seal(epoch=8)))


def test_reconcile__file_lost__epoch_sat_out(record, path, key, witness):
    record.authorise(state(seal(epoch=7)))
    record.close()
    path.unlink()
    again = SigningRecord(path, key.address, DOMAIN.separator, witness)
    assert "another record" in again.reconcile(7)
    with pytest.raises(SittingOut):
        again.authorise(state(seal(epoch=7, root=2)))


def test_reconcile__machine_restored_whole__no_witness_epoch_sat_out(record, path, key, witness):
    record.authorise(state(seal(epoch=6)))
    witness.path.unlink()
    again, doubt = reopened(record, path, key, witness)
    assert "no witness" in doubt
    with pytest.raises(SittingOut):
        again.authorise(state(seal(epoch=7)))


@pytest.mark.parametrize("content", ["", "{}", "[]", "\x00", '{"record": 1, "count": "x"}'])
def test_reconcile__witness_unreadable__in_doubt(record, path, key, witness, content):
    witness.path.write_text(content)
    assert reopened(record, path, key, witness)[1]


def test_reconcile__crash_between_record_and_witness__record_ahead_is_sure(record, path, key, witness):
    class Dead(Witness):
        def write(self, sighting):
            raise OSError("disk full")

    record._witness = Dead(witness.path)
    with pytest.raises(OSError, match="disk full"):
        record.authorise(state(seal(epoch=7)))
    again, doubt = reopened(record, path, key, witness)
    assert doubt == ""
    with pytest.raises(DoubleSign):
        again.authorise(state(seal(epoch=7, root=2)))


def test_merge__older_record__floor_not_lowered(record):
    record.merge([], 9, "taken over")
    record.merge([], 3, "taken over from an older one")
    assert record.floor == 9


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_open__damaged__says_what_to_do(path, key, witness, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(BadRecord, match="move it away"):
        SigningRecord(path, key.address, DOMAIN.separator, witness)


def test_open__other_key__refused(record, path, witness):
    with pytest.raises(BadRecord, match="is the record of"):
        SigningRecord(path, "0x" + "22" * 20, DOMAIN.separator, witness)


PLACES = st.tuples(st.sampled_from(list(StatementKind)), st.integers(0, 2), st.integers(1, 2), st.integers(0, 3))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(PLACES, st.integers(0, 2)), max_size=25))
def test_authorise__any_order_of_requests__never_two_for_one_place(tmp_path_factory, requests):
    folder = tmp_path_factory.mktemp("r")
    record = SigningRecord(folder / "r", "0x" + "11" * 20, bytes(32), Witness(folder / "w"))
    signed = {}
    for (kind, epoch, set_id, round_), digest in requests:
        statement = SigningRequest(kind, epoch, set_id, round_, bytes(32), bytes([digest]) * 32)
        try:
            record.authorise(statement)
        except DoubleSign:
            continue
        place = (kind, epoch, set_id, round_)
        assert signed.setdefault(place, digest) == digest
    record.close()


def test_authorise__record_overwritten_under_the_process_by_an_older_copy__sits_the_epoch_out(record, path, tmp_path):
    record.authorise(state(seal(epoch=7)))
    shutil.copy(path, tmp_path / "older")
    record.authorise(state(report(epoch=7)))
    path.write_bytes((tmp_path / "older").read_bytes())
    with pytest.raises(SittingOut, match="restored from a backup"):
        record.authorise(state(report(epoch=7, total=6)))
    with pytest.raises(SittingOut, match="restored from a backup"):
        record.authorise(state(report(epoch=7, total=6)))
    record.authorise(state(report(epoch=8)))


def test_authorise__record_overwritten_after_an_earlier_epoch__all_that_this_process_signed_is_sat_out(
    record, path, tmp_path
):
    shutil.copy(path, tmp_path / "empty")
    record.authorise(state(report(epoch=9)))
    path.write_bytes((tmp_path / "empty").read_bytes())
    with pytest.raises(SittingOut):
        record.authorise(state(seal(epoch=8)))
    with pytest.raises(SittingOut):
        record.authorise(state(report(epoch=9, total=6)))


def test_authorise__witness_lost_and_record_overwritten__the_process_remembers(record, path, witness, tmp_path):
    shutil.copy(path, tmp_path / "empty")
    record.authorise(state(report(epoch=7)))
    witness.path.unlink()
    path.write_bytes((tmp_path / "empty").read_bytes())
    with pytest.raises(SittingOut, match="restored from a backup"):
        record.authorise(state(report(epoch=7, total=6)))


def test_authorise__another_process_beside_this_one__nothing_in_doubt(record, path, key, witness):
    beside = SigningRecord(path, key.address, DOMAIN.separator, witness)
    record.authorise(state(seal(epoch=7)))
    beside.authorise(state(report(epoch=7)))
    record.authorise(state(observations(epoch=7)))
    beside.close()
    assert record.sits_out(7) == ""


def test_authorise__another_record_put_in_place__sits_the_epoch_out(record, path, key, witness, tmp_path):
    other = SigningRecord(tmp_path / "other.sqlite", key.address, DOMAIN.separator, Witness(tmp_path / "elsewhere"))
    other.reconcile(-1)
    other.close()
    record.authorise(state(report(epoch=7)))
    path.write_bytes((tmp_path / "other.sqlite").read_bytes())
    with pytest.raises(SittingOut, match="another record"):
        record.authorise(state(report(epoch=7, total=6)))
