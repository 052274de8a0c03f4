"""Signing in a seat's name so that no two statements can ever be slashed for."""
