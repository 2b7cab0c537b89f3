"""The best response to rival dealers, importable by its short name; it lives in `baselines.solver.best_response`."""

from baselines.solver.best_response import BestResponse, best_response, exploitability, response_value

__all__ = ["BestResponse", "best_response", "exploitability", "response_value"]
