"""What can go wrong in a watcher, in words for whoever runs it."""

from __future__ import annotations


class WatcherError(Exception):
    """Base; the text is safe to show."""


class BadWatcherSetting(WatcherError):
    """An option off its rules."""

    exit_status = 2


class NoAnswer(WatcherError):
    """A validator or a device gave no usable answer."""
