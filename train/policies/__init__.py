"""Policies that were learned: as networks of PyTorch, in NumPy alone, and on disk. They may import `baselines`."""
