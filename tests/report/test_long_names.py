"""Names where there is little room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.report.names import name_forms, shortened

_NAMES = st.lists(st.text(st.sampled_from("ab/.3"), min_size=1, max_size=30), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("names", "letters", "expected"),
    [
        (["ffn1", "ffn2"], 10, ["ffn1", "ffn2"]),
        (
            ["/backbone/layer.3/attention/query/MatMul", "/backbone/layer.3/attention/key/MatMul"],
            20,
            ["…query/MatMul", "…key/MatMul"],
        ),
        (
            ["/backbone/layer.3/attention/query/MatMul", "/backbone/layer.3/attention/key/MatMul"],
            8,
            ["…query…", "…key…"],
        ),
        (["/net/layer.3/Conv", "/net/layer.4/Conv", "/net/layer.10/Conv"], 5, ["…3…", "…4…", "…10…"]),
        (["/net/a/Conv", "/net/b/Gemm"], 8, ["…a/Conv", "…b/Gemm"]),
        (["/backbone/layer.3/attention/MatMul"], 16, ["/back…ion/MatMul"]),
        (["conv1_1", "conv1_2"], 4, ["…1", "…2"]),
        (["layerA", "layerB"], 4, ["l…rA", "l…rB"]),
        (["same", "same"], 3, ["…me", "…me"]),
    ],
)
def test_the_telling_part_stays(names: list[str], letters: int, expected: list[str]) -> None:
    """What names have in common goes first, from the beginning, then from the end; then the middle."""
    assert [shortened(forms, letters) for forms in name_forms(names)] == expected


@given(names=_NAMES, letters=st.integers(2, 40))
def test_shortened_names_fit(names: list[str], letters: int) -> None:
    """A name with room stays whole; a shorter form has room, and is made of ends of the name with dots."""
    for name, forms in zip(names, name_forms(names), strict=True):
        text = shortened(forms, letters)
        assert len(text) <= letters
        assert text == name if len(name) <= letters else "…" in text
        for part in text.split("…"):
            assert part in name


@given(names=_NAMES)
def test_forms_tell_names_apart(names: list[str]) -> None:
    """Different names never have the same form, whichever is taken: what goes is what they share."""
    forms = name_forms(names)
    for number in range(3):
        taken = {each[min(number, len(each) - 1)] for each in forms}
        assert len(taken) == len(set(names))
