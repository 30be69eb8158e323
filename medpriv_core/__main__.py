"""``python -m medpriv_core``: the command line."""

import io
import sys

from medpriv_core.safe_path import look_here_last

if __name__ == "__main__":
    look_here_last()
    from medpriv_core.cli.main import main

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that has no ε, or a file name in an unknown encoding, is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
