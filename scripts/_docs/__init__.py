"""The parts of the documents that are written from code, and what the site needs besides MkDocs."""
