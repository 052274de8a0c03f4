"""Templates: those that are shipped, and those that people write."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.provider.images.policy import ImagePolicy
from assay.provider.images.references import parse_reference
from assay.templates.loading import MAX_FILE, SHIPPED, BadTemplate, parse_template, read_folder, shipped, templates_of

GOOD = 'title = "T"\ndescription = "D"\nimage = "x/y:1"\n'


def test_shipped__all_of_them__are_whole() -> None:
    assert set(shipped()) == {"cuda-pytorch", "jupyterlab", "vllm", "comfyui", "blender", "debian"}
    assert len(shipped()) == len(list(SHIPPED.iterdir()))


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_shipped__each__names_an_image_that_providers_take_and_listens_inside_only(name: str) -> None:
    template = shipped()[name]
    reference = parse_reference(template.image)
    assert reference.name == template.image, "written in full"
    assert ImagePolicy().reference(template.image) == reference
    started = " ".join(template.start)
    assert "0.0.0.0" not in started  # noqa: S104
    assert bool(template.ports) == bool(template.start)
    assert all(str(port) in started for port in template.ports)
    for value in template.environment.values():
        assert not value.startswith("/") or value.startswith("/workspace")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "title"), ("=", "Invalid"), (GOOD + "extra = 1", "extra"), (GOOD + "ports = [0]", "ports"),
        (GOOD + 'start = "sh"', "start"), (GOOD + "min_memory_mib = -1", "min"),
        (GOOD + '[environment]\n"A-B" = "x"', "variable"),
        (GOOD.replace("x/y:1", ""), "image"),
    ],
)  # fmt: skip
def test_template__off_the_form__is_refused_with_its_name_and_the_fault(text: str, reason: str) -> None:
    with pytest.raises(BadTemplate, match="'t'") as refused:
        parse_template("t", text)
    assert reason.lower() in str(refused.value).lower()


def test_folder__of_ones_own__goes_before_what_is_shipped(tmp_path: Path) -> None:
    (tmp_path / "debian.toml").write_text(GOOD)
    (tmp_path / "README.md").write_text("not one")
    found = templates_of([tmp_path])
    assert found["debian"].image == "x/y:1" and set(found) == set(shipped())
    assert list(found) == sorted(found)


def test_folder__that_is_off__is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTemplate, match="No such file"):
        read_folder(tmp_path / "none")
    (tmp_path / "Not A Name.toml").write_text(GOOD)
    with pytest.raises(BadTemplate, match="name"):
        read_folder(tmp_path)
    (tmp_path / "Not A Name.toml").unlink()
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(BadTemplate, match="UTF-8"):
        read_folder(tmp_path)
    (tmp_path / "a.toml").write_bytes(b"#" * (MAX_FILE + 1))
    with pytest.raises(BadTemplate, match="longer"):
        read_folder(tmp_path)
