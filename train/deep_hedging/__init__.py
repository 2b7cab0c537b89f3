"""Gradients through the law itself: the law on smooth numbers, and a network that descends along them."""
