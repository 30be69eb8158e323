"""``python -m medpriv_core``: the command line."""

import io
import sys

from medpriv_core.cli.main import main

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that has no ε, or a file name in an unknown encoding, is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
