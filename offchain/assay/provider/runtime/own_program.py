"""Programs of ours in processes of their own: the code that this daemon runs, wherever it was started from."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGES = str(Path(__file__).resolve().parents[3])


def own_program(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this package.

    Isolated: neither the environment nor the folder that it is started in, which may be a
    renter's, says what is imported.
    """
    code = f"import runpy, sys; sys.path.insert(0, {PACKAGES!r}); "
    code += f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    return [sys.executable, "-I", "-c", code, *arguments]
