"""Alembic's environment of the market's database."""
