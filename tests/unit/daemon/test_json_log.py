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


def test_log__of_what_a_stranger_wrote__has_nothing_that_a_terminal_obeys():
    line = "structlog.get_logger().info('e', text='\\x1b[2J\\x9b1m\\u202egpj\\nnext')"
    code = f"import structlog; from assay.daemon import json_log; json_log.configure('info'); {line}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.isascii() and "\x1b" not in done.stderr and done.stderr.count("\n") == 1
    assert json.loads(done.stderr)["text"] == "\x1b[2J\x9b1m\u202egpj\nnext"
