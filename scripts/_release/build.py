"""`python -m scripts._release.build DIST`: wheel, sdist, SBOM, licences, checksums, provenance, and signatures where
RELEASE_KEY names an SSH key.

A release is of a clean tree whose tag `vX.Y.Z` is the package's version; `--snapshot` builds one of any tree.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts._release.licences import licence_table
from scripts._release.provenance import checksums, provenance

ROOT = Path(__file__).resolve().parents[2]
LOCKS = (ROOT / "requirements.lock", ROOT / "package-lock.json", ROOT / "scripts/_release/requirements.lock")
NAMESPACE = "assay-release"
SIGNED = ("SHA256SUMS", "provenance.json")


class CannotRelease(Exception):
    """Why nothing is built."""


def output_of(*command: str | Path, **environment: str) -> str:
    """What a command prints. Raises CannotRelease with its own words."""
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment}, check=False
    )
    if run.returncode:
        raise CannotRelease(f"{command[0]} {command[1]}: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout.strip()


def version() -> str:
    """The package's version."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def check_source(tag: str | None, changed: str, expected: str) -> None:
    """Raises CannotRelease where what would be released is not what the tag names."""
    if changed:
        raise CannotRelease(f"the tree has changes that no commit holds:\n{changed}\ncommit them, or say --snapshot")
    if tag is None:
        raise CannotRelease(f"this commit has no tag: tag it v{expected}, or say --snapshot")
    if tag != f"v{expected}":
        raise CannotRelease(f"the tag is {tag}, the package's version {expected}: one of them is wrong")


def tag_here() -> str | None:
    """The tag of this commit."""
    tags = output_of("git", "tag", "--points-at", "HEAD", "--list", "v*").split()
    return tags[0] if tags else None


def build(dist: Path, snapshot: bool) -> list[Path]:
    """Everything that is published, in the order of SHA256SUMS. Raises CannotRelease."""
    tag, changed = tag_here(), output_of("git", "status", "--porcelain")
    if not snapshot:
        check_source(tag, changed, version())
    started = now()
    # What an earlier build has left in build/lib would go into the wheel as well.
    for old in (dist, ROOT / "build/lib"):
        shutil.rmtree(old, ignore_errors=True)
    dist.mkdir(parents=True)
    # The times of the files inside are the commit's, so that whoever builds it again gets the same bytes.
    committed = output_of("git", "log", "-1", "--format=%ct")
    output_of(
        "uv", "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", dist, ".",
        SOURCE_DATE_EPOCH=committed,
    )  # fmt: skip
    (dist / ".gitignore").unlink(missing_ok=True)
    wheel = next(dist.glob("*.whl"))
    bill = bill_of(wheel)
    (dist / "sbom.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
    (dist / "LICENCES.md").write_text(licence_table(bill))
    files = sorted(dist.iterdir())
    statement = provenance(
        files,
        repository=os.environ.get("RELEASE_REPOSITORY", "https://example.org/assay"),
        commit=output_of("git", "rev-parse", "HEAD"),
        tag=None if snapshot else tag,
        locks=LOCKS,
        builder=os.environ.get("RELEASE_BUILDER", "local"),
        started=started,
        finished=now(),
    )
    (dist / "provenance.json").write_text(json.dumps(statement, indent=1) + "\n")
    (dist / "SHA256SUMS").write_text(checksums([*files, dist / "provenance.json"]))
    if key := os.environ.get("RELEASE_KEY"):
        for name in SIGNED:
            output_of("ssh-keygen", "-Y", "sign", "-f", key, "-n", NAMESPACE, dist / name)
    return sorted(dist.iterdir())


def bill_of(wheel: Path) -> dict[str, Any]:
    """A CycloneDX bill of materials of the wheel installed with locked versions, and of what its pages ship."""
    with TemporaryDirectory() as folder:
        python, tools = Path(folder, "package/bin/python"), Path(folder, "tools/bin/python")
        for one in (python, tools):
            output_of("uv", "venv", "--quiet", "--python", sys.executable, one.parents[1])
        versions = Path(folder, "constraints.txt")
        # A lock with hashes constrains only once its hashes are gone.
        output_of(
            "uv", "pip", "compile", "--quiet", "--universal", "--no-deps", "--no-header", LOCKS[0], "-o", versions
        )
        output_of("uv", "pip", "install", "--quiet", "--python", python, "--constraints", versions, wheel)
        output_of("uv", "pip", "install", "--quiet", "--python", tools, "--require-hashes", "-r", LOCKS[2])
        bill: dict[str, Any] = json.loads(
            output_of(
                tools.parent / "cyclonedx-py",
                "environment",
                python,
                "--pyproject",
                ROOT / "pyproject.toml",
                "--of",
                "JSON",
                "--output-reproducible",
            )
        )
    for component in bill["components"]:
        component.pop("externalReferences", None)  # links to chats and donations; where it was installed from
    bill["components"] += vendored()
    return bill


def vendored() -> list[dict[str, Any]]:
    """What the market's pages bring along from npm."""
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    return [
        {
            "type": "library",
            "bom-ref": f"npm:{name}",
            "name": name,
            "version": packages[f"node_modules/{name}"]["version"],
            "purl": f"pkg:npm/{name}@{packages[f'node_modules/{name}']['version']}",
            "licenses": [{"license": {"id": packages[f"node_modules/{name}"]["license"]}}],
        }
        for name in ("htmx.org", "uplot", "js-sha3")
    ]


def now() -> str:
    """RFC 3339, in seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--snapshot", action="store_true", help="of any tree, tagged or not")
    given = parser.parse_args(arguments)
    try:
        for file in build(given.dist.resolve(), given.snapshot):
            print(f"{file.stat().st_size:>10,}  {file.name}")
    except CannotRelease as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
