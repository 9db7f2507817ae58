import json
import logging
from dataclasses import replace

import pytest
import torch

from ffstream import NetworkConfig, Schedule, Stream
from ffstream.errors import SnapshotError
from ffstream.stream.snapshot import (
    Manifest,
    committed,
    digest,
    folder_of,
    manifests,
    read_part,
    remove_older,
    write_manifest,
    write_part,
)

CONFIG = "the digest of a configuration"


def state(number):
    return {"weights": torch.full((3, 2), float(number)), "place": torch.tensor([number, 0])}


def write(root, seq, *, keep=10, config=CONFIG):
    files = {name: write_part(folder_of(root, seq), name, state(seq)) for name in ("layer-0", "dreamer")}
    write_manifest(root, Manifest(seq, config, files, {"frames": seq}))
    remove_older(root, seq, [older for older in committed(root) if older <= seq][:keep])
    return folder_of(root, seq)


def whole(root):
    return [manifest.seq for manifest in manifests(root, CONFIG)]


def test_what_is_written_reads_back(tmp_path):
    write(tmp_path, 7)
    (manifest,) = manifests(tmp_path, CONFIG)
    assert (manifest.seq, manifest.progress) == (7, {"frames": 7})
    for name in manifest.files:
        part = read_part(tmp_path, manifest, name)
        assert digest(part) == digest(state(7))
        assert part["place"].dtype == torch.int64


def test_newest_first_and_the_oldest_go(tmp_path):
    for seq in (5, 100, 20, 3000):
        write(tmp_path, seq, keep=3)
    assert whole(tmp_path) == [3000, 100, 20]
    assert not folder_of(tmp_path, 5).exists()


def test_what_was_not_committed_takes_no_place(tmp_path):
    """What a crash has left unfinished neither counts among those kept nor drives them out."""
    for seq in (10, 20):
        write(tmp_path, seq)
    for seq in (5, 30, 40, 50):
        write_part(folder_of(tmp_path, seq), "layer-0", state(seq))
    write(tmp_path, 25, keep=2)
    assert whole(tmp_path) == [25, 20]
    assert sorted(path.name.lstrip("0") for path in tmp_path.iterdir()) == ["20", "25", "30", "40", "50"]


def test_no_folder_no_snapshots(tmp_path):
    assert whole(tmp_path / "missing") == []


def flip_a_bit(folder):
    path = folder / "layer-0.safetensors"
    blob = bytearray(path.read_bytes())
    blob[-1] ^= 1
    path.write_bytes(blob)


def cut_a_part(folder):
    path = folder / "dreamer.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


def lose_a_part(folder):
    (folder / "layer-0.safetensors").unlink()


def lose_the_manifest(folder):
    (folder / "manifest.json").unlink()


def tear_the_manifest(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:40])


def empty_the_manifest(folder):
    (folder / "manifest.json").write_bytes(b"")


def of_another_format(folder):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))


def tell_another_score(folder):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"progress": {"frames": 99}}))


def not_even_an_object(folder):
    (folder / "manifest.json").write_text("[1, 2]")


DAMAGES = [
    tell_another_score,
    not_even_an_object,
    flip_a_bit,
    cut_a_part,
    lose_a_part,
    lose_the_manifest,
    tear_the_manifest,
    empty_the_manifest,
    of_another_format,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_snapshot_is_passed_over(tmp_path, damage, caplog):
    write(tmp_path, 1)
    damage(write(tmp_path, 2))
    with caplog.at_level(logging.WARNING):
        assert whole(tmp_path) == [1]
    assert "snapshot 2 passed over" in caplog.text


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (tear_the_manifest, "no readable manifest (Unterminated string"),
        (lose_the_manifest, "no readable manifest ([Errno 2]"),
        (tell_another_score, "manifest.json: its sha256 is not the one in it"),
        (of_another_format, "format 99, this version reads 2"),
        (lose_a_part, "layer-0.safetensors: No such file"),
        (cut_a_part, "dreamer.safetensors: its sha256 is not the one in the manifest"),
    ],
)
def test_the_log_says_why(tmp_path, damage, why, caplog):
    damage(write(tmp_path, 2))
    assert whole(tmp_path) == []
    assert why in caplog.text


