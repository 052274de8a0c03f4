# The documents as a site, and the pages that are written from code.
.PHONY: docs reference docs-serve

DOCS := build/docs/venv

$(DOCS)/.installed: scripts/_docs/requirements.lock | $(VENV)/.installed
	$(BIN)/uv venv --quiet --clear $(DOCS)
	$(BIN)/uv pip install --quiet --python $(DOCS)/bin/python --require-hashes -r $<
	touch $@

docs: $(DOCS)/.installed ## Build the site of the documents into build/docs/site; a broken link or anchor fails
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict 2>&1 | sed -n "/WARNING\|ERROR\|Abort/p"

docs-serve: $(DOCS)/.installed ## Show the site on http://127.0.0.1:8000, and anew after each change
	$(DOCS)/bin/mkdocs serve

reference: setup ## Write the pages of docs/reference anew that are made from code and lock files
	python -m scripts._docs.generate
