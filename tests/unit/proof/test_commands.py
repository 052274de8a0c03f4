"""`assay proof` as people and scripts call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assay.cli.app import app

HASH = "0x" + "5a" * 32
JOB = [
    "--chain-id", "31337", "--oracle", "0x8fa411f7508860f4a61d9143ff622183685cf63a", "--epoch", "7",
    "--beacon", HASH, "--device", HASH, "--nonce-root", HASH,
]  # fmt: skip
SIZES = ["--m", "32", "--n", "64", "--k", "128", "--rounds", "3", "--chunk", "32", "--profile", "5"]


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["proof", *arguments])
    return result.exit_code, result.stdout, result.stderr


def run_json(*arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, err = run(*arguments, "-o", "json")
    return code, json.loads(out) if out else {"error": err}


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    path = tmp_path / "proof"
    assert run("commit", *SIZES, *JOB, "--engine", "cpu", "--out", str(path))[0] == 0
    return path


@pytest.fixture
def opened(committed: Path) -> Path:
    path = committed.with_name("openings")
    code, _ = run_json("open", "--proof", str(committed), "--rho", HASH, "--samples", "9", "--out", str(path))
    assert code == 0
    return path


def test_commit__both_engines__the_same_root_and_every_field(tmp_path: Path) -> None:
    outs = []
    for name in ("reference", "cpu"):
        code, out = run_json("commit", *SIZES, *JOB, "--engine", name, "--out", str(tmp_path / name))
        assert code == 0
        assert {"epochSeed", "deviceSeed", "resultRoot", "elapsedMs", "gops"} <= set(out)
        outs.append((out["epochSeed"], out["deviceSeed"], out["resultRoot"]))
    assert outs[0] == outs[1]


def test_commit_open_verify__honest__valid_and_status_zero(opened: Path) -> None:
    code, out = run_json("verify", "--openings", str(opened), "--rho", HASH, "--samples", "9", *SIZES, *JOB)
    assert (code, out["valid"], out["reason"]) == (0, True, "")
    assert run("verify", "--openings", str(opened), "--rho", HASH, "--samples", "9")[0] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--samples", "8"], "expected"),
        (["--samples", "9", "--epoch", "8"], "--epoch"),
        (["--samples", "9", "--n", "128"], "--n"),
        (["--samples", "9", "--device", "0x" + "00" * 32], "--device"),
        (["--samples", "9", "--result-root", "0x" + "00" * 32], "result root"),
        (["--samples", "9", "--profile-name", "micro"], "--profile-name"),
    ],
)
def test_verify__anything_that_disagrees__invalid_with_a_reason(opened: Path, change: list[str], said: str) -> None:
    code, out = run_json("verify", "--openings", str(opened), "--rho", HASH, *change)
    assert (code, out["valid"]) == (1, False)
    assert said in out["reason"]


def test_verify__another_rho__invalid(opened: Path) -> None:
    code, out = run_json("verify", "--openings", str(opened), "--rho", "0x" + "00" * 32, "--samples", "9")
    assert (code, out["valid"]) == (1, False)


def test_verify__damaged_or_missing_files__invalid_with_a_reason(opened: Path, tmp_path: Path) -> None:
    data = opened.read_bytes()
    for name, contents in {
        "bit": data[:-1] + bytes([data[-1] ^ 1]),
        "short": data[:-1],
        "long": data + b"\0",
        "header": data[:12] + b"\xff" * 40 + data[52:],
        "headless": data[:9],
        "empty": b"",
        "other": b"not openings at all",
        "huge header": data[:8] + b"\xff\xff\xff\xff" + data[12:],
        "nested": data[:8] + (5000).to_bytes(4, "big") + b"[" * 5000,
    }.items():
        path = tmp_path / name
        path.write_bytes(contents)
        code, out = run_json("verify", "--openings", str(path), "--rho", HASH, "--samples", "9")
        assert (code, out["valid"]) == (1, False), name
        assert out["reason"], name
    code, out = run_json("verify", "--openings", str(tmp_path / "none"), "--rho", HASH)
    assert (code, out["valid"]) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--m", "33", *SIZES[2:]], "M = 33"),
        ([*SIZES[:4], "--k", "100", *SIZES[6:]], "K = 100"),
        ([*SIZES[:8], "--chunk", "16", *SIZES[10:]], "chunk = 16"),
        (SIZES[:-2], "--profile"),
        ([*SIZES, "--profile-name", "micro"], "--profile-name"),
        (["--profile-name", "giant"], "giant"),
    ],
)
def test_commit__sizes_off_the_rules__says_which_and_writes_nothing(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    code, out, err = run("commit", *arguments, *JOB, "--out", str(tmp_path / "p"))
    assert (code, out) == (2, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--beacon", "--device", "--nonce-root", "--oracle"])
def test_commit__malformed_hexadecimal__names_the_option(tmp_path: Path, option: str) -> None:
    for text in ("0x12", "zz" * 32, "0x" + "g" * 64, ""):
        arguments = list(JOB)
        arguments[arguments.index(option) + 1] = text
        code, _, err = run("commit", *SIZES, *arguments, "--out", str(tmp_path / "p"))
        assert code == 2
        assert option in err


def test_commit__an_unknown_engine_or_folder__says_so(tmp_path: Path) -> None:
    code, _, err = run("commit", *SIZES, *JOB, "--engine", "abacus", "--out", str(tmp_path / "p"))
    assert code == 2
    assert "abacus" in err
    assert "reference" in err
    code, _, err = run("commit", *SIZES, *JOB, "--out", str(tmp_path / "missing" / "p"))
    assert code == 2
    assert "cannot write" in err


def test_open__a_damaged_proof__refused(committed: Path, tmp_path: Path) -> None:
    data = committed.read_bytes()
    for place in (20, len(data) // 2, len(data) - 5):
        path = tmp_path / "damaged"
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        code, _, err = run(
            "open", "--proof", str(path), "--rho", HASH, "--samples", "2000", "--out", str(tmp_path / "o")
        )
        assert code == 2
        assert "damaged" in err or "corrupt" in err or "not a proof" in err
        assert not (tmp_path / "o").exists()


def test_fraud__honest_openings__nothing_found(opened: Path) -> None:
    code, out = run_json("fraud", "--openings", str(opened), "--rho", HASH, "--samples", "9")
    assert (code, out["found"]) == (1, False)
