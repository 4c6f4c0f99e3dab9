"""How a valid file becomes a broken or a hostile one: its bytes, its parts or its values are changed by hypothesis."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

NUMBERS = (0, 1, 2, 127, 255, 2**15 - 1, 2**16 - 1, 10**6, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
WORDS = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[31m", b"\xe2\x80\xae", b'"', b"'", b"\n", b"\r", b",", b"\t",
    b"[" * 2000, b"{" * 50, b'{"a":' * 2000, b"a." * 300, b"1e999", b"-1", b"9" * 5000, b"NaN", b"../../etc/passwd",
    b"/dev/zero", b"out.png", b"PK\3\4", b"\x80\x02", b"((((", b"\x85" * 40, b"h\0h\0\x86q\0" * 40, b"," * 50_000,
    b"\n" * 1000,
)  # fmt: skip
JSON_VALUES = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from([-n for n in NUMBERS]), st.floats(),
    st.sampled_from([word.decode("latin-1") for word in WORDS]), st.text(max_size=8), st.just([]), st.just({}),
    st.lists(st.integers(), max_size=4), st.dictionaries(st.text(max_size=4), st.integers(), max_size=3),
)  # fmt: skip
PLACE = st.floats(0, 1)
FIELDS = st.tuples(st.sampled_from(NUMBERS), st.sampled_from("<>"), st.sampled_from("BHIQ"))
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), PLACE, st.integers(0, 255)),
        st.tuples(st.just("cut"), PLACE, PLACE),
        st.tuples(st.just("end"), PLACE, st.none()),
        st.tuples(st.just("copy"), PLACE, PLACE),
        st.tuples(st.just("put"), PLACE, st.sampled_from(WORDS) | st.binary(max_size=24)),
        st.tuples(st.just("number"), PLACE, FIELDS),
    ),
    min_size=1,
    max_size=5,
)  # fmt: skip


def edited(content: bytes, edits: list[tuple[str, float, Any]]) -> bytes:
    """Return bytes after edits, each at a share of their length."""
    made = bytearray(content)
    for kind, share, value in edits:
        place = int(share * len(made))
        if kind == "set" and place < len(made):
            made[place] = value
        elif kind == "cut":
            del made[place : place + int(value * 64)]
        elif kind == "end":
            del made[place:]
        elif kind == "copy":
            made[place:place] = made[place : place + int(value * 4096)]
        elif kind == "put":
            made[place:place] = value
        elif kind == "number":
            number, order, width = value
            packed = struct.pack(f"{order}{width}", number % 2 ** (8 * struct.calcsize(width)))
            made[place : place + len(packed)] = packed
    return bytes(made)


@st.composite
def zips(draw: st.DrawFn, content: bytes) -> bytes:
    """Return an archive with sound checksums and changed, doubled, renamed or missing parts."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [(one, archive.read(one)) for one in archive.namelist()]
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(parts) - 1))
        name, part = parts[place]
        what = draw(st.sampled_from(("edit", "edit", "edit", "tree", "double", "rename", "drop", "grow")))
        if what == "edit":
            parts[place] = name, edited(part, draw(EDITS))
        elif what == "tree" and name.endswith(".json"):
            parts[place] = name, draw(trees(part))
        elif what == "double":
            parts.append((name, draw(st.sampled_from(parts))[1]))
        elif what == "rename":
            parts[place] = draw(st.sampled_from([one for one, _ in parts]) | st.text(max_size=9)), part
        elif what == "drop" and len(parts) > 1:
            del parts[place]
        elif what == "grow":
            parts[place] = name, part + bytes(draw(st.sampled_from((1000, 10**6, 2 * 10**7))))
    file = io.BytesIO()
    method = draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, part in parts:
            archive.writestr(name.partition("\0")[0] or "a", part)
    return edited(file.getvalue(), draw(EDITS)) if draw(st.integers(0, 3)) == 3 else file.getvalue()


@st.composite
def trees(draw: st.DrawFn, content: bytes) -> bytes:
    """Return JSON with some values replaced, missing or under another name."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):  # changed before, or never JSON
        return edited(content, draw(EDITS))
    for _ in range(draw(st.integers(1, 4))):
        holder, key = found, None
        for _depth in range(draw(st.integers(1, 8))):
            inner = holder if key is None else holder[key]
            if not isinstance(inner, dict | list) or not inner:
                break
            keys = sorted(inner) if isinstance(inner, dict) else range(len(inner))
            holder, key = inner, draw(st.sampled_from(keys))
        if key is None:
            return json.dumps(draw(JSON_VALUES)).encode()
        what = draw(st.sampled_from(("replace", "replace", "replace", "drop", "rename")))
        if what == "replace":
            holder[key] = draw(JSON_VALUES)
        elif what == "drop":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=6))] = holder.pop(key)
    return json.dumps(found).encode()


@st.composite
def heads(draw: st.DrawFn, content: bytes) -> bytes:
    """Return a safetensors file with a changed list of tensors, whose length is right."""
    length = int.from_bytes(content[:8], "little")
    head = draw(trees(content[8 : 8 + length]))
    return len(head).to_bytes(8, "little") + head + content[8 + length :]


@st.composite
def arrays(draw: st.DrawFn, content: bytes) -> bytes:
    """Return a .npy file that declares another shape or type, in a head that is well formed."""
    shape = tuple(draw(st.lists(st.sampled_from((*NUMBERS, -1)), max_size=4)))
    kinds = ("<f4", "<f2", ">f8", "|O", "<U9999999", "|V0", "<U0", "<M8[ns]", "f16", "x", "<i8,<f4")
    head = repr({"descr": draw(st.sampled_from(kinds)), "fortran_order": draw(st.booleans()), "shape": shape}).encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head) + 1) + head + b"\n" + content[128:]


@st.composite
def chunks(draw: st.DrawFn, content: bytes) -> bytes:
    """Return a PNG whose chunks are changed, under sound checksums."""
    made, place = bytearray(content[:8]), 8
    chosen = draw(st.integers(0, 6))
    while place + 12 <= len(content):
        length = struct.unpack_from(">I", content, place)[0]
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        if chosen == 0:
            body = edited(body, draw(EDITS))
        for _ in range(2 if chosen == 1 and draw(st.booleans()) else 1):
            made += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        chosen -= draw(st.integers(0, 1))
        place += 12 + length
    return bytes(made)


BY_KIND: dict[str, tuple[Callable[[bytes], st.SearchStrategy[bytes]], ...]] = {
    ".json": (trees,),
    ".pt": (zips,),
    ".pt2": (zips,),
    ".npz": (zips,),
    ".npy": (arrays,),
    ".safetensors": (heads,),
    ".png": (chunks,),
}


@st.composite
def files(draw: st.DrawFn, seeds: dict[str, bytes]) -> tuple[str, bytes]:
    """Return a file's name and its changed content."""
    name = draw(st.sampled_from(sorted(seeds)))
    content = seeds[name]
    own = [] if name.startswith("old_") else BY_KIND.get("." + name.rpartition(".")[2], ())
    ways = [*own, *own, lambda one: EDITS.map(lambda edits: edited(one, edits))]
    return name, draw(draw(st.sampled_from(ways))(content))
