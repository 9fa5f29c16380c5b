"""Events come out whole, however the network cut the stream."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from swsllm_nb.sse import DONE, Scanner

STREAM = (
    b'data: {"a": 1}\n\n: a comment\n\ndata: one\r\ndata: two\r\n\r\n'
    b"event: x\ndata:three\n\ndata: [DONE]\n\n"
)


def test_data_and_comments_are_told_apart() -> None:
    events = Scanner().feed(STREAM)
    assert [event.data for event in events] == [
        b'{"a": 1}', None, b"one\ntwo", b"three", DONE
    ]  # fmt: skip
    assert events[1].comment == b"a comment"


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_cuts_of_the_network_change_nothing_and_lose_no_byte(cuts: list[int]) -> None:
    scanner = Scanner()
    edges = [0, *sorted(cuts), len(STREAM)]
    events = [event for start, end in pairwise(edges) for event in scanner.feed(STREAM[start:end])]
    assert events == Scanner().feed(STREAM)
    assert b"".join(event.raw for event in events) + scanner.rest == STREAM


def test_what_has_not_ended_stays_behind() -> None:
    scanner = Scanner()
    assert scanner.feed(b"data: half") == []
    assert scanner.rest == b"data: half"
