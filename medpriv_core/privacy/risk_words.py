"""What a risk means, in sentences: odds before and after, and what one number leaves out."""

from __future__ import annotations

from medpriv_core.privacy.odds import posterior
from medpriv_core.privacy.risk_subject import GOOD_FIT, RiskSubject
from medpriv_core.privacy.statement import of_hundred

# Chances before, which a slider offers.
PRIORS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


def chance_after(subject: RiskSubject, prior: float, rate: str) -> float:
    """How likely it is at most that a record which the attacker names was used.

    Args:
        subject: What may be given away.
        prior: How likely it was before; above 0 and below 1.
        rate: Of false alarms, as ``Risk.tpr_at_fpr`` names it.

    Returns:
        A probability, not below ``prior``.
    """
    if not subject.limited:  # then without a false alarm, too
        return 1.0
    return posterior(prior, hits=subject.risk.tpr_at_fpr[rate], false_alarms=float(rate))


def odds_sentence(subject: RiskSubject, prior: float, rate: str) -> str:
    """Before and after, of a hundred.

    Args:
        subject: What may be given away.
        prior: How likely it was before; above 0 and below 1.
        rate: Of false alarms, as ``Risk.tpr_at_fpr`` names it.

    Returns:
        One or two sentences.
    """
    before, after = of_hundred(prior), of_hundred(chance_after(subject, prior, rate))
    if not subject.limited:
        return f"Before, he is right of {before} in 100. Afterwards nothing limits him: all that he names may be right."
    wrongly = f"{100 * float(rate):g} of 100 others {'is' if float(rate) == 0.01 else 'are'} named wrongly"
    if subject.asked == "membership":
        who = "images were" if subject.unit == "image" else "patients were"
        return (
            f"Before, {before} of 100 {who} in the training set. Of 100 that the attacker names, at most {after} were, "
            f"if {wrongly}."
        )
    what = "images are of the patient he looks for" if subject.asked == "image" else "pixels are black"
    end = "are" if subject.asked == "image" else "are black"
    return f"Before, {before} of 100 {what}. Of 100 that he names, at most {after} {end}, if {wrongly}."


def fit_sentence(subject: RiskSubject) -> str:
    """Whether one number, μ, says as much as the curve.

    Args:
        subject: What may be given away.

    Returns:
        One or two sentences.
    """
    psi, mu, misfit = subject.sensitivity_index, subject.risk.mu, subject.misfit
    if psi is not None:
        return (
            f"Sensitivity index ψ = μ = {psi:.4g}, exactly: nothing is sampled, so the training is one Gaussian "
            "mechanism."
            if subject.asked == "membership"
            else f"Sensitivity index ψ = μ = {psi:.4g}, exactly: this is one Gaussian mechanism."
        )
    if mu is None or misfit is None:
        return "No single number μ stands for this curve."
    said = f"μ = {mu:.4g}: Gaussian noise of this μ promises no more. Its misfit (regret) is {misfit:.2g}"
    if misfit <= GOOD_FIT:
        return f"{said}, so this one number says nearly all of the curve."
    return f"{said}; above {GOOD_FIT:g}, so look at the curve."
