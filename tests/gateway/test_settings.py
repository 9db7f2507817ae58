from pathlib import Path

import pytest

from ffstream.errors import ConfigError
from ffstream_gateway.folder import open_network, open_schedule
from ffstream_gateway.settings import Settings


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_defaults():
    settings = Settings.load({})
    assert (settings.host, settings.port, settings.folder, settings.chain) == ("127.0.0.1", 8000, Path("ffstream-data"), "ray")
    assert (settings.inputs, settings.classes, settings.units, settings.batch) == (64, 10, (500, 500), 25)
    assert (settings.every, settings.idle, settings.dreams_per_frame) == (125, 5.0, 1.0)
    assert (settings.backlog, settings.max_body, settings.drain_seconds) == (20_000, 64 << 20, 60.0)
    assert not settings.model_fields_set


def test_flags_win_over_environment_over_file_over_defaults(tmp_path, monkeypatch):
    file = tmp_path / "own.toml"
    file.write_text("port = 1\nseed = 1\nbatch = 1\n")
    monkeypatch.setenv("FFSTREAM_PORT", "2")
    monkeypatch.setenv("FFSTREAM_SEED", "2")
    settings = Settings.load({"port": 3}, file)
    assert (settings.port, settings.seed, settings.batch, settings.classes) == (3, 2, 1, 10)
    assert settings.model_fields_set == {"port", "seed", "batch"}


def test_the_file_of_the_folder_one_is_in():
    Path("ffstream.toml").write_text("seed = 7\nunits = [3, 4]\nidle = 2\nfolder = 'there'\nmax_body = '1MiB'")
    settings = Settings.load({})
    assert (settings.seed, settings.units, settings.idle, settings.folder) == (7, (3, 4), 2.0, Path("there"))
    assert settings.max_body == 1 << 20


def test_the_file_that_the_environment_names(tmp_path, monkeypatch):
    Path("ffstream.toml").write_text("seed = 1\nbatch = 3")
    (tmp_path / "named.toml").write_text("seed = 2")
    monkeypatch.setenv("FFSTREAM_SETTINGS", str(tmp_path / "named.toml"))
    assert (Settings.load({}).seed, Settings.load({}).batch) == (2, 25)
    (tmp_path / "given.toml").write_text("seed = 3")
    assert Settings.load({}, tmp_path / "given.toml").seed == 3


def test_one_load_leaves_nothing_for_the_next(tmp_path):
    (tmp_path / "a.toml").write_text("seed = 2")
    assert Settings.load({}, tmp_path / "a.toml").seed == 2
    assert Settings.load({}).seed == 0


@pytest.mark.parametrize(("text", "units"), [("500,500", (500, 500)), ("40", (40,)), (" 40 , 30 ", (40, 30))])
def test_units_in_the_environment(monkeypatch, text, units):
    monkeypatch.setenv("FFSTREAM_UNITS", text)
    assert Settings.load({}).units == units


@pytest.mark.parametrize("word", ["never", "none", "Never", ""])
def test_never(monkeypatch, word):
    for name in ("EVERY", "IDLE", "SNAPSHOT_EVERY"):
        monkeypatch.setenv(f"FFSTREAM_{name}", word)
    settings = Settings.load({})
    assert (settings.every, settings.idle, settings.snapshot_every) == (None, None, None)


WRONG = [
    ("port", 65536),
    ("port", -1),
    ("port", "http"),
    ("chain", "threads"),
    ("devices", "cuda"),
    ("inputs", 0),
    ("classes", 1),
    ("units", "40,x"),
    ("units", ""),
    ("batch", 0),
    ("every", 0),
    ("every", "often"),
    ("idle", 0),
    ("idle", "nan"),
    ("dreams_per_frame", 0),
    ("dreams_per_frame", 101),
    ("drift", "panic"),
    ("backlog", 0),
    ("max_body", "much"),
    ("max_body", -1),
    ("label_lifetime", 0),
    ("snapshot_every", 0),
    ("snapshots_kept", 0),
    ("drain_seconds", -1),
    ("drain_seconds", "nan"),
    ("log_level", "loud"),
    ("power_safe", "perhaps"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_values_in_one_line(name, value):
    with pytest.raises(ConfigError, match=name) as found:
        Settings.load({name: value})
    assert "\n" not in str(found.value)
    assert str(value)[-1:] in str(found.value)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_values_in_the_environment(monkeypatch, name, value):
    monkeypatch.setenv(f"FFSTREAM_{name.upper()}", str(value))
    with pytest.raises(ConfigError, match=name) as found:
        Settings.load({})
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "colour"),
        ("[layers]\ninputs = 5", "layers"),
        ("port = 'http'", "port"),
        ("units = [40, 'x']", "units"),
        ("port = ", "own.toml"),
        ("\x00", "own.toml"),
    ],
)
def test_wrong_files_in_one_line(tmp_path, text, said):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(ConfigError, match=said) as found:
        Settings.load({}, tmp_path / "own.toml")
    assert "\n" not in str(found.value)


def test_a_file_that_is_not_text(tmp_path):
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"own\.toml"):
        Settings.load({}, tmp_path / "own.toml")


def test_a_file_that_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="absent"):
        Settings.load({}, tmp_path / "absent.toml")
    monkeypatch.setenv("FFSTREAM_SETTINGS", "absent.toml")
    with pytest.raises(ConfigError, match="absent"):
        Settings.load({})


def test_unknown_flags():
    with pytest.raises(ConfigError, match="colour"):
        Settings.load({"colour": 1})


@pytest.mark.parametrize(
    ("described", "every"),
    [
        ({}, 125),
        ({"ticks": 8}, 25),
        ({"clip": 4, "batch": 30}, 30),
        ({"task": "sequence"}, 1000),
        ({"clip": 4, "every": 90}, 90),
    ],
)
def test_a_day_is_as_long_as_suits_the_network(tmp_path, described, every):
    """Also when it is opened again and nothing is said of it."""
    settings = Settings(folder=tmp_path, chain="in-process", units=(8, 8), **described)
    network = open_network(settings)
    assert open_schedule(settings, network).every == every
    again = Settings(folder=tmp_path, **{name: value for name, value in described.items() if name == "every"})
    assert open_schedule(again, open_network(again)).every == every
