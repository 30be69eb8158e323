"""Several runs that differ by their seed: how steady their figures are, and whose diagnosis hangs on chance."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medpriv_core.evaluation.intervals import Interval, seed_mean
from medpriv_core.evaluation.metrics import METRICS, clamped
from medpriv_core.evaluation.multiplicity import (
    AbstentionPoint,
    Multiplicity,
    abstention_curve,
    calls_of,
    compare_seeds,
    distinct_networks,
)
from medpriv_core.evaluation.predictions import Predictions
from medpriv_core.evaluation.seeds import seed_groups
from medpriv_core.evaluation.statement import (
    abstention_sentence,
    in_words,
    interval_in_words,
    multiplicity_sentence,
)
from medpriv_core.figures.multiplicity import (
    abstention_alt,
    abstention_figure,
    consensus_alt,
    consensus_counts,
    consensus_figure,
)
from medpriv_core.home import DataHome
from medpriv_core.runs.on_images import seeds_together
from medpriv_core.runs.summary import RunSummary
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import Method
from pages.parts.charts import draw_chart
from pages.parts.evaluation_view import (
    CHART_WIDTH,
    NOT_COVERED,
    TEST_SETS,
    choose_test_set,
    run_predictions,
    share,
    span,
)
from pages.parts.messages import explain_errors

TOO_FEW = (
    "Whether a diagnosis depends on the seed takes at least two finished runs with the same settings and different "
    "seeds that kept their predictions. Train one more with another seed."
)
ONE_NETWORK = (
    "These runs made exactly the same predictions, so they are one network and say nothing about chance. Where the "
    "last layer alone learns and every image is in every step, training often does not depend on the seed at all."
)


def seeds_of(runs: Sequence[RunSummary]) -> list[list[RunSummary]]:
    """Among ``runs``, the finished ones of one setting, for each setting with at least two different networks."""
    finished = {run.id: run for run in runs if run.state == "finished" and run.spec is not None}
    groups = seed_groups({run.id: run.spec for run in finished.values() if run.spec is not None})
    return [[finished[run_id] for run_id in group] for group in groups]


def draw_seeds(home: DataHome, runs: Sequence[RunSummary]) -> None:
    """Where some of ``runs`` differ by their seed alone: how far they agree, once the visitor wants to know."""
    groups = {group[0].id: group for group in seeds_of(runs)}
    if not groups:
        return
    place = st.expander(
        "Do networks trained from other seeds agree?", key="runs_seeds", icon=":material/casino:", on_change="rerun"
    )
    if not place.open:
        return
    with place:
        first = next(iter(groups))
        if len(groups) > 1:
            first = st.selectbox(
                "Runs of one setting",
                list(groups),
                format_func=lambda run_id: f"{groups[run_id][0].name} and {len(groups[run_id]) - 1} more",
                key=f"runs_seeds_of_{','.join(groups)}",
            )
        draw_multiplicity(home, groups[first])


def draw_multiplicity(home: DataHome, runs: Sequence[RunSummary]) -> None:
    """How far ``runs``, one group of ``seeds_of``, agree; a sentence where they cannot be compared."""
    with explain_errors():
        read = [(run, run_predictions(home, run.id)) for run in runs]
        kept = [(run, found) for run, found in read if found is not None]
        missing = [run.name for run, found in read if found is None]
        if missing:
            st.caption(f"Without predictions, and so left out: {for_markdown(', '.join(missing))}.")
        different = [kept[place] for place in distinct_networks([found for _, found in kept])]
        if len(different) < 2 or kept[0][0].spec is None:
            st.info(ONE_NETWORK if len(kept) > 1 else TOO_FEW, icon=":material/casino:")
            return
        if len(different) < len(kept):
            st.caption("Runs with exactly the same predictions are one network, and count once.")
        key = "_".join(sorted(run.id for run, _ in different))
        test_set = choose_test_set(different[0][1], key=f"seeds_set_{key}")
        runs, found = [run for run, _ in different], [found for _, found in different]
        _draw(runs, found, test_set, kept[0][0].spec.method, key)


def _draw(
    runs: Sequence[RunSummary],
    predictions: Sequence[Predictions],
    test_set: str,
    method: Method,
    key: str,
) -> None:
    calls, labels = calls_of(predictions, test_set)
    found, points = compare_seeds(calls), abstention_curve(calls, labels)
    st.markdown(multiplicity_sentence(found, [float(accuracy) for accuracy in (calls == labels).mean(1)]))
    about = f"{runs[0].name} and {len(runs) - 1} more, {len(labels):,} test images {TEST_SETS[test_set]}"
    _draw_means(runs, test_set)
    _draw_agreement(found, method, key, about)
    _draw_abstention(points, found.networks, method, key, about)
    st.markdown("**What do these networks cost together?**")
    st.markdown(for_markdown(seeds_together(runs)))
    st.caption(NOT_COVERED)


def _draw_means(runs: Sequence[RunSummary], test_set: str) -> None:
    st.markdown("**How steady are the figures?**")
    rows = []
    for name, metric in METRICS.items():
        if metric.compute is None:
            continue
        values = [metric.of(getattr(run.last, test_set)) for run in runs]
        known = [value for value in values if value is not None]
        if len(known) < len(runs):
            continue
        mean = seed_mean(known)
        assert mean.deviation is not None
        assert mean.interval is not None
        # Student's t knows nothing of the ends of a scale.
        possible = Interval(*clamped(metric, *mean.interval))
        rows.append(
            {
                "figure": metric.title,
                "mean": in_words(name, mean.mean),
                "standard deviation": in_words(name, mean.deviation),
                "95% interval of the mean": interval_in_words(name, possible),
                "lowest": in_words(name, min(known)),
                "highest": in_words(name, max(known)),
            }
        )
    st.dataframe(rows, hide_index=True)
    st.caption(
        f"Over {len(runs)} networks on the same images (Student's t). It says what another training would give, not "
        "what other images would."
    )


def _draw_agreement(found: Multiplicity, method: Method, key: str, about: str) -> None:
    st.markdown("**On how many images do they agree?**")
    with st.container(width=CHART_WIDTH):
        draw_chart(
            consensus_figure(found, method=method),
            key=f"consensus_{key}",
            name=f"Agreement of {found.networks} networks",
            alt=consensus_alt(found),
            caption=[about],
        )
    with st.expander("The same numbers", key=f"agreement_{key}"):
        st.dataframe(
            [
                {"networks that agree": f"{agreeing} of {found.networks}", "images": count}
                for agreeing, count in consensus_counts(found).items()
            ],
            hide_index=True,
        )
        st.dataframe(
            [
                {"figure": name, "value": share(value), "what it means": meaning}
                for name, value, meaning in (
                    ("Ambiguity", found.ambiguity, "images that some network calls otherwise than the first one"),
                    (
                        "Discrepancy",
                        found.discrepancy,
                        "images on which one single network differs most from the first",
                    ),
                    ("Disagreement", found.disagreement, "images on which two networks differ, on average over pairs"),
                )
            ],
            hide_index=True,
        )


def _draw_abstention(points: Sequence[AbstentionPoint], networks: int, method: Method, key: str, about: str) -> None:
    st.markdown("**What if it stays silent where they disagree?**")
    st.markdown(abstention_sentence(points))
    with st.container(width=CHART_WIDTH):
        draw_chart(
            abstention_figure(points, networks=networks, method=method),
            key=f"abstention_{key}",
            name=f"Answers where {networks} networks agree",
            alt=abstention_alt(points, networks=networks),
            caption=[about],
        )
    with st.expander("The same numbers", key=f"abstaining_{key}"):
        st.dataframe(
            [
                {
                    "must agree": f"{point.agreeing} of {networks}",
                    "images answered": share(point.coverage),
                    "left to a human being": share(point.deferred),
                    "right among the answers": share(point.accuracy),
                    "95% interval": span(point.interval),
                }
                for point in points
            ],
            hide_index=True,
        )
