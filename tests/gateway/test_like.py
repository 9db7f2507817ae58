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
