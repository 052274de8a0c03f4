"""The index as pages: rendered here, nothing to build."""
