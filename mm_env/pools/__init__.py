"""Independent jobs, on the cores of this machine or on a cluster. Imports the market's checks and extras alone."""
