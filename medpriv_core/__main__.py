"""``python -m medpriv_core``, and ``medpriv`` where it is installed: the command line."""

import io
import sys

from medpriv_core.safe_path import look_here_last


def main() -> int:
    """Run the command that this process was started with; returns its exit code."""
    look_here_last()
    from medpriv_core.cli.main import main as run

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that has no ε, or a file name in an unknown encoding, is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    return run()


if __name__ == "__main__":
    sys.exit(main())
