"""Over the wire: the sender, how many requests are in flight, waits, bounds, budgets."""
