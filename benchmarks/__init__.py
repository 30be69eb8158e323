"""Benchmarks, started as ``python -m benchmarks.NAME``: ratios measured side by side, and loops of what goes wrong."""
