"""The commands of `mm-env`, one file each. They may import everything, and nothing imports them."""
