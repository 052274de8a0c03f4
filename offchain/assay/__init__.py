"""Assay: a decentralized GPU market in which every GPU has been measured."""

__version__ = "0.1.0"
