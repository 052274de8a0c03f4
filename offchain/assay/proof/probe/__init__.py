"""The memory probe: a device shows that it still holds the products of its last
rounds (PROTOCOL section 3).
"""
