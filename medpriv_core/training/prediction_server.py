"""The process that answers for networks: pictures come in at its standard input, probabilities leave at its output.

The app starts one when a trained run is first asked about a picture, and asks it again and again, because loading torch
takes seconds and a prediction does not. It keeps the last networks and leaves after idle minutes. When its input ends,
the app is gone, however it died, and the process ends at once, in the middle of a prediction too.

Pictures exist only in the memory of the two processes and in the pipe between them, and here until they are answered.
"""

from __future__ import annotations

import os
import queue
import threading
import traceback
from collections import OrderedDict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from medpriv_core.errors import MedprivError, RunError, is_out_of_memory
from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.messages import Sink, Source, read_message, write_message
from medpriv_core.training.predictor import Predictor, load_predictor

IDLE_EXIT_S = 300.0
KEPT_NETWORKS = 2  # some 50 MB each

MEMORY = (
    "There was not enough memory to ask the network. Close other programs, or choose a run trained on smaller images."
)

Message = tuple[dict[str, Any], list[np.ndarray]]


def serve_predictions(requests: Source, replies: Sink) -> NoReturn:
    """Answer each request; ends the process when there has been none for ``IDLE_EXIT_S``, or ``requests`` ends.

    A request's header holds ``home`` and ``run``, two folders; its arrays are pictures as ``Predictor`` takes them. A
    reply's header holds ``classes`` and its one array the probabilities, or the header holds ``error``, the name of a
    ``MedprivError``, and its ``message``.
    """
    inbox: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    networks = Networks()
    while True:
        try:
            # Kept under no name here, which would hold the picture until the next one comes.
            write_message(replies, *answer(*inbox.get(timeout=IDLE_EXIT_S), networks))
        except queue.Empty:
            _leave()


class Networks:
    """The networks asked last, ready to be asked again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], Predictor] = OrderedDict()

    def get(self, directory: RunDirectory, *, home: DataHome) -> Predictor:
        """The network of the run; raises what ``load_predictor`` raises."""
        try:
            # A network that was deleted or replaced meanwhile must not be asked any more.
            key = (str(directory.path), (directory.network or directory.checkpoint).stat().st_mtime_ns)
        except FileNotFoundError:
            return load_predictor(directory, home=home)  # which says what is missing
        if key not in self._kept:
            self._kept[key] = load_predictor(directory, home=home)
            if len(self._kept) > KEPT_NETWORKS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def answer(header: dict[str, Any], pictures: list[np.ndarray], networks: Networks) -> Message:
    """The reply to one request; every error becomes a sentence, and what is a bug also a traceback on stderr."""
    try:
        predictor = networks.get(RunDirectory(Path(header["run"])), home=DataHome(Path(header["home"])))
        return {"classes": predictor.classes}, [predictor.probabilities(pictures)]
    except MedprivError as error:
        return _refusal(type(error), str(error))
    except Exception as error:
        if is_out_of_memory(error):
            return _refusal(RunError, MEMORY)
        traceback.print_exc()
        return _refusal(RunError, f"The network stopped on an internal error ({type(error).__name__}: {error}).")


def _refusal(kind: type[MedprivError], message: str) -> Message:
    return {"error": kind.__name__, "message": message}, []


def _receive(requests: Source, inbox: queue.Queue[Message]) -> None:
    try:
        while True:
            inbox.put(read_message(requests))
    except EOFError:
        _leave()


def _leave() -> NoReturn:
    # Not sys.exit: it would end one thread alone, or wait for the one that reads.
    os._exit(0)
