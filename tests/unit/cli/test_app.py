"""The root of the command line: every command is there, says what it does, and completes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from assay.cli.app import GROUPS, RENTING, app
from tests.cases import deep_but


@pytest.mark.parametrize("name", sorted(RENTING))
def test_renting_command__asked_for_help__says_what_the_list_says(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"], prog_name="assay")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Usage: assay {name} ")


def test_list_of_commands__has_renting_first_and_everything() -> None:
    shown = CliRunner().invoke(app, ["--help"], prog_name="assay").stdout
    assert shown.index("Renting:") < shown.index("The rest of the network:")
    assert all(f"\n  {name} " in shown for name in (*RENTING, *GROUPS))


def test_list_of_commands__loads_none_of_them() -> None:
    """`assay --help` must not wait for web3."""
    code = "import sys; from assay.cli.app import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('web3', 'numba', 'assay.renter.renter') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "typed", "expected"),
    deep_but(
        [("zsh", "assay search --sort la", ["latency"]), ("bash", "assay context use d", ["devnet"])],
        [
            ("bash", "assay se", ["search"]),
            ("bash", "assay to", ["top-up"]),
            ("zsh", "assay search --sort la", ["latency"]),
            ("bash", "assay context use d", ["devnet"]),
        ],
    ),
)
def test_completion__at_the_root__knows_commands_options_and_contexts(
    shell: str, typed: str, expected: list[str], tmp_path: object
) -> None:
    from pathlib import Path

    contexts = Path(str(tmp_path)) / "contexts.json"
    contexts.write_text('{"current": null, "contexts": {"devnet": {}, "main": {}}}')
    words = typed.split(" ")
    environment = {
        **os.environ,
        "_ASSAY_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": typed,
        "ASSAY_CONTEXTS": str(contexts),
    }
    program = "from assay.cli.app import main; main()"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert all(word in done.stdout for word in expected), done


def test_commands__of_the_root__take_the_same_words_for_the_same_thing() -> None:
    """A renter learns an option once: the same name has the same help wherever it stands."""
    helps: dict[str, set[str]] = {}
    root = get_command(app)
    for name in RENTING:
        for parameter in root.get_command(None, name).params:  # type: ignore[attr-defined]
            if parameter.param_type_name == "option" and parameter.opts[0] in ("--rpc", "--context", "--yes", "-o"):
                helps.setdefault(parameter.opts[0], set()).add(str(parameter.help))
    assert {option: len(texts) for option, texts in helps.items()} == dict.fromkeys(helps, 1)


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_group__asked_for_help__is_plain_and_installs_no_completion_of_its_own(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"], prog_name="assay")
    assert done.exit_code == 0 and done.stdout.startswith("Usage: ")
    assert "--install-completion" not in done.stdout


def test_version__asked_for__is_the_packages() -> None:
    from importlib.metadata import version

    assert CliRunner().invoke(app, ["--version"]).stdout == f"assay {version('assay')}\n"
