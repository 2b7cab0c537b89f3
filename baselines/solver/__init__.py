"""The exact optimum, best responses and exact values of policies. It imports the market, never an environment."""
