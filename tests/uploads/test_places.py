"""Who may have a picture decoded: several at once, one for each visitor, and nobody waits without end."""

from __future__ import annotations

import threading

import pytest
from PIL import Image

from medpriv_core.errors import ImageError
from medpriv_core.uploads import isolation
from medpriv_core.uploads.opening import open_upload
from medpriv_core.uploads.places import ALL_BUSY, DECODERS, STILL_READING, Places
from tests.datasets.test_images import encoded


def test_there_is_always_a_place_beside_that_of_one_visitor() -> None:
    assert DECODERS >= 2
    places = Places(DECODERS)
    with places.take("one", within_s=0), places.take("other", within_s=0):
        pass


def test_a_visitor_has_one_place_at_a_time() -> None:
    places = Places(3)
    with places.take("one", within_s=0), pytest.raises(ImageError, match=STILL_READING), places.take("one", within_s=0):
        pass
    with places.take("one", within_s=0):
        pass


def test_where_all_places_are_taken_it_is_said() -> None:
    places = Places(2)
    refused = pytest.raises(ImageError, match=ALL_BUSY)
    with places.take("one", within_s=0), places.take("two", within_s=0), refused, places.take("three", within_s=0):
        pass


def test_a_place_that_becomes_free_is_given_to_who_waits() -> None:
    places = Places(1)
    began, ended = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        with places.take("other", within_s=60):
            ended.set()

    with places.take("one", within_s=0):
        thread = threading.Thread(target=wait)
        thread.start()
        began.wait()
        assert not ended.is_set()
    thread.join()
    assert ended.is_set()


def test_a_place_is_free_again_after_a_failure() -> None:
    places = Places(1)
    with pytest.raises(RuntimeError), places.take("one", within_s=0):
        raise RuntimeError
    with places.take("one", within_s=0):
        pass


def test_a_slow_picture_of_one_visitor_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = "import sys, time; sys.stdin.buffer.read(); time.sleep(600)"
    usual, picture = isolation._START, encoded(Image.new("L", (20, 20)))
    monkeypatch.setattr(isolation, "PLACES", Places(2))
    monkeypatch.setattr(isolation, "MAX_TIME_S", 20.0)
    monkeypatch.setattr(isolation, "MAX_WAIT_S", 0.0)
    started = threading.Event()
    begin = isolation.subprocess.Popen

    def tell(*arguments: object, **options: object) -> object:
        process = begin(*arguments, **options)  # type: ignore[call-overload]
        processes.append(process)
        started.set()
        return process

    processes: list[object] = []
    monkeypatch.setattr(isolation.subprocess, "Popen", tell)
    monkeypatch.setattr(isolation, "_START", slow)
    refusals: list[str] = []

    def wait() -> None:
        try:
            open_upload("a.png", picture, visitor="one")
        except ImageError as error:
            refusals.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    monkeypatch.setattr(isolation, "_START", usual)
    assert open_upload("b.png", picture, visitor="two").size == (20, 20)
    with pytest.raises(ImageError, match=STILL_READING):
        open_upload("c.png", picture, visitor="one")
    processes[0].kill()  # type: ignore[attr-defined]
    thread.join()
    assert len(refusals) == 1
