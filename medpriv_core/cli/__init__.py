"""The command line: one file a command, ``main`` puts them together.

Exit codes: 0 done, 1 failed on the way (network, a crash of the worker), 2 bad input or setting,
130 stopped by the user. Results go to standard output (as JSON with ``--json``), progress and errors
to standard error.
"""
