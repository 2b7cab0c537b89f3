"""How the law is run: as plain floats, as traced Python, as machine code. It may import the market only."""
