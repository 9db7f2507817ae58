import pytest

from ffstream.errors import ConfigError
from ffstream_gateway.app import create_app


@pytest.mark.parametrize(("name", "value"), [("inputs", 32), ("classes", 3)])
def test_a_flag_that_contradicts_the_data_set(gateway, name, value):
    with pytest.raises(ConfigError, match=name) as found:
        create_app(gateway.settings(like="digits", **{name: value}))
    assert "digits" in str(found.value)
    assert not (gateway.folder / "network.json").exists()


def test_a_flag_that_says_the_same(gateway):
    assert gateway.open(like="digits", inputs=64).stream.config.inputs == 64


@pytest.mark.parametrize(("flags", "scaled"), [({}, True), ({"standardize": False}, False)])
def test_a_table_is_standardized_unless_told_otherwise(gateway, tmp_path, flags, scaled):
    (tmp_path / "trees.csv").write_text("height,girth,kind\n" + 5 * "1,2,oak\n3,4,ash\n")
    config = gateway.open(like=f"{tmp_path}/trees.csv", **flags).stream.config
    assert (config.inputs, config.classes, config.standardize) == (2, 2, scaled)


def test_frames_are_not_standardized_unless_told(gateway):
    assert not gateway.open(like="digits").stream.config.standardize


def test_labels_are_called_what_the_data_set_calls_them(gateway, tmp_path):
    path = tmp_path / "trees.csv"
    path.write_text("height,girth,kind\n" + 5 * "1,2,oak\n3,4,ash\n")
    opened = gateway.open(like=str(path))
    assert opened.get("/shape")["names"] == opened.get("/status")["names"] == ["ash", "oak"]
    opened.close()
    assert gateway.open().get("/shape")["names"] == ["ash", "oak"], "the folder knows them"


@pytest.fixture
def trees(gateway, tmp_path):
    """A service of trees, ash or oak, that may come to know two kinds more."""
    path = tmp_path / "trees.csv"
    path.write_text("height,girth,kind\n" + 5 * "1,2,oak\n3,4,ash\n")
    return gateway.open(like=str(path), max_classes=4)


def test_labels_are_fed_by_their_names(trees):
    trees.accepted([[3, 4]] * 3)
    answers = [
        trees.post("/feed", b'{"frames": [[1, 2], [3, 4], [5, 6], [7, 8]], "labels": ["oak", 0, null, 3]}'),
        trees.post("/feed", b'{"frame": [1, 2], "label": "oak"}\n{"frame": [3, 4]}', "application/x-ndjson"),
        trees.post("/labels", b'{"labels": [{"id": 1, "label": "ash"}, {"id": 2, "label": 1}]}'),
    ]
    assert [answer.status_code for answer in answers] == [202] * 3
    with trees.http.websocket_connect("/feed") as socket:
        socket.receive_json()
        socket.send_json({"frame": [1, 2], "label": "oak"})
        assert socket.receive_json()["last"] == 12
    assert trees.stream.journal.read(1, 12)[1].tolist() == [-1, -1, -1, 1, 0, -1, 3, 1, -1, 0, 1, 1]


def test_a_name_that_no_label_has(trees, refused):
    kept = trees.kept
    problem = refused(trees.post("/feed", b'{"frames": [[1, 2], [3, 4]], "labels": ["ash", "elm"]}'), 422, "shape")
    assert problem["place"] == "labels[1]"
    assert problem["detail"] == "labels[1]: got elm, expected ash, oak, or 0 to 3, or null for not known"
    problem = refused(trees.post("/labels", b'{"labels": [{"id": 1, "label": "elm"}]}'), 422, "shape")
    assert problem["place"] == "labels[0]"
    assert trees.kept == kept


def test_labels_are_answered_with_their_names(trees):
    trees.accepted([[1, 2], [3, 4]] * 200, [1, 0] * 200)
    trees.settle()
    answer = trees.classify([[1, 2], [3, 4]], method="one_pass").json()
    assert (answer["labels"], answer["names"]) == ([1, 0], ["oak", "ash"])


def test_a_label_that_came_later_is_called_by_its_number(trees):
    trees.accepted([[9, 1], [1, 9]] * 200, [3, 0] * 200)
    trees.settle()
    answer = trees.classify([[9, 1], [1, 9]], method="one_pass").json()
    assert (answer["labels"], answer["names"]) == ([3, 0], ["3", "ash"])


def test_numbers_are_all_there_is_where_labels_have_no_names(gateway, refused):
    opened = gateway.open()
    assert "names" not in opened.classify([[0.5] * 64]).json()
    problem = refused(opened.post("/feed", f'{{"frames": [{[0.5] * 64}], "labels": ["ash"]}}'.encode()), 422, "shape")
    assert problem["detail"] == "labels[0]: got a string, expected 0 to 9, or null for not known"
