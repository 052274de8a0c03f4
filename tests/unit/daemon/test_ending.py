from __future__ import annotations

import asyncio

from assay.daemon.ending import end_tasks


async def deaf(once: list[str]) -> None:
    """Loses the first cancellation, as a retry around a lost one does."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        once.append("asked")
    await asyncio.Event().wait()


def test_end_tasks__of_a_task_that_loses_a_cancellation__asks_again() -> None:
    async def scenario() -> tuple[list[str], bool]:
        once: list[str] = []
        task = asyncio.create_task(deaf(once))
        await asyncio.sleep(0)
        await asyncio.wait_for(end_tasks([task], ask_again_s=0.0), 5)
        return once, task.cancelled()

    assert asyncio.run(scenario()) == (["asked"], True)


def test_end_tasks__of_one_that_failed_and_one_that_ended__returns() -> None:
    async def fails() -> None:
        raise ValueError("lost")

    async def scenario() -> list[bool]:
        tasks = [asyncio.create_task(fails()), asyncio.create_task(asyncio.sleep(0))]
        await asyncio.sleep(0)
        await end_tasks(tasks)
        return [task.done() for task in tasks]

    assert asyncio.run(scenario()) == [True, True]
