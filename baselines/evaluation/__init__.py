"""Scores, intervals and comparisons of what was played. It may import the policies and the solver."""
