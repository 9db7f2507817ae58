import numpy as np
import pytest

from ffstream.datasets import load
from ffstream.errors import DatasetError

TWO = "a,kind\n1,x\n"
ROWS = "1,2.5,oak\n-3,4e2,ash\n0,1,oak\n5,6,elm\n7,8,ash\n"


def table(tmp_path, text):
    path = tmp_path / "trees.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_words_are_labels_in_the_order_in_which_they_sort(tmp_path):
    found = load(str(table(tmp_path, "height,girth,kind\n" + ROWS)))
    assert found.name == "trees"
    assert found.x.tolist() == [[1, 2.5], [-3, 400], [0, 1], [5, 6]]
    assert found.y.tolist() == [2, 0, 2, 1]
    assert found.names == ("ash", "elm", "oak")
    assert (found.x_held.tolist(), found.y_held.tolist()) == ([[7, 8]], [0])


def test_integers_are_the_labels_that_they_are(tmp_path):
    path = table(tmp_path, "n,a,b\n\n\n7,0.5,1\n" + 5 * "2,1,1\n")
    found = load(f"{path}:n")
    assert found.y.tolist() == [7, 2, 2, 2, 2]
    assert found.names is None
    assert found.x[0].tolist() == [0.5, 1]


def test_what_spreadsheets_write(tmp_path):
    """A byte order mark, quotes, lines that end as on Windows, names with commas."""
    found = load(str(table(tmp_path, b'\xef\xbb\xbf"height, cm","kind"\r\n' + 5 * b'"1.5","oak"\r\n')))
    assert found.x.tolist() == 4 * [[1.5]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "got 0 columns and 0 rows"),
        ("a,kind\n", "got 2 columns and 0 rows"),
        ("kind\n1\n", "got 1 columns"),
        ("a,kind\n1,x\n1,2,x\n", "line 3: got 3 columns, expected 2"),
        ("a,kind\n1,x\ntall,x\n", "line 3, column 'a': got 'tall', expected a finite number"),
        ("a,kind\n1,x\n,x\n", "line 3, column 'a': got '', expected a finite number"),
        ("a,kind\nnan,x\n", "line 2, column 'a': got 'nan'"),
        ("a,kind\n1e39,x\n", "line 2, column 'a': got '1e39'"),
        ("a,kind\n1,x\n1, \n", "line 3, column 'kind': got nothing, expected a label"),
        ('a,kind\n1,"x\n', "not a readable CSV file"),
        (b"a,kind\n1,\xff\n", "not a readable CSV file"),
    ],
)
def test_what_is_no_table(tmp_path, text, why):
    with pytest.raises(DatasetError, match=r"trees\.csv") as refused:
        load(str(table(tmp_path, text)))
    assert why in str(refused.value)


def test_a_column_or_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match=r"got no column 'age', expected one of \['a', 'kind'\]"):
        load(f"{table(tmp_path, TWO)}:age")
    with pytest.raises(DatasetError, match="No such file"):
        load(str(tmp_path / "none.csv"))


def test_numbers_are_float32(tmp_path):
    assert load(str(table(tmp_path, "a,kind\n" + 5 * "0.1,1\n"))).x.dtype == np.float32
