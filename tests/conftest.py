"""For all tests: Hypothesis judges what code does, not how long a busy machine takes over it.

The same examples every time, so that a change is judged by itself; `make test-deep-units` draws new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("assay", deadline=None, derandomize=True)
settings.register_profile("assay-random", deadline=None)
settings.load_profile("assay-random" if os.environ.get("ASSAY_RANDOM_EXAMPLES") else "assay")
