"""The market: an index of the chain and of what validators and providers serve,
searched over HTTP and in pages.
"""
