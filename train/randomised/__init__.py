"""One policy for a range of markets: lanes that play markets drawn from it, and how good the policy is in each."""
