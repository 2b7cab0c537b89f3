"""The Hedging Benchmark: a score for any agent, in a file that can be checked. Only commands may import it."""
