"""The audit of the real loop, sound and broken.

On the sound loop some 330 of 512 guesses are right, give or take 11; some 470 would refute what is claimed. On the
broken loops that it can see 500 or more are right. So chance decides none of these tests in a million runs.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from medpriv_core.cli.audit import MISTAKES
from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.progress import Cancelled
from medpriv_core.training.audit import canaries
from medpriv_core.training.audit.canaries import Audited, audit_loop
from medpriv_core.training.audit.mistakes import Mistake

# What finds each mistake. Noise that can be drawn again, a divisor that follows who was drawn and statistics of the
# training set show in no attack of this kind.
FOUND_BY = {
    "noise": {"epsilon", "mu", "self_test"},
    "half_noise": {"mu", "self_test"},  # the bound on epsilon is too loose to see it
    "no_noise": {"epsilon", "mu", "self_test"},
    "fixed_seed": {"self_test"},
    "clipping": {"epsilon", "mu", "self_test"},
    "divisor": {"self_test"},
    "batch_norm": {"epsilon", "mu", "self_test"},
    "training_statistics": {"self_test"},
    "shuffling": {"epsilon", "self_test"},
}
LOOPS = [
    {"engine": "opacus", "layers": "head", "generator": "secure"},
    {"engine": "one_pass", "layers": "norms", "generator": "fast"},
    {"engine": "one_pass", "layers": "all", "generator": "secure"},
    {"engine": "opacus", "layers": "all", "generator": "fast"},
]
# The findings of the self-test that must fail.
FAILED = {
    "noise": {"noise"},
    "half_noise": {"noise"},
    "no_noise": {"noise"},
    "fixed_seed": {"repeat"},
    "clipping": {"clipping"},
    "divisor": {"divisor"},
    "batch_norm": {"apart"},
    "training_statistics": {"preprocessing"},
    "shuffling": {"sampling"},
}


def test_the_sound_loop_stands_its_audit_though_the_attack_sees_something() -> None:
    audit = audit_loop()
    assert audit.claimed_epsilon == composed_epsilon([Steps(2.0, 128 / 4096, 16 * 32)], delta=1e-6)
    assert audit.steps == 16 * 32
    assert audit.consistent
    assert {"noise", "repeat", "clipping", "apart", "divisor", "sampling", "preprocessing"} == set(audit.measured)
    # Blind guessing gives 256, and 280 once in 60 runs.
    assert 280 < audit.right < 390
    assert audit.lower_bound < audit.claimed_epsilon / 2
    assert audit.confidence >= 0.999
    assert 0.4 < audit.mu_lower_bound < audit.claimed_mu == 0.5


def toy_claim(**settings: Any) -> canaries.RunSpec:
    return canaries.RunSpec(
        dataset="canaries",
        method="dp_sgd",
        noise_multiplier=1.0,
        delta=1e-6,
        batch_size=128,
        learning_rate=canaries.LEARNING_RATE,
        momentum=0.0,
        device="cpu",
        **settings,
    )


@pytest.mark.parametrize("mistake", get_args(Mistake))
def test_each_mistake_in_the_loop_is_found_by_a_clear_margin(mistake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if FOUND_BY[mistake] == {"self_test"}:  # which comes before the steps
        monkeypatch.setattr(canaries, "EPOCHS", 1)
    audit = audit_loop(mistake)
    assert audit.mistake == mistake
    assert not audit.consistent
    assert set(audit.found_by) == FOUND_BY[mistake]
    assert FAILED[mistake] <= {name for name, finding in audit.measured.items() if not finding["holds"]}
    if "epsilon" in FOUND_BY[mistake]:
        assert audit.lower_bound > 1.3 * audit.claimed_epsilon
    if "mu" in FOUND_BY[mistake]:
        assert audit.mu_lower_bound > 1.5 * audit.claimed_mu


@pytest.mark.parametrize("settings", LOOPS, ids=str)
def test_other_loops_are_audited_too(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canaries, "EPOCHS", 2)
    audit = audit_loop(**settings)
    assert audit.consistent, audit
    assert audit.mu_lower_bound > 0.2
    assert audit.to_dict() | settings == audit.to_dict()
    assert "mu" in audit_loop("half_noise", **settings).found_by


def test_every_layer_of_the_small_network_learns_and_the_canaries_still_stay_apart() -> None:
    audited = Audited(toy_claim(trainable="all"), None, canaries.torch.device("cpu"))
    network: Any = audited._network()
    assert [type(layer).__name__ for layer in network if list(layer.parameters())] == [
        "Conv2d",
        "FrozenBatchNorm2d",
        "Linear",
    ]
    assert all(parameter.requires_grad for parameter in network.parameters())
    rows = canaries.torch.from_numpy(canaries.pictures()[:5])
    assert canaries.torch.allclose(network[:-1](rows), rows, rtol=1e-4, atol=0)


def test_the_canaries_gradients_are_clipped_to_the_clipping_norm_throughout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the attack would be weaker than the accountant's, and the audit too easy to pass."""
    monkeypatch.setattr(canaries, "EPOCHS", 2)
    monkeypatch.setattr(canaries, "NOISE_MULTIPLIER", 0.0001)
    coins = np.arange(2048) % 2 == 0
    audited = Audited(toy_claim(trainable="all"), None, canaries.torch.device("cpu"))
    taken = list(audited.steps(coins))
    assert len(taken) == 64
    for drawn, seen in taken:
        there = np.zeros(2048, dtype=bool)
        there[drawn[drawn < 2048]] = True
        assert seen[there & coins] == pytest.approx(1, abs=0.01)
        assert seen[~(there & coins)] == pytest.approx(0, abs=0.01)


def test_a_network_that_says_it_has_batch_norm_would_have_been_refused() -> None:
    """The audit is for what the engine cannot see; what it can see never trains."""
    spec = canaries.RunSpec(dataset="canaries", method="dp_sgd", noise_multiplier=1.0, device="cpu")
    network = canaries.nn.Sequential(canaries.nn.BatchNorm1d(4), canaries.nn.Linear(4, 2))
    with pytest.raises(SettingError, match="BatchNorm"):
        canaries.make_stepper(
            network,
            spec,
            noise_multiplier=1.0,
            training=canaries.private_training(spec, train_size=100),
            pass_size=10,
            mixed=None,
            device=canaries.torch.device("cpu"),
        )


def test_it_can_be_cancelled() -> None:
    def progress(phase: str, done: int, total: int) -> None:
        assert total == 16 * 32
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        audit_loop(progress=progress)


def test_the_command_knows_the_same_mistakes() -> None:
    assert set(MISTAKES) == set(get_args(Mistake))
