"""Reading the index: what the API and the pages show."""
