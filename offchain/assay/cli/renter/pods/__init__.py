"""Commands about pods."""
