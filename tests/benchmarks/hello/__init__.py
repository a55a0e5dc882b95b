"""The smallest application of each peer, which imports nothing but what it needs."""
