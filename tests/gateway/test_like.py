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
