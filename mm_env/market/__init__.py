"""The market: every number, the law, the flow of clients and prices, and the tape. It needs NumPy alone."""
