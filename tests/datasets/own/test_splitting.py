"""A split that is made: nothing that belongs together is parted, and every class is on both sides where it can be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medpriv_core.datasets.own.splitting import choose_test, seen_in_both, together

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=60)


@given(LABELS, st.data())
def test_what_belongs_together_stays_together(labels: list[int], data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.none() | st.integers(0, 9), min_size=len(labels), max_size=len(labels)))
    others = data.draw(st.lists(st.integers(0, 30), min_size=len(labels), max_size=len(labels)))
    seed = data.draw(st.integers(0, 5))
    group = together(keys, others)
    test = choose_test(labels, group, share=0.25, seed=seed)
    assert not seen_in_both(keys, test)
    assert not seen_in_both(others, test)
    assert (choose_test(labels, group, share=0.25, seed=seed) == test).all()
    for one in set(labels):
        groups = {int(group[place]) for place, label in enumerate(labels) if label == one}
        learnt = {int(group[place]) for place, label in enumerate(labels) if label == one and not test[place]}
        assert learnt, "a class has lost its last group"
        assert len(groups) > 0


@given(LABELS, st.integers(0, 9))
def test_single_images_are_split_by_class_as_asked(labels: list[int], seed: int) -> None:
    test = choose_test(labels, np.arange(len(labels)), share=0.25, seed=seed)
    for one in set(labels):
        count = labels.count(one)
        tested = sum(bool(test[place]) for place, label in enumerate(labels) if label == one)
        assert tested == (0 if count == 1 else max(1, round(0.25 * count)))


def test_two_large_patients_are_on_one_side_each() -> None:
    labels = [0, 1] * 20
    patients = ["ann"] * 20 + ["bob"] * 20
    test = choose_test(labels, together(patients), share=0.2, seed=0)
    assert test.sum() == 20


def test_ties_pass_on() -> None:
    assert together(["a", None, "b", "b"], [1, 1, 1, 2]).tolist() == [0, 0, 0, 0]
    assert together([None, None]).tolist() == [0, 1]
