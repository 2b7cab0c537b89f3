"""Recorded client trades: arrays and files of what was asked for and how the price moved, checked where they enter."""