def test_a_part_that_changed_after_the_manifest_was_read(tmp_path):
    folder = write(tmp_path, 1)
    (manifest,) = manifests(tmp_path, CONFIG)
    flip_a_bit(folder)
    with pytest.raises(SnapshotError, match="sha256"):
        read_part(tmp_path, manifest, "layer-0")


def test_another_configuration_is_refused(tmp_path):
    write(tmp_path, 1, config="of another")
    with pytest.raises(SnapshotError, match="another configuration"):
        whole(tmp_path)


def test_other_files_do_not_count(tmp_path):
    write(tmp_path, 1)
    (tmp_path / "notes").mkdir()
    (tmp_path / "lost+found").write_text("")
    assert whole(tmp_path) == [1]


def test_a_digest_sees_names_and_bits():
    one = {"a": torch.tensor([1.0, 2.0])}
    assert digest(one) == digest({"a": torch.tensor([1.0, 2.0])})
    assert digest(one) != digest({"b": torch.tensor([1.0, 2.0])})
    assert digest(one) != digest({"a": torch.tensor([1.0, torch.nextafter(torch.tensor(2.0), torch.tensor(3.0))])})
    assert digest(one) != digest({"a": torch.tensor([-0.0, 2.0])})


NETWORK = NetworkConfig(inputs=3, classes=2, units=(8, 8), batch=5)


def feed(stream, n):
    stream.feed(torch.rand(n, 3, generator=torch.Generator().manual_seed(n)).numpy(), [0, 1] * (n // 2))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_stream_goes_on_from_the_snapshot_before_a_damaged_one(tmp_path, damage):
    stream = Stream.in_process(NETWORK, Schedule(every=10, idle=None), folder=tmp_path)
    feed(stream, 20)
    first = stream.snapshot()
    feed(stream, 10)
    second = stream.snapshot()
    feed(stream, 4)
    expected, progress = stream.chain.digests(), stream.progress
    stream.close()
    damage(folder_of(tmp_path / "snapshots", second))
    again = Stream.in_process(NETWORK, Schedule(every=10, idle=None), folder=tmp_path)
    assert again.reader.seq == first
    again.settle()
    assert again.chain.digests() == expected
    assert again.progress.frames == progress.frames
    assert [manifest.seq for manifest in again.saved()] == [second, first], "replay passes the barrier and saves again"
    again.close()


def test_a_stream_keeps_the_newest_three(tmp_path):
    stream = Stream.in_process(NETWORK, folder=tmp_path)
    made = [stream.snapshot() for _ in range(5)]
    assert [manifest.seq for manifest in stream.saved()] == made[:-4:-1]
    stream.close()


def test_a_stream_refuses_the_snapshots_of_another_network(tmp_path):
    stream = Stream.in_process(NETWORK, folder=tmp_path)
    stream.snapshot()
    stream.close()
    other = NetworkConfig(inputs=3, classes=2, units=(8, 8), batch=5, seed=1)
    with pytest.raises(SnapshotError, match="another configuration"):
        Stream.in_process(other, folder=tmp_path)


BLOCK = 64
"""Bytes of a file that are damaged at a time."""


def flip(blob, start):
    middle = min(start + BLOCK // 2, len(blob) - 1)
    return blob[:middle] + bytes([blob[middle] ^ 1]) + blob[middle + 1 :]


def cut(blob, start):
    return blob[:start]


@pytest.mark.parametrize("damage", [flip, cut])
def test_no_block_of_a_snapshot_can_be_damaged_unseen(tmp_path, damage, caplog):
    """Every block of every file in turn: what is loaded is the snapshot before it."""
    small = replace(NETWORK, memory=30)
    stream = Stream.in_process(small, Schedule(every=10, idle=None), folder=tmp_path)
    feed(stream, 20)
    first = stream.snapshot()
    feed(stream, 10)
    second = stream.snapshot()
    stream.close()
    root, damaged = tmp_path / "snapshots", 0
    for path in sorted(folder_of(root, second).iterdir()):
        whole_file = path.read_bytes()
        for start in range(0, len(whole_file), BLOCK):
            path.write_bytes(damage(whole_file, start))
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                assert [manifest.seq for manifest in manifests(root, small.digest())] == [first], f"{path.name} at {start}"
            assert f"snapshot {second} passed over" in caplog.text
            damaged += 1
        path.write_bytes(whole_file)
    assert damaged > 100
    assert [manifest.seq for manifest in manifests(root, small.digest())] == [second, first]
