"""Attacking the training loop, to see whether the epsilon that is claimed for it can be true."""
