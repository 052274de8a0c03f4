"""A validator whose disk is full: it signs nothing that it could not write down, and comes back when there is room."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import suppress
from functools import lru_cache

import pytest

from assay.protocol import signing
from tests.integration.validator.anvil_network import AnvilNetwork, play, prepared
from tests.integration.validator.test_chain_faults import assert_reported, assert_sound, devices, signed_both

SIZE = 24 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A folder with little room."""
    folder = tmp_path / "node-0"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root mounts a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.deep
@pytest.mark.parametrize("since", [1.0, 9.0, 13.0, 18.0, 23.0])
def test_disk__full_for_an_epoch__nothing_unrecorded_is_signed_and_the_seat_comes_back(
    tmp_path, small_disk, monkeypatch, since
):
    monkeypatch.setattr(signing, "recover", lru_cache(maxsize=100_000)(signing.recover))
    local = asyncio.run(prepared(tmp_path / "chain", 4, devices()))
    ballast = small_disk / "ballast"

    async def fill(net: AnvilNetwork) -> None:
        await asyncio.sleep(since)
        # Without a buffer: what did not fit would be written once more, and fail once more, as the file is closed.
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        assert shutil.disk_usage(small_disk).free == 0
        await asyncio.sleep(20)
        ballast.unlink()

    try:
        network = AnvilNetwork(tmp_path, devices=devices(), local=local)
        play(network, 4, fill)
        for epoch in range(4):
            assert_reported(network, epoch)
        assert signed_both(network, 0, 3)
        assert_sound(network)
    finally:
        asyncio.run(local.stop())
