"""The check inside a pod: what it measures, and what is made of what it says."""

from __future__ import annotations

import json
import re
import shutil
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


def shortened(text: str) -> str:
    """The script with little to do."""
    for name, value in (
        ("FILE_BYTES", 4 << 20),
        ("LINK_BYTES", 1 << 20),
        ("LINK_SECONDS", 0),
        ("COPY_BYTES", 1 << 20),
        ("COPY_SECONDS", 0),
    ):
        text, count = re.subn(rf"\b{name} = .*", f"{name} = {value}", text)
        assert count == 1
    return text


def told(values: str, cards: str = "[]") -> str:
    return f'noise\n{MARK}{{"values": {values}, "cards": {cards}}}\n'


def short(found: PodMeasurement) -> set[str]:
    return {line.name for line in compared(SHEET, found) if line.short}


@pytest.mark.slow
def test_script__run_by_a_bare_python__measures_the_machine_and_leaves_nothing(tmp_path: Path) -> None:
    """As it is shipped: one file, no package beside it."""
    script = tmp_path / "check.py"
    text = shortened(Path(pod_check.__file__).read_text())
    script.write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    ran = subprocess.run([sys.executable, "-I", str(script), str(work)], capture_output=True, text=True, check=True)
    found = parse_measurement(ran.stdout)
    assert {"hostCores", "hostMemoryMib", "hostDiskMib", "diskReadMbs", "diskWriteMbs"} <= set(found.values)
    if not found.models:  # no card in this machine: then nothing is said of one
        assert not {"gpus", "pcieMbs", "cardLinkMbs"} & set(found.values)
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


DRIVER = r"""
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
static size_t in, current;
static char *memory[9];
int cuInit(unsigned flags) { in = 1; return flags != 0; }
int cuDeviceGetCount(int *count) { *count = atoi(getenv("CARDS")); return !in; }
int cuDeviceGet(int *device, int n) { *device = n; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)(0x7f0000000001 + device); return 0; }
int cuCtxSetCurrent(void *context) { current = (size_t)context - 0x7f0000000000; return current < 1 || current > 8; }
int cuMemAlloc_v2(unsigned long long *at, size_t size) {
  memory[current] = malloc(size);
  *at = (size_t)memory[current];
  return 0;
}
int cuMemHostAlloc(void **at, size_t size, unsigned flags) { *at = malloc(size); return flags != 0; }
int cuMemcpyHtoD_v2(unsigned long long to, void *from, size_t size) {
  memcpy((void *)to, from, size);
  return (char *)to != memory[current];
}
int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t size) {
  memcpy(to, (void *)from, size);
  return (char *)from != memory[current];
}
int cuCtxEnablePeerAccess(void *context, unsigned flags) { return 704; }
int cuCtxSynchronize(void) { return 0; }
int cuMemcpyPeer(unsigned long long to, void *there, unsigned long long from, void *here, size_t size) {
  memcpy((void *)to, (void *)from, size);
  return (char *)to != memory[(size_t)there - 0x7f0000000000] || (char *)from != memory[current] || there == here;
}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with the driver's calls that copies in host memory."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.c").write_text(DRIVER)
    library = folder / "libcuda.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(folder / "driver.c")], check=True)
    return library


@pytest.mark.parametrize("cards", [0, 1, 2, 8])
def test_links__of_so_many_cards__are_measured_where_there_are_any(cards: int, driver: Path, tmp_path: Path) -> None:
    script = tmp_path / "check.py"
    script.write_text(shortened(Path(pod_check.__file__).read_text()))
    command = [sys.executable, "-I", str(script), pod_check.LINKS, str(driver)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env={"CARDS": str(cards)})
    to_host, between = json.loads(ran.stdout)
    assert (to_host > 0, between > 0) == (cards > 0, cards > 1)


@pytest.mark.parametrize("library", ["libno-such-driver.so.1", "libc.so.6"])
def test_links__without_a_driver__are_told_as_none(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((OSError, AttributeError)):
        pod_check.link_rates(library)
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **named: run([*command[:-1], library], **named))
    assert pod_check.links() == (0, 0)


def test_compared__what_no_sheet_has__is_told_and_never_short() -> None:
    (line,) = (one for one in compared(SHEET, PodMeasurement({"hostMemoryGbs": 1}, ())) if one.measured)
    assert (line.name, line.measured, line.unit, line.short) == ("hostMemoryGbs", 1, "GB/s", False)


def test_compared__a_card_on_half_its_lanes__is_short_of_its_link() -> None:
    sheet = {"pcieMbs": SheetValue(63_008, "MB/s", Source.declared)}
    whole, half = (compared(sheet, PodMeasurement({"pcieMbs": rate}, ()))[0].short for rate in (55_000, 27_000))
    assert (whole, half) == (False, True)
