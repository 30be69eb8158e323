"""One's own images on the datasets page: looked at, decided about, added in the background."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.datasets.own.adding import adding_job, is_own, look, start_adding, thumbnails, under_way
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.recipe import OwnClass
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.datasets.own.understood import Understood
from medpriv_core.datasets.registry import dataset_title
from medpriv_core.errors import MedprivError, UnclearTableError
from medpriv_core.given_paths import given_path
from medpriv_core.pictures.reading import FIT_WORDS, FRAMES_WORDS, WINDOW_WORDS, Reading
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.messages import explain_errors
from pages.parts.words import sentence

REFRESH_S = 0.5
SHOWN_CLASSES = 12
# Of the session: what was understood last.
LOOKED = "own_looked"
# Of the session: the dataset that was asked for last.
ASKED_FOR = "own_asked_for"
# Of the session: a table of which it is not plain what its columns are.
UNCLEAR = "own_unclear"


@dataclass(frozen=True)
class Looked:
    """What was understood of a folder or zip, and by which choices."""

    name: str
    path: str
    choices: Choices
    understood: Understood

    @property
    def token(self) -> str:
        """What the keys of its widgets end in, so that another dataset has its own."""
        return hashlib.sha256(f"{self.name}\0{self.path}".encode()).hexdigest()[:8]


def draw_own() -> None:
    """From a folder, zip or table of images to a dataset."""
    with st.container(border=True, key="own_images"):
        st.markdown("**Your own images**")
        st.markdown(
            "A folder or zip with one folder for each class, or with a table that names images and classes; DICOM too. "
            "medpriv shows what it understands before anything is kept. Your files stay where they are."
        )
        waited_for = [name for name, _ in under_way(cached.home())]
        for name in waited_for:
            st.fragment(run_every=REFRESH_S)(draw_adding)(name)
        asked_for = st.session_state.get(ASKED_FOR)
        if asked_for is not None and asked_for not in waited_for and is_own(cached.home(), asked_for):
            st.success(
                f"{for_markdown(dataset_title(asked_for))} is added: it stands below, and all pages offer it.",
                icon=":material/check_circle:",
            )
        row = st.container(horizontal=True, vertical_alignment="bottom")
        name = row.text_input(
            "Name", key="own_name", placeholder="my_lungs", width=180, help="Small letters, digits, _"
        )
        path = row.text_input("Folder or zip on this computer", key="own_path", placeholder="/home/me/images")
        table = row.text_input("Table, if it lies elsewhere", key="own_table", placeholder="labels.csv", width=220)
        if row.button("Look", key="own_look", icon=":material/search:", disabled=not (name.strip() and path.strip())):
            for kept in (UNCLEAR, ASKED_FOR):
                st.session_state.pop(kept, None)
            look_at(name.strip(), path, Choices(table=given_path(table) if table.strip() else None))
        if UNCLEAR in st.session_state:
            draw_unclear(*st.session_state[UNCLEAR])
        looked: Looked | None = st.session_state.get(LOOKED)
        if looked is not None:
            draw_understood(looked)


def look_at(name: str, path: str, choices: Choices) -> None:
    """Look at the images and keep what was understood in this session."""
    bar = st.progress(0.0, "Looking at the files…")

    def show(phase: str, done: int, total: int) -> None:
        bar.progress(min(1.0, done / total) if total else 0.0, f"{for_markdown(phase)}: {done:,} of {total:,}")

    try:
        understood = look(cached.home(), name, path, choices, progress=show)
    except MedprivError as error:
        st.error(sentence(error), icon=":material/error:")
        if isinstance(error, UnclearTableError):
            st.session_state[UNCLEAR] = (name, path, choices, error.header)
    else:
        recipe = understood.recipe
        settled = replace(choices, title=recipe.title, source=recipe.source)
        if understood.header:
            settled = replace(settled, columns=recipe.columns)
        st.session_state[LOOKED] = Looked(name, path, settled, understood)
    bar.empty()


def draw_unclear(name: str, path: str, choices: Choices, header: tuple[str, ...]) -> None:
    """Ask what the columns of a table are."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    file, label = (
        row.selectbox(
            f"Column of the {of}",
            header,
            index=None,
            key=f"own_unclear_{of}_{hash((name, path, header))}",
            placeholder=empty,
            width=260,
        )
        for of, empty in (("images", "found out by itself"), ("classes", "choose"))
    )
    if row.button("Look with these columns", key="own_unclear_look", disabled=label is None):
        del st.session_state[UNCLEAR]
        look_at(name, path, replace(choices, columns=replace(choices.columns, file=file, label=label)))
        if UNCLEAR not in st.session_state and LOOKED in st.session_state:
            st.rerun()


