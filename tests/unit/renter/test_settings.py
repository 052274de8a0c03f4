"""Settings and contexts: which place goes before which, and what is refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from assay.renter.contexts import Contexts, contexts_file, read_contexts, write_contexts
from assay.renter.errors import BadInput
from assay.renter.settings import RenterSettings


def test_settings__each_place__goes_before_the_next(tmp_path: Path) -> None:
    file = tmp_path / "contexts.json"
    contexts = Contexts().setting("one", {"rpc": "http://one", "market": "http://m1"})
    write_contexts(file, contexts.setting("two", {"rpc": "http://two"}))
    environment = {"ASSAY_CONTEXTS": str(file)}
    assert RenterSettings.load({}, environment={"ASSAY_CONTEXTS": "/nonexistent"}).rpc == ["http://127.0.0.1:8545"]
    assert RenterSettings.load({}, environment=environment).rpc == ["http://one"]
    assert RenterSettings.load({}, environment={**environment, "ASSAY_RPC": "http://a, http://b"}).rpc == [
        "http://a",
        "http://b",
    ]
    named = {**environment, "ASSAY_RPC": "http://env", "ASSAY_CONTEXT": "two"}
    assert RenterSettings.load({}, environment=named).rpc == ["http://two"]
    assert RenterSettings.load({"context": "two"}, environment={**environment, "ASSAY_RPC": "http://env"}).rpc == [
        "http://two"
    ]
    assert RenterSettings.load({"context": "two", "rpc": ["http://option"]}, environment=environment).rpc == [
        "http://option"
    ]
    # A context that is named stands alone: nothing of the one in use shines through.
    assert RenterSettings.load({"context": "two"}, environment=environment).market is None
    assert RenterSettings.load({}, environment=environment).market == "http://m1"


@pytest.mark.parametrize(
    ("given", "said"),
    [({"market": "m"}, "market = 'm'"), ({"account": "0x12"}, "account"),
     ({"poll_seconds": 0}, "poll_seconds = 0"), ({"rpc": ","}, "rpc"),
     ({"final_depth": -1}, "final_depth = -1"), ({"context": "gone"}, "'gone': unknown; known: there are none yet")],
)  # fmt: skip
def test_settings__off_their_rule__name_value_and_rule(given: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        RenterSettings.of(given) if "context" not in given else RenterSettings.load(
            given, environment={"ASSAY_CONTEXTS": "/none"}
        )


def test_contexts__written__are_for_their_owner_only_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "contexts.json"
    contexts = Contexts().setting("a", {"rpc": "http://u:key@x", "nonsense": "1"}).setting("b", {"market": "http://m"})
    write_contexts(file, contexts)
    assert (
        read_contexts(file) == contexts == Contexts({"a": {"rpc": "http://u:key@x"}, "b": {"market": "http://m"}}, "a")
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_contexts(tmp_path / "none") == Contexts()
    assert contexts_file({"ASSAY_CONTEXTS": "/x"}) == Path("/x")


def test_contexts__changed_used_and_removed__keep_the_rest() -> None:
    contexts = Contexts().setting("a", {"rpc": "1"}).setting("b", {"rpc": "2"}).setting("a", {"market": "http://m"})
    assert contexts.named["a"] == {"rpc": "1", "market": "http://m"}
    assert contexts.using("b").current == "b"
    assert contexts.without("a") == Contexts({"b": {"rpc": "2"}}, None)
    for refused in (lambda: contexts.using("c"), lambda: contexts.without("c"), lambda: contexts.setting("-x", {})):
        with pytest.raises(BadInput):
            refused()


@pytest.mark.parametrize("text", ["", "[]", '{"contexts": []}', '{"contexts": {"a": 3}}', "{"])
def test_contexts__damaged_file__is_named_and_not_overwritten(tmp_path: Path, text: str) -> None:
    file = tmp_path / "contexts.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=r"contexts\.json"):
        read_contexts(file)


def test_contexts__current_that_is_gone__is_none(tmp_path: Path) -> None:
    file = tmp_path / "contexts.json"
    file.write_text(json.dumps({"current": "x", "contexts": {"a": {}}}))
    assert read_contexts(file).current is None
