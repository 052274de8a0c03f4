import pytest

from assay.chain.errors import JournalFailed
from assay.chain.transactions.intents import Attempt, Fees, SendRequest, State
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.receipts import Receipt

ME = "0x" + "aa" * 20


def attempt(n=0, cancels=False):
    return Attempt(bytes([n]) * 32, b"raw%d" % n, Fees(10 + n, n), cancels, 1_000.0 + n)


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "j.sqlite", ME, 1)
    yield made
    made.close()


def add(journal, nonce, n=None, purpose=None):
    request = SendRequest("seal", ME, b"\1", 10**30, 21_000, purpose)
    return journal.add(request, nonce, attempt(nonce if n is None else n))


def test_add__reopened__all_there(journal, tmp_path):
    intent = add(journal, 3, purpose="p")
    journal.add_attempt(intent, attempt(9, cancels=True))
    journal.close()
    again = Journal(tmp_path / "j.sqlite", ME, 1)
    assert again.unsettled() == [intent]
    assert again.attempts(intent) == [attempt(3), attempt(9, cancels=True)]
    assert again.for_purpose("p") == intent
    assert intent.request.value == 10**30
    journal._db = again._db


def test_next_nonce__gap_given_back__used_first(journal):
    add(journal, 5)
    add(journal, 7)
    assert journal.next_nonce(5) == 6
    assert journal.next_nonce(0) == 0
    assert journal.next_nonce(9) == 9


def test_mark__mined_then_reorganised__block_forgotten(journal):
    intent = add(journal, 1)
    receipt = Receipt("seal", b"\1" * 32, 50, b"\2" * 32, 21_000, True)
    mined = journal.mark_mined(intent, receipt)
    assert mined.receipt() == receipt
    assert (mined.state, mined.block_number, mined.succeeded) == (State.MINED, 50, True)
    undone = journal.mark(mined, State.OPEN)
    assert undone == intent


def test_for_purpose__failed__may_be_tried_again(journal):
    first = add(journal, 1, purpose="p")
    with pytest.raises(JournalFailed):
        add(journal, 2, purpose="p")
    journal.mark(first, State.FAILED, "why")
    assert journal.for_purpose("p") is None
    assert add(journal, 2, purpose="p").id != first.id
    assert journal.history()[1].reason == "why"


def test_add__interrupted__neither_intent_nor_attempt(journal):
    bad = Attempt(b"\1" * 32, None, Fees(1, 1), False, 0.0)
    with pytest.raises(JournalFailed):
        journal.add(SendRequest("x", ME, b"", 0, 1), 1, bad)
    assert journal.unsettled() == []


def test_open__damaged_file__says_so(tmp_path):
    (tmp_path / "j").write_bytes(b"no database " * 500)
    with pytest.raises(JournalFailed, match="cannot be opened"):
        Journal(tmp_path / "j", ME, 1)


def test_receipt__not_mined__refused(journal):
    with pytest.raises(ValueError, match="not mined"):
        add(journal, 1).receipt()
