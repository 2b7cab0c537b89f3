"""Rules that need no learning, and the table of their names. They may import `mm_env`; the table the solver too."""
