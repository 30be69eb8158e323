"""Benchmarks: ratios measured side by side, started as ``python -m benchmarks.NAME``."""
