"""What every benchmark ends with: who used the machine meanwhile, and whether its figures may be believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from medpriv_core.quiet import NO_VERDICT, Watch


@contextmanager
def judged() -> Iterator[None]:
    """Measure within the block. If others used the processors meanwhile, says so and exits with 3."""
    watch = Watch()
    yield
    use = watch.use()
    print(use)
    if use.disturbed is not None:
        print(use.disturbed)
        raise SystemExit(NO_VERDICT)
