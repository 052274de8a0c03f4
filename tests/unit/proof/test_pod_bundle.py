"""What is sent into a pod: it must run there with three libraries, and be told of the right ones."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from assay.proof.pod import begin, bundle

# All that the pod's Python gets besides its own library.
LIBRARIES = {"numpy", "numba", "llvmlite", "Crypto", "numba_cuda", "yaml", "cffi", "_cffi_backend", "pycparser"}
SHOW = """
import json, sys
sys.path[:0] = [sys.argv[1]]
before = set(sys.modules)
import assay.proof.pod.prover, assay.proof.engines.cpu
home = sys.modules["assay"].__file__
mine = {name.partition(".")[0] for name in set(sys.modules) - before}
third = {
    name for name in mine
    if "site-packages" in str(getattr(sys.modules.get(name), "__file__", "")) and not name.startswith("_")
}
print(json.dumps([home, sorted(third)]))
"""


def test_bundle__unpacked_elsewhere__imports_nothing_that_a_pod_has_not(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.packed())) as packed:
        packed.extractall(tmp_path)
    ran = subprocess.run([sys.executable, "-c", SHOW, str(tmp_path)], capture_output=True, text=True, check=True)
    home, third = json.loads(ran.stdout)
    assert home.startswith(str(tmp_path)) and not home.startswith(sysconfig.get_paths()["purelib"])
    assert set(third) <= LIBRARIES, set(third) - LIBRARIES
    assert "Crypto" in third and "numba" in third


def test_bundle__made_twice__is_the_same_bytes_and_small() -> None:
    first = bundle.packed()
    bundle.packed.cache_clear()
    assert bundle.packed() == first and len(first) < 200_000


def test_first_file__read_by_old_pythons__has_nothing_that_they_do_not_know() -> None:
    compile(bundle.first_file(), "begin.py", "exec", dont_inherit=True)
    import ast

    ast.parse(bundle.first_file(), feature_version=(3, 8))


def test_requirements__of_cards__are_those_of_one_version_of_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [
        "numpy<3,>=1.26", "numba>=0.61", "web3>=7",
        'numba-cuda[cu12]<0.31; extra == "gpu"', 'numpy<2.5; extra == "gpu"',
        'numba-cuda[cu13]<0.31; extra == "gpu-cuda13"', "nvmath-python<2,>=1.0; extra == 'gpu'",
    ]  # fmt: skip
    monkeypatch.setattr(bundle, "requires", lambda name: known)
    assert bundle.requirements(on_cards=False) == ("numpy<3,>=1.26", "numba>=0.61", "pycryptodome")
    assert bundle.requirements(on_cards=True) == (
        "numpy<2.5", "numpy<3,>=1.26", "numba>=0.61", "pycryptodome", "numba-cuda[cu12]<0.31", "nvmath-python<2,>=1.0",
        "nvidia-cublas-cu12",
    )  # fmt: skip
    line = bundle.command("RUN")
    assert line[:3] == ["python3", bundle.FIRST, "RUN"] and line.count("--cards") == 1


def test_share__of_several_cards__is_one_each_of_those_that_the_pod_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begin, "has_cards", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    assert [begin.share(n, 2)["CUDA_VISIBLE_DEVICES"] for n in (0, 1)] == ["GPU-a", "GPU-b"]
    with pytest.raises(begin.Missing, match="2 cards for 3 devices"):
        begin.share(2, 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert begin.share(1, 2) == {"CUDA_VISIBLE_DEVICES": "1"}


def test_main__without_what_is_needed__says_so_in_one_line_and_leaves_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "task.json").write_text('{"devices": [{}]}')
    (tmp_path / "prover.zip").write_bytes(bundle.packed())
    monkeypatch.setattr(begin, "NEEDED", "import nothing_of_this_name")
    monkeypatch.setattr(begin, "has_cards", lambda: False)
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels/other.whl", "w") as wheel:
        wheel.writestr("other.py", "")
    assert begin.main(run, ["numpy", "--cards", "numba-cuda"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and "nothing_of_this_name" in json.loads(said[0].removeprefix(begin.MARK))["reason"]
    assert not run.exists() and (tmp_path / "site/other.py").exists()
