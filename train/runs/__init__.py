"""A training run: what it is set to, the files in its folder, and how good what it learned is."""
