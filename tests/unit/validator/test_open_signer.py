"""What a validator's record of signatures is held to at the start."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.key_files import Key
from assay.protocol.epochs import Timing
from assay.protocol.messages import Seal
from assay.protocol.signing import Domain
from assay.signing.errors import SittingOut
from assay.validator.process import open_signer

KEY = Key(b"\x07" * 32)
TIMING = Timing(1_000, 20, 5, 15, 19, 30, 2, 300)
READER: Any = SimpleNamespace(timing=TIMING, domain=Domain(31_337, "0x" + "11" * 20))


def at(timing: Timing, epoch: int) -> float:
    return float(timing.start(epoch))


def seal(epoch: int, root: int) -> Seal:
    return Seal(epoch, 1, 0, b"\x05" * 32, bytes([root]) * 32, 3)


async def test_open_signer__old_copy_of_the_record_and_a_clock_set_back__sits_out_by_the_chains_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    settings: Any = SimpleNamespace(data_dir=tmp_path / "data")
    first = open_signer(settings, KEY, READER, at(TIMING, 2))
    first.close()
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    again = open_signer(settings, KEY, READER, at(TIMING, 2))
    await again.sign_seal(seal(9, 1))
    again.close()
    shutil.rmtree(tmp_path / "run")  # the machine was started anew
    settings.data_dir = tmp_path / "copy"
    old = open_signer(settings, KEY, READER, max(at(TIMING, 3), at(TIMING, 9)))
    with pytest.raises(SittingOut):
        await old.sign_seal(seal(9, 2))
    old.close()
