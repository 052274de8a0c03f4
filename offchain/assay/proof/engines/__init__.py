"""Engines that prove: all produce the same bytes, and differ in speed only."""

from assay.proof.engines.registry import NAMES, Engine, engine

__all__ = ["NAMES", "Engine", "engine"]
