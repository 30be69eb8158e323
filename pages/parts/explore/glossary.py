"""The terms of the field in a clinician's words: each explained where it stands, and all of them on a page."""

from __future__ import annotations

import streamlit as st

TERMS: dict[str, str] = {
    "ε": "**ε (epsilon), the privacy budget.** Anyone who sees the noised image can raise the odds of any suspicion "
    "about the original by a factor of e^ε at most: 2.7 for ε = 1, some 22,000 for ε = 10. Smaller protects more.",
    "δ": "**δ (delta).** A small chance with which the promise of ε may fail altogether: 1e-5 is one in 100,000.",
    "neighbours": "**Neighbours (adjacency).** The two images that must not be told apart. For *ε of the "
    "image* these are any two images of its size and mode (grey or colour), so any two patients; for *ε of one "
    "pixel*, two images that differ in that pixel alone.",
    "β": "**β (beta), the amount of noise.** How far a value is moved, where 0 is black and 1 is white: on average by "
    "β for Laplace noise; for Gaussian noise β is the standard deviation.",
    "values": "**Values.** The numbers that an image is made of: one for a grey pixel, three (red, green, blue) for a "
    "pixel in colour.",
    "black or white": "**Black or white (saturation).** Noise pushes many values below black or above white, where "
    "they are shown as black or white. That changes the looks, not the protection.",
    "PSNR": "**PSNR (peak signal-to-noise ratio).** How small the differences to the original are, in decibels. Above "
    "30 dB one hardly sees them; 10 dB and less is mostly noise.",
    "SSIM": "**SSIM (structural similarity).** Compares brightness, contrast and structure, patch by patch: 1 for the "
    "same image, about 0 for images that have nothing in common.",
    "correlation": "**Correlation (Pearson's r).** Whether both images are bright and dark in the same places: 1 for "
    "yes, 0 for no relation. A change of the overall brightness or contrast does not count.",
    "what is individual": "**What is individual.** How an image differs from the average image of other patients. "
    "All chest X-rays are alike, so even the average one looks like each of them; the correlation of "
    "what is individual is 1 for the same image and about 0 for one that shows just anybody.",
    "likelihood": "**Likelihood.** How probable this very noised image would be, had it been made of that patient's. "
    "The attacker names the patient for whom it is highest (maximum likelihood).",
    "gallery": "**Gallery.** The images of known patients that the attacker already has, one a patient.",
    "95% interval": "**95% interval.** What the trials leave open: with so few of them, the true share lies in this "
    "range in 95 of 100 such experiments.",
    "accountant": "**Accountant.** The computation that says which ε holds after many steps. medpriv uses the "
    "PLD accountant (privacy loss distribution), and a second one confirms it.",
    "DP-SGD": "**DP-SGD (differentially private stochastic gradient descent).** Training in which each image's "
    "gradient is clipped, and noise is added to their sum: protects whether one image was in the training set.",
    "Local-DP": "**Local-DP (local differential privacy).** Noise on every image before anybody else sees it, the one "
    "who trains included.",
    "clipping norm": "**Clipping norm (C).** The longest gradient that one image may contribute to a step; longer "
    "ones are shortened to it.",
    "noise multiplier": "**Noise multiplier (σ).** Standard deviation of DP-SGD's noise, in units of the clipping "
    "norm.",
    "Poisson subsampling": "**Poisson subsampling.** Each image is drawn into each step independently of the others, "
    "with the same chance. Who is in a step is then uncertain, which makes the noise count for more.",
    "trainable layers": "**Trainable layers.** Those whose weights change in training; the others stay as they were "
    "pretrained.",
    "augmentation multiplicity": "**Augmentation multiplicity.** How many variants of an image (shifted, turned) have "
    "their gradients averaged before clipping. It costs time, but no privacy.",
    "AUROC": "**AUROC (area under the ROC curve).** How often the network ranks an ill patient above a healthy one: "
    "0.5 for guessing, 1 for always.",
    "metric privacy": "**Metric privacy.** Small differences are hidden better than large ones: what counts is the "
    "area of a finding times its contrast. Two images that differ in nothing else are alike to this ε.",
}


def draw_terms(*names: str) -> None:
    """One button that explains these terms, and the way to all others."""
    with st.popover(f"In plain words: {', '.join(names)}", type="tertiary", icon=":material/help:"):
        for name in names:
            st.markdown(TERMS[name])
        st.page_link("docs.py", label="All terms", query_params={"document": "glossary"}, icon=":material/menu_book:")


def draw_glossary() -> None:
    """All terms, as a page of its own."""
    st.title("Glossary", anchor=False)
    for words in TERMS.values():
        st.markdown(words)
