"""Benchmarks, each a program of its own: `python -m bench.race --help`, docs/benchmarks.md."""