def draw_understood(looked: Looked) -> None:
    """What would be added, and everything that can be decided otherwise."""
    understood, recipe = looked.understood, looked.understood.recipe
    kind = "grey" if recipe.channels == 1 else "colour"
    how = "a folder for each class" if recipe.layout == "folders" else "a table"
    total = f"{len(understood.images):,} {kind} images, {len(recipe.classes)} classes"
    st.markdown(f"**{for_markdown(looked.name)}**: {total}, by {how}.")
    draw_grid(looked)
    classes = draw_classes(understood)
    choices = draw_choices(looked, classes)
    for item in understood.left_out:
        examples = f" ({', '.join(item.examples)}{', …' if item.count > len(item.examples) else ''})"
        st.markdown(f"- Left out: {item.count:,} {for_markdown(item.reason + (examples if item.examples else ''))}")
    if understood.notes:
        st.markdown("\n".join(f"- {for_markdown(note)}" for note in understood.notes))
    row = st.container(horizontal=True)
    if row.button("Look again", key="own_again", icon=":material/refresh:", disabled=choices == looked.choices):
        look_at(looked.name, looked.path, choices)
        st.rerun()
    if row.button("Add", key="own_add", type="primary", icon=":material/add:"):
        try:
            start_adding(cached.home(), looked.name, looked.path, choices)
        except MedprivError as error:
            st.error(sentence(error), icon=":material/error:")
        else:
            st.session_state[ASKED_FOR] = looked.name
            del st.session_state[LOOKED]
            st.rerun()


def draw_grid(looked: Looked) -> None:
    """Some images of each class; they go to this browser alone, within the page."""
    key = ("own_grid", looked.path, looked.understood.recipe)
    kept = st.session_state.get("own_grid")
    if kept is None or kept[0] != key:
        with st.spinner("Drawing some images…"):
            kept = st.session_state["own_grid"] = (key, thumbnails(looked.path, looked.understood))
    rows = []
    for one, pictures in list(zip(looked.understood.recipe.classes, kept[1], strict=True))[:SHOWN_CLASSES]:
        images = "".join(
            f'<img src="data:image/png;base64,{_encoded(pixels)}" alt="" width="72" height="72" '
            'style="margin-right:4px;border-radius:4px">'
            for pixels in pictures
        )
        rows.append(
            '<div style="display:flex;align-items:center;gap:8px;margin-bottom:4px;flex-wrap:wrap">'
            f'<span style="min-width:8rem;overflow-wrap:anywhere">{html.escape(one.name)}</span>'
            f"<span>{images}</span></div>"
        )
    st.html("".join(rows))


def _encoded(pixels: Any) -> str:
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    return base64.b64encode(cached.png(picture)).decode()


def draw_classes(understood: Understood) -> tuple[OwnClass, ...]:
    """The classes, whose order and names can be changed; classes of one name become one."""
    train, test = understood.counts("train"), understood.counts("test")
    edited = st.data_editor(
        [
            {
                "order": place,
                "name": one.name,
                "labels": ", ".join(one.labels),
                "to learn from": learn,
                "to test on": tested,
            }
            for place, (one, learn, tested) in enumerate(zip(understood.recipe.classes, train, test, strict=True))
        ],
        disabled=("labels", "to learn from", "to test on"),
        hide_index=True,
        key=f"own_classes_{hash(understood.recipe)}",
    )
    named: dict[str, list[str]] = {}
    lines = zip(edited, understood.recipe.classes, strict=True)
    for line, one in sorted(lines, key=lambda pair: _order(pair[0])):
        named.setdefault(str(line["name"] or one.name).strip(), []).extend(one.labels)
    return tuple(OwnClass(name, tuple(labels)) for name, labels in named.items())


def _order(line: dict[str, Any]) -> float:
    place = line["order"]
    return float(place) if isinstance(place, int | float) else 0.0


