"""``python -m medpriv_core``: the command line."""

import sys

from medpriv_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
