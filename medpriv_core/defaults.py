"""What is taken where nobody says otherwise."""

from __future__ import annotations

# The chance with which the promise of epsilon may fail altogether. Usual where there are thousands of records: below
# one in the number of records, which the guarantee checks compare it with.
DEFAULT_DELTA = 1e-5

# Mebibytes that one pass through the network may keep for its way back.
PASS_MEMORY_MB = 1024
