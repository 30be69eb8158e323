"""What a sound run records beside its planned facts: the generators that ran, and a self-test that it passed."""

from __future__ import annotations

from typing import Any

MEASURED: dict[str, dict[str, Any]] = {
    "noise": {"holds": True, "deviation": 1.003, "numbers": 20520},
    "repeat": {"holds": True, "one": 0.004, "two": -0.002},
    "clipping": {"holds": True, "length": 1000.0, "added": 1.0},
    "class_weights": {"holds": True, "added": 1.0},
    "apart": {"holds": True, "difference": 1e-8},
    "divisor": {"holds": True, "together": 1.0, "empty": 1.002},
    "sampling": {"holds": True, "batches": 64, "size": 0.998, "spread": 1.04},
    "preprocessing": {"holds": True, "difference": 0.0},
    "augmentation": {"holds": True},
}

RAN: dict[str, Any] = {"noise_drawn_by": "openssl", "batches_drawn_by": "openssl", "measured": MEASURED}
