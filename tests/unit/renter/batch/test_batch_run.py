"""Batches over a market in memory: honest and other providers, a budget, and a process that is killed at any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay.renter.batch.rules import FAULTS, FRUITLESS, BatchLimits
from tests.unit.renter.batch_world import RATE, Behaviour, Bench, JumpingLoop, World, jobs_of

LIMITS = BatchLimits(max_leases=4, budget=100_000, slice=600, tries=3)
Benches = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Benches]:
    loops: list[JumpingLoop] = []

    def made(**providers: Behaviour) -> Bench:
        loops.append(JumpingLoop())
        return Bench(World(dict(providers), loops[-1], tmp_path / f"into-{len(loops)}"), monkeypatch)

    yield made
    for loop in loops:
        loop.close()


def test_batch__four_honest_providers__runs_each_job_once_and_settles_all_leases(bench: Benches) -> None:
    four = bench(**{name: Behaviour(seconds=12) for name in "abcd"})
    outcome = four.run(jobs_of(40), LIMITS)
    assert outcome is not None and outcome.stopped == "" and outcome.open_leases == ()
    assert four.frames() == {f"j{n}": f"j{n} done" for n in range(40)}
    assert len(four.world.asked) == 40 and {name for _, name in four.world.asked} == set("abcd")
    four.check_money(LIMITS.budget)
    assert outcome.progress.committed == four.world.cost()


def test_batch__cheaper_and_dearer__rents_the_cheapest_first(bench: Benches) -> None:
    two = bench(dear=Behaviour(rate=3 * RATE), cheap=Behaviour(rate=RATE))
    assert two.run(jobs_of(3), BatchLimits(1, 100_000, 600, 3)) is not None
    assert dict(two.world.rented) == {"cheap": 1}


def test_batch__little_work__is_not_spread_over_all_that_it_may_rent(bench: Benches) -> None:
    many = bench(**{name: Behaviour(seconds=1) for name in "abcdefgh"})
    many.run(jobs_of(40), BatchLimits(1, 100_000, 600, 3))
    assert sum(many.world.rented.values()) == 1
    again = bench(**{name: Behaviour(seconds=1) for name in "abcdefgh"})
    again.run(jobs_of(1), LIMITS)
    assert sum(again.world.rented.values()) == 1


def test_batch__a_provider_dies_in_the_middle__its_job_goes_to_another(bench: Benches) -> None:
    two = bench(a=Behaviour(seconds=20, dies_at=10_060), b=Behaviour(seconds=20))
    outcome = two.run(jobs_of(10), LIMITS)
    assert outcome is not None and outcome.progress.done == 10 and len(two.frames()) == 10
    assert any("goes to another" in text for text in two.world.told), two.world.told
    two.check_money(LIMITS.budget)


def test_batch__a_provider_that_refuses_every_job__is_not_rented_again_and_again(bench: Benches) -> None:
    two = bench(bad=Behaviour(refuses=True, rate=RATE // 2), good=Behaviour())
    outcome = two.run(jobs_of(6), BatchLimits(1, 100_000, 600, 3))
    assert outcome is not None and outcome.progress.done == 6
    assert two.world.rented["bad"] <= FAULTS, two.world.told
    alone = bench(bad=Behaviour(refuses=True))
    outcome = alone.run(jobs_of(6), LIMITS)
    assert outcome is not None and "has failed" in outcome.stopped and outcome.progress.done == 0
    assert alone.world.rented["bad"] == FAULTS
    alone.check_money(LIMITS.budget)


def test_batch__a_provider_that_does_not_prove_itself__costs_nothing_and_is_left(bench: Benches) -> None:
    alone = bench(bad=Behaviour(unproven=True))
    outcome = alone.run(jobs_of(2), LIMITS)
    assert outcome is not None and "has failed" in outcome.stopped
    assert alone.world.rented["bad"] == FAULTS and outcome.progress.committed == alone.world.cost() == 0


def test_batch__a_provider_that_invents_ends__is_believed_in_nothing_that_is_expected(bench: Benches) -> None:
    two = bench(bad=Behaviour(invents=True, rate=RATE // 2), good=Behaviour())
    outcome = two.run(jobs_of(20), LIMITS)
    assert outcome is not None and outcome.progress.done == 20 and len(two.frames()) == 20
    assert two.world.rented["bad"] == 1 and sum(name == "bad" for _, name in two.world.asked) == FRUITLESS
    two.check_money(LIMITS.budget)


def test_batch__a_provider_that_never_ends_a_job__is_waited_for_as_long_as_it_may_take(bench: Benches) -> None:
    two = bench(bad=Behaviour(exit_code=None, rate=RATE // 2), good=Behaviour())
    outcome = two.run(jobs_of(4, max_time=100), LIMITS)
    assert outcome is not None and outcome.progress.done == 4, two.world.told
    assert two.world.rented["bad"] <= FAULTS
    two.check_money(LIMITS.budget)


def test_batch__a_job_that_fails_everywhere__is_told_with_its_last_output_and_the_rest_is_done(bench: Benches) -> None:
    fails = frozenset({"j2"})
    three = bench(**{name: Behaviour(fails=fails) for name in "abc"})
    outcome = three.run(jobs_of(9), LIMITS)
    assert outcome is not None and (outcome.progress.done, outcome.progress.failed) == (8, 1)
    tried = [name for job, name in three.world.asked if job == "j2"]
    assert sorted(tried) == ["a", "b", "c"]
    assert any("j2 is given up" in text and "output of j2" in text for text in three.world.told)
    three.check_money(LIMITS.budget)


def test_batch__a_job_that_fails_with_the_only_provider__is_tried_there_as_often_as_it_may(bench: Benches) -> None:
    one = bench(a=Behaviour(fails=frozenset({"j1"})))
    outcome = one.run(jobs_of(3), LIMITS)
    assert outcome is not None and (outcome.progress.done, outcome.progress.failed) == (2, 1)
    assert [job for job, _ in one.world.asked].count("j1") == LIMITS.tries


def test_batch__every_job_fails_everywhere__ends_before_all_were_tried(bench: Benches) -> None:
    many = bench(**{name: Behaviour(exit_code=1) for name in "abcdef"})
    outcome = many.run(jobs_of(100), LIMITS)
    assert outcome is not None and outcome.stopped and outcome.progress.done == 0
    assert len(many.world.asked) <= LIMITS.max_leases * FRUITLESS
    many.check_money(LIMITS.budget)


@pytest.mark.parametrize("budget", [50, *(pytest.param(one, marks=pytest.mark.deep) for one in (61, 130)), 700])
def test_batch__a_budget_that_is_too_small__holds_and_says_so(bench: Benches, budget: int) -> None:
    two = bench(a=Behaviour(seconds=80), b=Behaviour(seconds=80))
    outcome = two.run(jobs_of(16), BatchLimits(4, budget, 300, 3))
    assert outcome is not None and "budget" in outcome.stopped
    assert outcome.progress.done == len(two.frames()) < 16
    two.check_money(budget)
    again = two.run(jobs_of(16), BatchLimits(4, 100_000, 300, 3))
    assert again is not None and again.progress.done == 16
    two.check_money(100_000)


def test_batch__jobs_longer_than_a_deposit__are_paid_for_to_their_end(bench: Benches) -> None:
    one = bench(a=Behaviour(seconds=200))
    outcome = one.run(jobs_of(2, max_time=400), BatchLimits(1, 100_000, 60, 3))
    assert outcome is not None and outcome.progress.done == 2
    assert len(one.world.asked) == 2 and one.world.rented["a"] == 1
    one.check_money(100_000)


def test_batch__a_provider_gives_notice_at_once__is_not_rented_again_and_again(bench: Benches) -> None:
    two = bench(bad=Behaviour(seconds=40, notice_at=0, notice=1, rate=RATE // 2), good=Behaviour(seconds=40))
    outcome = two.run(jobs_of(4), BatchLimits(1, 100_000, 600, 3))
    assert outcome is not None and outcome.progress.done == 4
    assert two.world.rented["bad"] <= FAULTS, two.world.told
    two.check_money(100_000)


def test_batch__a_provider_gives_notice__gives_it_no_job_that_would_not_end_before(bench: Benches) -> None:
    two = bench(a=Behaviour(seconds=40, notice_at=10_150, notice=100), b=Behaviour(seconds=40))
    outcome = two.run(jobs_of(12), LIMITS)
    assert outcome is not None and outcome.progress.done == 12
    assert len(two.world.asked) == 12, two.world.told  # none was lost
    two.check_money(LIMITS.budget)


def test_batch__no_offers_at_all__says_so_at_once(bench: Benches) -> None:
    none = bench()
    began = none.world.loop.time()
    outcome = none.run(jobs_of(1), LIMITS)
    assert outcome is not None and "no offer" in outcome.stopped and none.world.loop.time() - began < 60


def killed_everywhere(bench: Benches, stride: int, first: int = 1) -> int:
    """Runs a batch again and again, each time killed at another step; in how many steps one is through."""
    kill_at, pause = first, 0
    while True:
        one = bench(
            a=Behaviour(seconds=3, min_duration=10), b=Behaviour(seconds=7, fails=frozenset({"j1"}), min_duration=10)
        )
        jobs, limits, runs = jobs_of(5, max_time=60), BatchLimits(2, 3_000, 60, 3), 0
        one.world.kill_at = kill_at
        outcome = one.run(jobs, limits)
        through = outcome is not None
        while outcome is None:
            runs += 1
            one.world.loop.jumped += (pause := (pause + 7) % 50)  # jobs and leases go on meanwhile
            # Once more in the middle of what it takes up, then it is left alone.
            one.world.steps, one.world.kill_at = 0, kill_at // 2 + 1 if runs == 1 else None
            outcome = one.run(jobs, limits)
            assert runs < 5
        assert outcome.progress.done == 5 and outcome.stopped == "", (kill_at, outcome, one.world.told)
        assert one.frames() == {f"j{n}": f"j{n} done" for n in range(5)}, kill_at
        one.check_money(limits.budget)
        if through:
            return one.world.steps
        kill_at += stride


def test_batch__killed_at_many_steps__loses_nothing_and_leaves_nothing_running(bench: Benches) -> None:
    assert killed_everywhere(bench, 41) > 100


@pytest.mark.deep
def test_batch__killed_at_every_step__loses_nothing_and_leaves_nothing_running(bench: Benches) -> None:
    assert killed_everywhere(bench, 1) > 100
