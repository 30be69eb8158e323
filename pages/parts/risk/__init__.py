"""The pieces that say what a run risks."""
