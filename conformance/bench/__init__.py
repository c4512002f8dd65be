"""Benchmarks that anyone can run: `python -m conformance.bench`. Ratios from one run, no absolute times."""
