"""The command line `mm-env`: what its commands share. It may import everything, and nothing imports it."""
