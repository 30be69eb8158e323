"""What is left of a diagnosis after noise: what networks reach that were trained on noised images.

Only what was measured, of the reference runs that are shipped: Local-DP with the same kind of noise, for the amounts
that were trained, beside the comparable runs without noise. Something is left where the whole 95 % interval is better
than what is reached without a look at the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.records.epoch import COMPARED
from medpriv_core.results.cost import comparable
from medpriv_core.results.groups import Estimate, group_results
from medpriv_core.results.labels import learned_in
from medpriv_core.results.reference import ReferenceSet, read_references
from medpriv_core.results.selection import usual_trained


@dataclass(frozen=True)
class Left:
    """What networks for one dataset reach on its test images.

    title     of the dataset
    learned   what of the network, on how large images
    word      what it is measured by
    column    the same, as ``COMPARED`` names it
    without   the figure without noise
    guessing  what it is without a look at the image
    by_beta   the figure by the amount of noise, for the amounts that were trained
    """

    title: str
    learned: str
    word: str
    column: str
    without: Estimate
    guessing: float
    by_beta: Mapping[float, Estimate]

    def is_left(self, beta: float) -> bool:
        """Whether the figure at an amount that was trained is surely better than guessing."""
        return self.by_beta[beta].low > self.guessing

    def told(self, found: Estimate) -> str:
        """A figure as people read it: "0.69"."""
        return COMPARED[self.column].metric.format(found.mean)


def left_after(noise_draw: str, references: Sequence[ReferenceSet] | None = None) -> tuple[Left, ...]:
    """What is left, by dataset, after noise of one kind.

    Args:
        noise_draw: The kind, as a specification names it: "per_pixel", "per_image", ...
        references: The shipped runs; None: read them.

    Returns:
        One for each dataset for which networks were trained with and without such noise; empty where none were.
    """
    found = []
    for reference in read_references().sets if references is None else references:
        dataset = reference.results[0].dataset
        layers = usual_trained(reference.results, dataset)
        groups = group_results(result for result in reference.results if result.trainable in layers)
        noised = [each for each in groups if each.first.method == "local_dp" and each.first.noise_draw == noise_draw]
        info = dataset_info(dataset)
        column = "test_kappa" if info.ordered else "test_auroc"
        metric = COMPARED[column].metric
        by_beta = {each.first.beta: figure for each in noised if (figure := each.estimate(column)) is not None}
        baseline = comparable(noised[0], groups, column) if noised else None
        without = baseline.estimate(column) if baseline else None
        if without is None or not by_beta or metric.guessing is None:
            continue
        guessing = metric.guessing.value(len(noised[0].first.classes), noised[0].first.majority_rate)
        if guessing is not None:
            known = {beta: figure for beta, figure in sorted(by_beta.items()) if beta is not None}
            found.append(Left(info.title, learned_in(noised[0].results), metric.word, column, without, guessing, known))
    return tuple(found)


def both_answer(left: Sequence[Left], *, hidden_from: float | None) -> str:
    """Whether there is an amount of noise that hides the patient and leaves a diagnosis, of those measured for both.

    Args:
        left: What networks reach, by dataset; at least one.
        hidden_from: The amount of noise from which on neither eye nor computer nor comparing finds the patient; None:
            no amount that was tried.

    Returns:
        One sentence, or two where the patient is hidden only beyond what networks were trained with.
    """
    kept = {beta for each in left for beta in each.by_beta if each.is_left(beta)}
    both = sorted(beta for beta in kept if hidden_from is not None and beta >= hidden_from)
    if both:
        return f"The patient is hidden and something of the diagnosis left at β = {_listed(both)}."
    answer = "No amount of noise that was measured for both hides the patient and leaves something of the diagnosis."
    largest = max(max(each.by_beta) for each in left)
    if hidden_from is not None and hidden_from > largest:
        answer += f" The patient is hidden from β = {hidden_from:g} on; no network was trained beyond β = {largest:g}."
    return answer


def left_statement(left: Sequence[Left]) -> str:
    """What is left of the diagnosis at each amount that was trained, a sentence for each dataset."""
    said = []
    for each in left:
        kept = [beta for beta in each.by_beta if each.is_left(beta)]
        lost = [beta for beta in each.by_beta if beta not in kept]
        scale = f"{each.word} {each.told(each.without)} without noise; {each.guessing:g} is guessing"
        figures = ", ".join(f"{each.told(each.by_beta[beta])} at β = {beta:g}" for beta in kept)
        parts = [f"something is left, {figures}"] if kept else []
        parts += [f"nothing at β = {_listed(lost)}"] if lost else []
        said.append(f"{each.title} ({scale}): {'; '.join(parts)}.")
    return " ".join(said)


def _listed(betas: Sequence[float]) -> str:
    words = [f"{beta:g}" for beta in betas]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
