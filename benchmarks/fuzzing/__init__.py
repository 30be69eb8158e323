"""What ``python -m benchmarks.fuzz`` tries: damage that follows from a number, and the doors by which it comes in."""
