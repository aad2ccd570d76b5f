# SPDX-License-Identifier: MIT
"""Ways to damage a file: numbers, words, lines, bytes and the members of archives."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from hypothesis import strategies as st

NUMBERS = (
    b"0",
    b"-1",
    b"1e400",
    b"nan",
    b"-inf",
    b"1000000000000",
    b"9999999",
    b"2147483648",
    b"9" * 30,
    b"1" + b"0" * 5000,
    b"0.5",
    b"1e-320",
    b"\xc2\xb2",
)
TOKENS = (
    b"../../../../etc/passwd",
    b"/etc/passwd",
    b"file:///etc/passwd",
    b"http://127.0.0.1:9/x",
    b"!!python/object/apply:os.system ['touch hacked']",
    b"$(touch hacked)",
    b"`touch hacked`",
    b"__import__('os').system('touch hacked')",
    b'_JSON {"a": [[[]]]}',
    b"&a [*a]",
    b"<<: *cell",
    b"{" * 200,
    b"[" * 3000,
    b"\x00",
    b"\xff\xfe",
    b'"',
    b"'",
    b"\\ud800",
    b"\n\n",
    b"=",
    b"T",
    b"null",
    b"NaN",
    b"Infinity",
    b"true",
    b"Xx",
    b"postgresql://x@127.0.0.1/y",
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>&x;',
    b"VEC1 1 0 0",
    b"# " * 50,
)
_NUMBER = re.compile(rb"(?<![A-Za-z_])-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


def _spot(draw: Any, content: bytes) -> int:
    return int(draw(st.integers(0, max(len(content) - 1, 0))))


def change_number(draw: Any, content: bytes) -> bytes:
    places = list(_NUMBER.finditer(content[:20000]))
    if not places:
        return content
    place = draw(st.sampled_from(places))
    return content[: place.start()] + draw(st.sampled_from(NUMBERS)) + content[place.end() :]


def insert_token(draw: Any, content: bytes) -> bytes:
    at = _spot(draw, content)
    return content[:at] + draw(st.sampled_from(TOKENS)) + content[at:]


def replace_word(draw: Any, content: bytes) -> bytes:
    words = list(re.finditer(rb"[^\s,:{}\[\]\"=]+", content[:20000]))
    if not words:
        return content
    word = draw(st.sampled_from(words))
    other = draw(st.sampled_from(TOKENS + NUMBERS + (draw(st.sampled_from(words))[0],)))
    return content[: word.start()] + other + content[word.end() :]


def truncate(draw: Any, content: bytes) -> bytes:
    return content[: _spot(draw, content)]


def cut_out(draw: Any, content: bytes) -> bytes:
    at = _spot(draw, content)
    return content[:at] + content[at + draw(st.integers(1, 200)) :]


def repeat(draw: Any, content: bytes) -> bytes:
    at = _spot(draw, content)
    piece = content[at : at + draw(st.integers(1, 300))]
    return content[:at] + piece * draw(st.integers(2, 50)) + content[at:]


def flip_bytes(draw: Any, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 8))):
        if changed:
            changed[_spot(draw, content)] = draw(st.integers(0, 255))
    return bytes(changed)


def swap_lines(draw: Any, content: bytes) -> bytes:
    lines = content.split(b"\n")
    first, second = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def change_member(draw: Any, content: bytes) -> bytes:
    """Repack an archive with a header, a size, a name or the numbers of one member changed."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {one: archive.read(one) for one in archive.namelist()}
    except Exception:  # an earlier mutation has broken it
        return flip_bytes(draw, content)
    if not members:
        return content
    name = draw(st.sampled_from(sorted(members)))
    kind = draw(st.sampled_from(("header", "bytes", "name", "bomb", "value", "extra")))
    if kind == "header":
        head, tail = members[name][:10], members[name][10:]
        places = list(re.finditer(rb"'descr': '[^']*'|\d+|True|False", tail[:118]))
        place = draw(st.sampled_from(places))
        descr = (b"'descr': '|O'", b"'descr': '<f4'", b"'descr': '<U99999999'", b"'descr': [('a'")
        other = draw(st.sampled_from(NUMBERS + descr))
        members[name] = head + tail[: place.start()] + other + tail[place.end() :]
    elif kind == "bytes":
        members[name] = flip_bytes(draw, members[name])
    elif kind == "name":
        members[draw(st.sampled_from(("../../x.npy", "/etc/x.npy", "schema", "a\n.npy")))] = (
            members.pop(name)
        )
    elif kind == "bomb":
        members[name] += bytes(draw(st.sampled_from((1, 10**6, 10**8))))
    elif kind == "extra":
        members[f"{name}x"] = members[name]
    else:
        other = draw(st.sampled_from((b"\xff" * 8, b"\0" * 8, b"\xff\xff\xff\x7f\0\0\0\0")))
        at = min(128, len(members[name])) + 8 * draw(st.integers(0, 6))
        members[name] = members[name][:at] + other + members[name][at + 8 :]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for one, data in members.items():
            archive.writestr(one, data)
    return buffer.getvalue()


MUTATIONS = (
    change_number,
    insert_token,
    replace_word,
    truncate,
    cut_out,
    repeat,
    flip_bytes,
    swap_lines,
)


@st.composite
def hostile(draw: Any, seeds: tuple[bytes, ...]) -> bytes:
    """Draw a damaged file, or noise one time in twenty."""
    if draw(st.integers(0, 19)) == 0:
        return bytes(draw(st.binary(max_size=300)))
    content: bytes = draw(st.sampled_from(seeds))
    choices = (change_member, flip_bytes, truncate) if content[:2] == b"PK" else MUTATIONS
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        content = draw(st.sampled_from(choices))(draw, content)
    return content
