"""Damage that follows from a number: the same generator gives the same damaged file, value or text.

Bytes are cut short, flipped, forged where lengths stand, doubled, emptied, and mixed with those of another file. JSON
is changed by its kinds, so that a list stands where a number belongs, and by what parsers of JSON let through:
numbers of thousands of digits, numbers beyond every limit, deep nesting, a name twice. Texts are those that mean
something to the place that shows them: Markdown, HTML, a terminal, a spreadsheet, a shell, a file system."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Bytes that readers take for lengths, counts and offsets; halves of the largest numbers among them.
FORGED = (
    b"\xff" * 4, b"\x00" * 4, b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00\x00\x00\x80",
    b"\xff" * 2, b"\x00" * 2, b"\xff" * 8, b"\x01\x00\x00\x00", b"\x00\x00\x00\x01", b"\x00\x00\x01\x00",
)  # fmt: skip
HEADER = 2000  # half of the damage falls into so many bytes at the beginning

# None of them leads out of the folder that a case is tried in: a fuzzer must not write where it likes.
HOSTILE = (
    "", " ", ".", "..", "0", "-1", "x" * 5000, "9" * 5000, "1e999", "-1e999", "NaN", "inf", "-0", "1_0", "٣", "½",
    "![x](http://127.0.0.1:9/x.png)", "[x](http://127.0.0.1:9/)", "# Log in again", "`x`", "| a | b |",
    "$x$", ":red[x]",
    '<a href="http://127.0.0.1:9/">x</a>', "<b>x</b>", "<img src=x onerror=alert(1)>", "&lt;", "</script>",
    "=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "a,b", 'a"b', "a;b", "a\nb", "a\r\nb", "%s%n", "{0}", "{x!r}",
    "$(x)", "';--",
    "\x00", "a\x00b", "\x1b[2J", "\x1b]0;x\x07", "\x9b2J", "\x7f", "\u202ex", "\u200b", "\ufeff", "e\u0301",
    "😀", "ß", "İ",
    "\ud800", "~nosuchuser/x", "CON", "a:b", "None", "null", "true", "[]", "{}", "[epsilon]", "[norm=group_norm]",
)  # fmt: skip

# What ``json.dumps`` does not write and ``json.loads`` reads, or chokes on.
RAW = {
    "many digits": "9" * 5000,
    "beyond": "1e999",
    "beyond below": "-1e999",
    "nan": "NaN",
    "infinity": "Infinity",
    "deep": "[" * 2000 + "]" * 2000,
    "deeper": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "wide": "[" + "0," * 20_000 + "0]",
    "half a letter": '"\\ud800"',
    "long": '"' + "x" * 200_000 + '"',
}
_TOKEN = "raw json: "
KINDS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(2**63), 10**18, 0.5, -0.5, 1e308, 5e-324, -0.0,
    [], [[]], [1, 2], ["x"], [None], {}, {"a": 1}, {"": {}}, "", "0", "1", "NaN",
)  # fmt: skip


def damage(data: bytes, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """The bytes with one or two things wrong; ``others`` are files to mix them with."""
    for _ in range(rng.choice((1, 1, 1, 2))):
        data = rng.choice(_DAMAGES)(data, rng, others)
    return data


def _place(data: bytes, rng: random.Random) -> int:
    reach = min(len(data), HEADER) if rng.random() < 0.5 else len(data)
    return rng.randrange(max(1, reach))


def _cut(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flip(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(2 ** rng.randrange(8) if data else 0):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _forge(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        place, forged = _place(data, rng), rng.choice(FORGED)
        changed[place : place + len(forged)] = forged
    return bytes(changed)


def _lose(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    place = _place(data, rng)
    return data[:place] + data[place + rng.randrange(1, 300) :]


def _repeat(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    place = _place(data, rng)
    piece = data[place : place + rng.randrange(1, 300)]
    return data[:place] + piece * rng.choice((2, 3, 200)) + data[place:]


def _insert(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.randbytes(rng.randrange(1, 64)) + data[place:]


def _splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others) if others else data[::-1]
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _other_header(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    other, length = (rng.choice(others) if others else data[::-1]), rng.choice((4, 8, 16, 64, 132, 512))
    return other[:length] + data[length:]


def _append(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    return data + (rng.choice(others) if others else data)


def _empty_out(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    return rng.choice((b"", b"\0", b"\0" * len(data), b"\xff" * len(data), rng.randbytes(min(len(data), 4096))))


_DAMAGES: tuple[Callable[[bytes, random.Random, Sequence[bytes]], bytes], ...] = (
    _cut, _cut, _flip, _flip, _forge, _forge, _lose, _repeat, _insert, _splice, _other_header, _append, _empty_out,
)  # fmt: skip


def hostile_text(rng: random.Random) -> str:
    """A text that means something to the program that shows, reads or stores it."""
    text = rng.choice(HOSTILE)
    return f"x{text}{rng.choice(HOSTILE)}" if rng.random() < 0.2 else text


def damage_json(data: bytes, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """JSON, or a file with a value on each line, changed by its kinds; now and then as bytes."""
    if rng.random() < 0.2:
        return damage(data, rng, others)
    lines = data.decode().splitlines()
    try:
        if len(lines) > 1 and all(line.startswith("{") and line.endswith("}") for line in lines):
            place = rng.randrange(len(lines))
            lines[place] = _changed_json(json.loads(lines[place]), rng)
            if rng.random() < 0.2:
                lines = rng.choice((lines[::-1], lines * 2, lines[place:], lines[:place]))
            return "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")
        return _changed_json(json.loads(data), rng).encode(errors="surrogatepass")
    except (ValueError, RecursionError):  # no JSON to begin with
        return damage(data, rng, others)


def _changed_json(value: Any, rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _changed(value, rng)
    text = json.dumps(value)
    text = re.sub(f'"{_TOKEN}([a-z ]+)"', lambda found: RAW[found[1]], text)
    if rng.random() < 0.05 and text.startswith("{") and text != "{}":
        text = f"{text[:-1]}, {text[1:]}"  # every name twice
    return text


def _changed(value: Any, rng: random.Random) -> Any:
    """The value with one place in it changed, at any depth."""
    if isinstance(value, Mapping) and value and rng.random() < 0.9:
        name = rng.choice(sorted(value, key=str))
        return _changed_object(dict(value), name, rng)
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        if rng.random() < 0.2:
            return rng.choice((value[:place], value * 2, [*value, None]))
        return [*value[:place], _changed(value[place], rng), *value[place + 1 :]]
    return _other(value, rng)


def _changed_object(value: dict[str, Any], name: str, rng: random.Random) -> dict[str, Any]:
    how = rng.random()
    if how < 0.1:
        del value[name]
    elif how < 0.15:
        value[hostile_text(rng)] = value.pop(name)
    elif how < 0.2:
        other = rng.choice(sorted(value, key=str))
        value[name], value[other] = value[other], value[name]
    else:
        value[name] = _changed(value[name], rng)
    return value


def _other(value: Any, rng: random.Random) -> Any:
    """Something else: of another kind, beyond its bounds, or a little beside it."""
    how = rng.random()
    if how < 0.4:
        return rng.choice(KINDS)
    if how < 0.6:
        return _TOKEN + rng.choice(sorted(RAW))
    if how < 0.8 and isinstance(value, int | float) and not isinstance(value, bool):
        return rng.choice((-value, value + 1, value * 1000, value / 1000, str(value), [value], {"value": value}))
    if how < 0.8:
        return [value]
    return hostile_text(rng)
