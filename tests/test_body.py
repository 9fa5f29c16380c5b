"""A body on its way in: packed, in pieces, too large, or a bomb; and what an answer tells."""

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Iterable
from typing import Any

import pytest

from swsllm_nb.proxy.asgi import ClientGone, read_body
from swsllm_nb.proxy.body import read_members, read_told, write_members
from swsllm_nb.proxy.errors import BadRequest, BodyTooLarge, UnsupportedEncoding

LIMIT_BYTES = 1_000_000


def read(pieces: Iterable[bytes], **headers: str) -> bytes:
    """The body that arrives in these pieces; after them the client leaves."""
    given = list(pieces)
    messages = iter(
        {"type": "http.request", "body": piece, "more_body": number < len(given)}
        for number, piece in enumerate(given, 1)
    )

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return asyncio.run(read_body({"headers": fields}, receive, LIMIT_BYTES))


def test_a_body_in_pieces_is_one() -> None:
    assert read([b"ab", b"", b"c"]) == b"abc"
    assert read([b"abc"], content_encoding="identity") == b"abc"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_packed_body_is_unpacked_however_it_was_cut(size: int) -> None:
    packed = gzip.compress(b"a body " * 1000)
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert read(pieces, content_encoding="GZIP") == b"a body " * 1000


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    packer = zlib.compressobj(wbits=-15)
    # After a full flush nothing refers to what came before, so that the piece can be repeated.
    mebibyte = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = b"\x1f\x8b\x08" + bytes(6) + b"\xff" + mebibyte * 4096
    assert len(bomb) > LIMIT_BYTES
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            read([bomb], content_encoding="gzip")
        assert tracemalloc.get_traced_memory()[1] < 20 * LIMIT_BYTES
    finally:
        tracemalloc.stop()


def test_what_is_too_large_is_refused_by_what_it_says_or_when_it_is() -> None:
    with pytest.raises(BodyTooLarge):
        read([], content_length=str(LIMIT_BYTES + 1))
    with pytest.raises(BodyTooLarge):
        read([], content_length="9" * 5000)
    with pytest.raises(BodyTooLarge):
        read([b"x" * LIMIT_BYTES, b"x"])
    assert len(read([b"x" * LIMIT_BYTES])) == LIMIT_BYTES


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused_by_name(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding, match=encoding):
        read([b"x"], content_encoding=encoding)


@pytest.mark.parametrize("packed", [b"no gzip", 2 * gzip.compress(b"a", mtime=0)])
def test_what_is_not_one_gzip_is_refused(packed: bytes) -> None:
    with pytest.raises(BadRequest, match="gzip"):
        read([packed], content_encoding="gzip")


def test_a_client_that_leaves_is_gone() -> None:
    with pytest.raises(ClientGone):
        read([])


@pytest.mark.parametrize("text", ['[1.0,1e2,"\\u00e9"]', '{"a" :\n[ ]}', '"\\/"', "-0", "1.50"])
def test_values_are_written_as_the_bytes_they_were(text: str) -> None:
    members = read_members(f' {{"a":1,"kept": {text} }} '.encode())
    kept = {"kept": members.raw["kept"]}
    assert text.encode() in write_members({"ours": True}, kept)
    assert json.loads(write_members({"ours": True}, kept)) == {
        "ours": True, "kept": json.loads(text)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ('{"choices":[]}', True),
        ('{"choices":[ ]}', True),
        ('{"choices":[0]}', False),
        ("{}", False),
    ],
)
def test_the_event_without_choices_is_known(text: str, without: bool) -> None:
    told = read_told(text.encode())
    assert told is not None
    assert told.is_without_choices == without
    assert told.is_completion == ("choices" in text)


def test_half_of_a_surrogate_pair_hides_nothing_of_an_answer() -> None:
    told = read_told(b'{"choices":["\\ud83d"],"usage":{"prompt_tokens":3},"service_tier":"flex"}')
    assert told is not None
    assert (told.usage, told.service_tier) == ({"prompt_tokens": 3}, "flex")
    assert told.is_completion


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"[" * 100_000, b'{"choices":' + b"[" * 100_000]
)
def test_what_is_no_object_tells_nothing(text: bytes) -> None:
    assert read_told(text) is None


def test_a_name_that_occurs_twice_is_found_at_once_behind_however_many_others() -> None:
    names = "".join(f'"{number}":1,' for number in range(90_000))
    began = time.perf_counter()
    with pytest.raises(BadRequest, match="'last' occurs twice"):
        read_members(f'{{"x":{{{names}"last":1,"last":2}}}}'.encode())
    assert time.perf_counter() - began < 10  # it was five minutes


@pytest.mark.parametrize("part", ["{}", "[]", '{"a":1}', "[[]]"])
def test_a_body_of_too_many_parts_is_refused_before_it_is_read(part: str) -> None:
    body = f'{{"x":[{",".join([part] * 110_000)}]}}'.encode()
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest, match="more than 100,000 of the characters"):
            read_members(body)
        assert tracemalloc.get_traced_memory()[1] < len(body)
    finally:
        tracemalloc.stop()
