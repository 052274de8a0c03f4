# The market: its pages' npm files, its benchmark, the economic model.
.PHONY: market-assets market-pictures bench-market simulate test-deep-market

VENDORED := offchain/assay/market/web/static/vendor

market-assets: setup ## Copy htmx and uPlot from node_modules into the package
	mkdir -p $(VENDORED)
	@# Only what differs: it may be served at the time.
	install -C -m 644 node_modules/htmx.org/dist/htmx.min.js node_modules/uplot/dist/uPlot.iife.min.js \
	  node_modules/uplot/dist/uPlot.min.css node_modules/js-sha3/build/sha3.min.js $(VENDORED)/

market-pictures: build ## Take the pictures of docs/how-to/market.md anew
	PYTHONPATH=tests/integration python -m market_service.pictures

bench-market: setup ## Search at 1,000 to 500,000 devices, indexing; writes docs/reference/benchmarks.md (four minutes)
	python -m benchmarks.market.search --page

simulate: setup ## What each kind of cheating earns or loses
	assay simulate run --out build/economics

test-deep-market: build ## Rent with a wallet in a browser on a local network; follow a cheat (six minutes)
	pytest -p no:ape_test tests/integration/market_service -m deep
