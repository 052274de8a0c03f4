"""What a provider's operator looks at: counters, money, and how its devices fared."""
