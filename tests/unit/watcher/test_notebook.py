"""What a watcher remembers over a stop: what it has demanded and what that may cost, and slashes on hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.watcher.notebook import PlannedDemand, WatcherNotebook

DEVICE, OTHER = b"\x0a" * 32, b"\x0b" * 32
FIRST, SECOND, THIRD = (bytes([n]) * 32 for n in (1, 2, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watcher.sqlite"


@pytest.fixture
def notebook(path: Path):
    opened = WatcherNotebook(path)
    yield opened
    opened.close()


def test_demand__planned_made_and_ended__is_known_after_a_stop(path: Path) -> None:
    first = WatcherNotebook(path)
    first.plan_demand(FIRST, 7, DEVICE, 5, 100)
    first.plan_demand(SECOND, 7, DEVICE, 6, 100)
    first.demanded(SECOND, 40)
    first.close()
    second = WatcherNotebook(path)
    assert second.demands() == [PlannedDemand(FIRST, 7, DEVICE, 5, None), PlannedDemand(SECOND, 7, DEVICE, 6, 40)]
    second.close_demand(SECOND, "answered")
    assert [demand.demand_id for demand in second.demands()] == [FIRST]
    second.close()


def test_losses__of_a_device__add_up_over_epochs_less_what_was_not_taken_or_not_answered(
    notebook: WatcherNotebook,
) -> None:
    """A device that serves nobody, to be paid on-chain, is asked no more once it has cost enough."""
    for number, (state, epoch) in enumerate([("answered", 7), ("refused", 7), ("expired", 8), ("open", 9)]):
        demand = bytes([number]) * 32
        notebook.plan_demand(demand, epoch, DEVICE, number, 10**20 + number)
        notebook.demanded(demand, 40)
        notebook.close_demand(demand, state)
    notebook.plan_demand(b"\x7f" * 32, 7, OTHER, 0, 1)
    assert notebook.losses(DEVICE) == [10**20, 10**20 + 3]
    assert [notebook.asked(epoch, DEVICE) for epoch in (7, 8, 9, 10)] == [1, 1, 1, 0]


def test_forget__epochs_long_past__drops_what_is_over_or_was_never_made_and_keeps_what_is_open(
    notebook: WatcherNotebook,
) -> None:
    for demand in (FIRST, SECOND, THIRD):
        notebook.plan_demand(demand, 7, DEVICE, demand[0], 100)
    notebook.demanded(SECOND, 40)
    notebook.demanded(THIRD, 41)
    notebook.close_demand(THIRD, "answered")
    notebook.forget(7)
    assert notebook.asked(7, DEVICE) == 3
    notebook.forget(8)
    assert [demand.demand_id for demand in notebook.demands()] == [SECOND]
    assert notebook.losses(DEVICE) == [100]


def test_hold__until_a_moment__is_due_from_then_on_and_once(notebook: WatcherNotebook) -> None:
    notebook.held(3, 1_000, 10**22)
    notebook.held(3, 9_999, 1)  # read a second time
    notebook.held(4, 2_000, 10**22)
    assert [notebook.held_until(when) for when in (999, 1_000, 2_000)] == [[], [3], [3, 4]]
    notebook.close_hold(3)
    assert notebook.held_until(2_000) == [4]


def test_holds__read_up_to_a_block__are_read_on_from_there_after_a_stop(path: Path) -> None:
    first = WatcherNotebook(path)
    assert first.holds_read() is None
    first.note_holds_read(41)
    first.note_holds_read(45)
    first.close()
    second = WatcherNotebook(path)
    assert second.holds_read() == 45
    second.close()


def test_proof__of_many_signers__counts_as_proven_while_late_ones_are_waited_for(notebook: WatcherNotebook) -> None:
    assert notebook.plan(7, bytes(32), 3, FIRST, b"call", b"evidence")
    notebook.committed(FIRST, 40)
    assert notebook.proven() == []
    notebook.recorded(FIRST)
    assert notebook.proven() == [(7, bytes(32), 3)]
    assert [proof.recorded for proof in notebook.unfinished()] == [True]
    notebook.close_proof(FIRST, "proven")
    assert notebook.unfinished() == []
    assert notebook.proven() == [(7, bytes(32), 3)]
