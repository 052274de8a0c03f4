"""For all tests: Hypothesis judges what code does, not how long a busy machine takes over it."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("assay", deadline=None)
settings.load_profile("assay")
