"""The only room that imports torch: the network, ordinary and private steps, and the worker that runs them."""

import os

# Read by torch's thread pool when it loads. By default idle threads spin while they wait for the others,
# which on a machine that is busy otherwise makes training five times slower and the last layer fifty times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
