"""A market from recorded client trades: what a tape tells of the parameters, with standard errors, and as a file."""
