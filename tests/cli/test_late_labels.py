"""Late labels as people write them."""

import pytest

from ffstream_gateway.late_labels import from_arguments, from_lines


def test_arguments():
    assert from_arguments(["12=3", "7=0"]) == [(12, 3), (7, 0)]


@pytest.mark.parametrize("text", ["12", "12=", "=3", "12=3=4", "a=3", "12=b", "12:3", "", "1.5=2"])
def test_an_argument_that_is_none(text):
    with pytest.raises(ValueError, match=r"got '.*', expected ID=LABEL"):
        from_arguments(["1=2", text])


@pytest.mark.parametrize(
    "lines",
    [
        ["12,3\n", "7,0\n"],
        ["id,label\n", "12, 3\n", "\n", "7,0"],
        ["ID, Label\r\n", "12,3\r\n", "7,0\r\n"],
        ['{"id": 12, "label": 3}\n', '{"label": 0, "id": 7}\n'],
        ['{"id": 12, "label": 3}\n', "7,0\n"],
    ],
)
def test_lines(lines):
    assert from_lines(lines) == [(12, 3), (7, 0)]


@pytest.mark.parametrize(
    "line",
    [
        *("12", "12;3", "12,3,4", "id,label", "twelve,3", "12,three", "12=3", "[12, 3]"),
        *(
            '{"id": 12}',
            '{"id": 12, "label": null}',
            '{"id": 12, "label": 3, "by": 4}',
            '{"id": 1.5, "label": 3}',
            '{"id": 12,',
        ),
    ],
)
def test_a_line_that_is_none(line):
    with pytest.raises(ValueError, match=r"line 2: got '.*', expected ID,LABEL or"):
        from_lines(["12,3", line])
