"""Rules that need no learning, the exact optimum, and the figures to compare them by."""
