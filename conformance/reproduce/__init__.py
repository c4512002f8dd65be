"""One cell as a bug report: the smallest request that fails, what was expected, and what came back."""
