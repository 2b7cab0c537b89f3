"""Published experiments, played again in this market's law, a file each. It may import all of `baselines`."""
