"""Logs: one JSON object a line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("line", ["structlog.get_logger().info('e', epoch=3)", "logging.getLogger('x').warning('e')"])
def test_log__of_ours_or_a_librarys__is_one_json_object_a_line(line):
    code = f"import logging, structlog; from assay.daemon import json_log; json_log.configure('info'); {line}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    value = json.loads(done.stderr)
    assert value["event"] == "e"
    assert value["level"] in ("info", "warning")
    assert "timestamp" in value