def draw_choices(looked: Looked, classes: tuple[OwnClass, ...]) -> Choices:
    """Everything else that can be decided."""
    understood, recipe = looked.understood, looked.understood.recipe
    left, right = st.columns(2)
    choices = replace(
        looked.choices,
        classes=() if classes == recipe.classes and not looked.choices.classes else classes,
        title=left.text_input("Title", recipe.title, key=f"own_title_{looked.token}").strip() or None,
        source=right.text_input("Source and licence", recipe.source, key=f"own_source_{looked.token}").strip() or None,
        ordered=left.toggle("The classes are grades of one disease", recipe.ordered, key=f"own_ordered_{looked.token}"),
    )
    if understood.header:
        choices = replace(choices, columns=draw_columns(looked, left, right))
    pattern = right.text_input(
        "Patient, in the names of files",
        recipe.patient_pattern or "",
        key=f"own_pattern_{looked.token}",
        placeholder=r"^(P\d+)_",
        help="A regular expression whose first group is the same for all images of a patient. Only a keyed hash of it "
        "is kept.",
    )
    most = right.number_input(
        "Training images of a patient, at most",
        min_value=1,
        value=choices.most_images,
        step=1,
        key=f"own_most_{looked.token}",
        placeholder="all",
        help="The first by the names of their files. It bounds what is at stake for a patient where a run protects "
        "single images; where patients are protected, all of their images are safe to use.",
    )
    choices = replace(choices, patient_pattern=pattern.strip() or None, most_images=most)
    made = recipe.test_share is not None  # where none was given, or a new one was asked for
    anew = looked.choices.split_anew
    if not made or anew:
        anew = left.toggle("Make a new split", anew, key=f"own_anew_{looked.token}")
    choices = replace(choices, split_anew=anew)
    if made or anew:
        key = f"own_share_{looked.token}"
        choices = replace(
            choices, test_share=left.slider("Share to test on", 0.05, 0.5, choices.test_share, 0.05, key=key)
        )
    choices = replace(choices, reading=draw_reading(looked, left))
    return replace(
        choices,
        move_patients=right.toggle(
            "Patients in both splits: to the training images",
            looked.choices.move_patients,
            key=f"own_move_{looked.token}",
        ),
        every_image=right.toggle(
            "Look at every image",
            looked.choices.every_image,
            key=f"own_every_{looked.token}",
            help="Finds what is nearly the same, and what cannot be read. Up to 2,000 are looked at anyway.",
        ),
        skip_unreadable=right.toggle(
            "Leave out what cannot be read", looked.choices.skip_unreadable, key=f"own_skip_{looked.token}"
        ),
    )


def draw_reading(looked: Looked, place: DeltaGenerator) -> Reading:
    """How a file becomes a square; windows and frames where there is DICOM."""
    chosen: dict[str, tuple[str, Mapping[Any, str]]] = {"fit": ("An image that is not square", FIT_WORDS)}
    if looked.understood.dicom:
        chosen |= {
            "window": ("Window of grey values", WINDOW_WORDS),
            "frames": ("A DICOM file with several frames", FRAMES_WORDS),
        }
    values: dict[str, Any] = {}
    for name, (label, words) in chosen.items():
        options = list(words)
        values[name] = place.selectbox(
            label,
            options,
            index=options.index(getattr(looked.choices.reading, name)),
            format_func=words.__getitem__,
            key=f"own_reading_{name}_{looked.token}",
        )
    return replace(looked.choices.reading, **values)


def draw_columns(looked: Looked, left: DeltaGenerator, right: DeltaGenerator) -> Columns:
    """Which column of the table is what."""
    columns, header = looked.understood.recipe.columns, list(looked.understood.header)

    def choose(place: DeltaGenerator, label: str, value: str | None, key: str, *, optional: bool) -> str | None:
        options: list[str | None] = [None, *header] if optional else [*header]
        chosen: str | None = place.selectbox(
            label,
            options,
            index=options.index(value) if value in options else 0,
            format_func=lambda name: "none" if name is None else name,
            key=f"own_column_{key}_{looked.token}",
        )
        return chosen

    key = f"own_column_groups_{looked.token}"
    return Columns(
        file=choose(left, "Column of the images", columns.file, "file", optional=False),
        label=choose(right, "Column of the classes", columns.label, "label", optional=False),
        split=choose(left, "Column of the split", columns.split, "split", optional=True),
        patient=choose(right, "Column of the patient", columns.patient, "patient", optional=True),
        groups=tuple(left.multiselect("Columns of subgroups", header, list(columns.groups or ()), key=key)),
    )


def draw_adding(name: str) -> None:
    """How far the adding of a dataset is; the page is drawn anew when it has ended."""
    with explain_errors():
        job = adding_job(cached.home(), name)
        status = job.status()
        if status is None or status.state == "finished":
            st.rerun()
        if status.state == "running":
            share = min(1.0, status.done / status.total) if status.total else 0.0
            st.progress(
                share, f"Adding {for_markdown(name)}. {for_markdown(status.phase)}: {status.done:,} of {status.total:,}"
            )
            if st.button("Stop", key=f"own_stop_{name}", icon=":material/stop:"):
                job.stop()
            return
        show = st.error if status.state == "failed" else st.info
        show(f"{for_markdown(name)}: {for_markdown(status.message or 'Adding was stopped.')}")
