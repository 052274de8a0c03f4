"""Every command ends with one line: 2 for what was asked wrongly, 1 for what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from assay.chain.errors import BadDeployment, UnreachableChain
from assay.cli.endings import finish, telling
from assay.protocol.hexadecimal import HexadecimalError

from .conftest import Ran

Assay = Callable[..., Ran]


class Mine(Exception):
    """A package's own."""


class Wrong(Mine):
    """One that knows its status."""

    exit_status = 7


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HexadecimalError("0xno"), 2), (BadDeployment("no file"), 2), (UnreachableChain("http://u", "x"), 1),
        (Mine("mine"), 1), (Wrong("mine"), 7), (OSError(28, "No space left on device", "/data"), 1),
        (KeyboardInterrupt(), 130),
    ],
)  # fmt: skip
def test_telling__error__ends_with_its_status(error: BaseException, status: int) -> None:
    with pytest.raises(typer.Exit) as ended, telling(Mine):
        raise error
    assert ended.value.exit_code == status


@pytest.mark.parametrize("error", [ValueError("a bug"), TimeoutError(), Mine("of another package")])
def test_telling__what_nobody_foresaw__is_left_alone(error: Exception) -> None:
    with pytest.raises(type(error)), telling():
        raise error


def test_finish__works__gives_the_result() -> None:
    async def work() -> int:
        return 42

    assert finish(work()) == 42


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("validator run --config {folder}/none", "no such settings file"),
        ("validator status --config {folder}/none", "no such settings file"),
        ("validator history --config {folder}/none", "no such settings file"),
        ("validator export --out {folder}/x --config {folder}/none", "no such settings file"),
        ("validator import --file x --latest-epoch 1 --config {folder}/none", "no such settings file"),
        ("validator doctor --config {folder}/none", "no such settings file"),
        ("validator join --endpoint http://h:1 --config {folder}/none", "no such settings file"),
        ("validator endpoint http://h:1 --config {folder}/none", "no such settings file"),
        ("validator run --workers 0", "workers = 0"),
        ("watch --log-level loud", "log_level = 'loud'"),
        ("market run --rate -1", "market_rate = -1"),
        ("provider run --runtime paper", "runtime = 'paper'"),
        ("provider list --key-file {folder}/none", "no such key file"),
    ],
)
def test_daemons_command__asked_wrongly__ends_with_2_and_one_line(
    assay: Assay, tmp_path: Path, line: str, said: str
) -> None:
    ran = assay(*line.format(folder=tmp_path).split())
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err and ran.err.count("\n") == 1
