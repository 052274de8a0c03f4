"""The check inside a pod: what it measures, and what is made of what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from assay.sheet import pod_check
from assay.sheet.pod_check import MARK
from assay.sheet.shortfall import ENOUGH, PodMeasurement, compared, parse_measurement
from assay.sheet.values import SheetValue, Source

H100 = {"name": "NVIDIA H100 80GB HBM3", "memoryMib": 81_559, "driver": "570.86"}
SHEET = {
    "gpus": SheetValue(8, "", Source.proven),
    "modelName": SheetValue("H100 SXM", "", Source.declared),
    "memoryGb": SheetValue(80, "GB", Source.declared),
    "hostCores": SheetValue(64, "", Source.declared),
    "diskReadMbs": SheetValue(6_000, "MB/s", Source.declared),
    "bf16Tflops": SheetValue(989, "TFLOP/s", Source.declared),
    "region": SheetValue("eu-de", "", Source.declared),
}


def told(values: str, cards: str = "[]") -> str:
    return f'noise\n{MARK}{{"values": {values}, "cards": {cards}}}\n'


def short(found: PodMeasurement) -> set[str]:
    return {line.name for line in compared(SHEET, found) if line.short}


def test_script__run_by_a_bare_python__measures_the_machine_and_leaves_nothing(tmp_path: Path) -> None:
    """As it is shipped: one file, no package beside it."""
    script = tmp_path / "check.py"
    text = Path(pod_check.__file__).read_text().replace("FILE_BYTES = 256 << 20", "FILE_BYTES = 4 << 20")
    script.write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    ran = subprocess.run([sys.executable, "-I", str(script), str(work)], capture_output=True, text=True, check=True)
    found = parse_measurement(ran.stdout)
    assert {"hostCores", "hostMemoryMib", "hostDiskMib", "diskReadMbs", "diskWriteMbs"} <= set(found.values)
    assert list(work.iterdir()) == []


def test_compared__an_honest_machine__is_short_of_nothing() -> None:
    values = {"gpus": 8, "hostCores": 64, "diskReadMbs": 4_300, "bf16Tflops": 700, "memoryGb": 80}
    assert short(PodMeasurement(values, ("H100 SXM",) * 8)) == set()


@pytest.mark.parametrize(
    "values, models, expected",
    [
        ({"gpus": 7}, ("H100 SXM",) * 7, {"gpus"}),
        ({"hostCores": 63}, (), {"hostCores"}),
        ({"diskReadMbs": 4_100}, (), {"diskReadMbs"}),
        ({"bf16Tflops": 494}, (), {"bf16Tflops"}),  # shared with another tenant, or half of one
        ({"memoryGb": 40}, ("H100 SXM",), {"memoryGb"}),
        ({"gpus": 8}, ("H100 SXM",) * 7 + ("H100 PCIe",), {"modelName"}),
    ],
)
def test_compared__a_machine_with_less_than_its_sheet__is_short_of_it(
    values: dict[str, int], models: tuple[str, ...], expected: set[str]
) -> None:
    assert short(PodMeasurement(values, models)) == expected


def test_compared__what_was_not_measured__is_told_as_that() -> None:
    lines = {line.name: line for line in compared(SHEET, PodMeasurement({}, ()))}
    assert lines["hostCores"].measured is None and not lines["hostCores"].short
    assert "region" not in lines and "modelName" not in lines


def test_parse__of_cards__names_them_as_the_sheet_does() -> None:
    card = str(H100).replace("'", '"')
    found = parse_measurement(told('{"gpus": 1}', f"[{card}]"))
    assert (found.models, found.values["memoryGb"]) == (("H100 SXM",), 80)


@pytest.mark.parametrize(
    "output",
    [
        "", "Traceback", MARK, MARK + "[]", MARK + "[" * 60_000, MARK + "{}", told('{"gpus": -1}'),
        told('{"gpus": true}'), told('{"gpus": 1e30}'), told("{}", "[{}]"), told("{}", "[3]"), told("{}", "3"),
        told("{}", "[" + ",".join(["{}"] * 17) + "]"), MARK + "x" * (65 << 10),
    ],
)  # fmt: skip
def test_parse__off_its_form__is_refused(output: str) -> None:
    with pytest.raises(ValueError):
        parse_measurement(output)


def test_parse__names_that_no_sheet_has__are_left_out() -> None:
    assert parse_measurement(told('{"luck": 5, "gpus": 1}')).values == {"gpus": 1}
    assert "luck" not in ENOUGH
