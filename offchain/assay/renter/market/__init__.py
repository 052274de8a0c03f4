"""Finding devices: offers, measurements, markets, what is proven of them."""
