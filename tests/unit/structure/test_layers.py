"""The shape of the code: imports point downwards, files stay readable, Ape stays out of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "offchain" / "assay"

# package -> the packages it may import
ALLOWED: dict[str, set[str]] = {
    "protocol": set(),
    "wire": {"protocol"},
    "sheet": {"protocol", "wire"},
    "proof": {"protocol"},
    "daemon": set(),
    "settings": set(),
    "templates": {"protocol", "wire"},
    "network": {"protocol"},
    "chain": {"protocol", "wire", "proof", "network", "settings"},
    "signing": {"protocol", "chain", "network"},
    "validator": {"protocol", "wire", "proof", "network", "settings", "chain", "signing", "daemon"},
    "provider": {
        "protocol",
        "wire",
        "proof",
        "network",
        "settings",
        "chain",
        "signing",
        "daemon",
        "templates",
        "sheet",
    },
    "renter": {"protocol", "wire", "proof", "network", "settings", "chain", "signing", "sheet"},
    "cluster": {"protocol", "wire", "chain", "renter"},
    "relay": {"protocol", "wire", "network", "settings", "chain", "daemon"},
    "watcher": {"protocol", "wire", "proof", "network", "settings", "chain", "signing", "daemon"},
    "market": {"protocol", "wire", "proof", "network", "settings", "chain", "daemon", "sheet", "templates"},
    "economics": {"protocol", "proof", "validator"},
    "devnet": {"protocol", "wire", "proof", "chain", "renter"},
}
# within the validator: package -> prefixes that it may not import; ports are handed in, never the services whole
VALIDATOR_FORBIDDEN: dict[str, tuple[str, ...]] = {
    "rules": tuple(
        f"assay.validator.{name}" for name in ("agreement", "phases", "storage", "peers", "chain", "ports", "services")
    ),
    "phases": ("assay.validator.agreement", "assay.validator.services", "assay.validator.epoch_"),
    "agreement": ("assay.validator.services", "assay.validator.epoch_"),
}
MAX_WIDTH = 20
SOURCES = (".py", ".sol", ".html")
SET_UP = {"__pycache__", "node_modules", ".cache"}
MODULES = sorted(PACKAGE.rglob("*.py"))


parsed = cache(lambda path: ast.parse(path.read_text()))


@cache
def imported_modules(path: Path) -> list[str]:
    return list(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.slow
@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports__of_a_package__point_downwards_only(package: str) -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in (PACKAGE / package).rglob("*.py")
        for name in imported_modules(path)
        if name.startswith("assay.") and name.split(".")[1] not in ALLOWED[package] | {package}
    ]
    assert wrong == []


@pytest.mark.parametrize("package", sorted(VALIDATOR_FORBIDDEN))
def test_imports__within_the_validator__point_downwards_only(package: str) -> None:
    paths = list((PACKAGE / "validator" / package).rglob("*.py"))
    wrong = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in paths
        for name in imported_modules(path)
        if name.startswith(VALIDATOR_FORBIDDEN[package])
    ]
    assert paths
    assert wrong == []


def test_packages__on_disk__are_all_in_the_table() -> None:
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert packages - set(ALLOWED) == {"cli"}


def test_imports__of_the_whole_package__never_name_ape() -> None:
    wrong = [str(path) for path in MODULES for name in imported_modules(path) if name.split(".")[0].startswith("ape")]
    assert wrong == []


def test_modules__measured_in_lines__stay_short() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_folders__counted_in_files__are_taken_in_at_a_glance() -> None:
    folders = [folder for top in (PACKAGE, ROOT / "tests") for folder in (top, *top.rglob("*/"))]
    widths = {
        str(folder.relative_to(ROOT)): sum(one.suffix in SOURCES for one in folder.iterdir())
        for folder in folders
        if not SET_UP & set(folder.parts)
    }
    assert {folder: width for folder, width in widths.items() if width > MAX_WIDTH} == {}


def test_files_of_tests__measured_in_lines__stay_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (ROOT / "tests").rglob("*")
        if path.suffix in SOURCES and not SET_UP & set(path.parts)
    }
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def imported_at_the_top(path: Path) -> Iterator[str]:
    """Modules that are imported when this one is: not those for types alone, nor within functions."""
    for node in parsed(path).body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_imports__followed_from_any_module__never_lead_back_to_it() -> None:
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in MODULES}
    graph = TopologicalSorter({name: set(imported_at_the_top(path)) & set(names) for name, path in names.items()})
    graph.prepare()  # raises CycleError, which names the way round


def test_contracts__measured_in_lines__stay_readable_at_a_sitting() -> None:
    # Without Ape's copies of others' contracts.
    paths = [path for path in (ROOT / "contracts").rglob("*.sol") if ".cache" not in path.parts]
    lengths = {path.name: len(path.read_text().splitlines()) for path in paths}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_public_classes__by_name__are_each_one() -> None:
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}
