"""Where parts may run, and which clusters are joined, decided without one; ``tests/recovery`` has a real one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray

from ffstream import NetworkConfig
from ffstream.actors import Placement, open_stream
from ffstream.actors.crew import Crew
from ffstream.actors.joined import JoinedRay, address, namespace_of
from ffstream.actors.placement import Seats
from ffstream.actors.shared import Share
from ffstream.errors import ChainError, ConfigError
from ffstream.stream.sqlite_journal import SqliteJournal

CONFIG = NetworkConfig(4, 2, (8, 8))


def test_what_is_kept_for_a_part() -> None:
    placement = Placement("spread", {"layers": {"CPU": 2.0}, "layer-1": {"GPU": 1.0, "fast": 0.5}})
    assert placement.of("layer-0") == {"CPU": 2.0}
    assert placement.of("layer-1") == {"GPU": 1.0, "fast": 0.5}
    assert placement.of("dreamer") == {}
    assert Placement().of("layer-7") == {"CPU": 1.0}
    placement.check(2)


def test_who_computes_on_a_gpu_gets_one() -> None:
    """Unless it is said how much of one."""
    devices = {"layers": "cuda", "layer-1": "cpu"}
    placement = Placement(devices=devices)
    placement.check(2)
    assert [placement.of(part) for part in ("layer-0", "layer-1", "dreamer")] == [{"CPU": 1.0, "GPU": 1.0}, {"CPU": 1.0}, {}]
    assert Placement("pack", {"layers": {"GPU": 0.25}}, devices).of("layer-0") == {"GPU": 0.25}
    with pytest.raises(ConfigError, match=r"resources of layer-0: .* expected some GPU too: its device is cuda"):
        Placement("pack", {"layers": {"CPU": 1.0}}, devices).check(2)
    with pytest.raises(ConfigError, match="device of layer-1: got 'tpu'"):
        Placement(devices={"layer-1": "tpu"}).check(2)


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"layer-2": {"CPU": 1.0}}, "layer-2, expected one of dreamer, layer-0, layer-1, layers"),
        ({"layer-1": {"CPU": -1.0}}, "layer-1"),
        ({"dreamer": {"GPU": -1.0}}, "dreamer"),
        ({"layers": {}}, "layer-0"),
        ({"layer-1": {"CPU": 0.0}}, "layer-1"),
    ],
)
def test_placements_that_do_not_fit(resources: dict[str, dict[str, float]], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        open_stream(CONFIG, folder=tmp_path, placement=Placement("pack", resources))
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_a_placement_needs_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ConfigError, match="RAY_ADDRESS"):
        open_stream(CONFIG, folder=tmp_path, placement=Placement("spread"))


@pytest.mark.parametrize(("told", "found"), [("", None), ("local", None), ("10.0.0.1:6379", "10.0.0.1:6379"), ("auto", "auto")])
def test_clusters_that_are_joined(monkeypatch: pytest.MonkeyPatch, told: str, found: str | None) -> None:
    monkeypatch.setenv("RAY_ADDRESS", told)
    assert address() == found


def test_rays_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(ConfigError, match="ray start"):
        address()


def test_a_folder_keeps_its_name(tmp_path: Path) -> None:
    """Wherever it is mounted; and no other has it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "c").mkdir()
    name = namespace_of(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert namespace_of(tmp_path / "b") == name != namespace_of(tmp_path / "c")


@pytest.mark.usefixtures("ray_runs")
def test_a_program_that_takes_part_in_a_cluster_already_stays_in_it() -> None:
    share = Share(lambda: JoinedRay("127.0.0.1:1", "name"), lambda: None)
    share.open()
    share.check()
    share.close()
    assert ray.is_initialized()


@pytest.fixture
def crews(tmp_path: Path) -> Iterator[Callable[[float], Crew]]:
    """Crews of one folder, whose layer wants so many processors."""
    config, journal = NetworkConfig(4, 2, (8,)), SqliteJournal(tmp_path / "journal.sqlite", 4)
    made = []

    def make(processors: float) -> Crew:
        seats = Seats(Placement("pack", {"layers": {"CPU": processors}}), 1, "one-folder")
        made.append(Crew(config, journal.path, tmp_path / "snapshots", seats=seats))
        return made[-1]

    yield make
    for crew in made:
        crew.close()
    journal.close()


@pytest.mark.usefixtures("ray_runs")
def test_the_parts_of_a_folder_are_there_once(crews: Callable[[float], Crew], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second gateway gets no chain while the first has one, and gets it afterwards."""
    first, second = crews(0.1), crews(0.1)
    first.assemble(None)
    monkeypatch.setattr("ffstream.actors.crew.NAMED_WITHIN", 0.5)
    with pytest.raises(ChainError, match="another service uses this folder"):
        second.assemble(None)
    first.close()
    second.assemble(None)
    assert second.pids.keys() == {"dreamer", "layer-0"}


@pytest.mark.usefixtures("ray_runs")
def test_who_finds_no_room_is_told_what_is_wanted(crews: Callable[[float], Crew], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffstream.actors.placement.ROOM_WITHIN", 0.5)
    with pytest.raises(ChainError, match=r"layer-0: {'CPU': 50}.*got 1 CPU"):
        crews(50).assemble(None)
