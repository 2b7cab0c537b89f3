"""Where each of many environments stands: on a tape, or in the random numbers of its seed."""
