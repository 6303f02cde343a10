"""Measures the store of the sessions: `python -m bench.store --help`, docs/benchmarks.md."""
