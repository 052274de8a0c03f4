"""What contract tests share: a deployed network, and epochs made by hand."""
