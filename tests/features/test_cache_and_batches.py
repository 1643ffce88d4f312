"""The feature cache and the batches: against the files read whole, at awkward lengths, damaged and interrupted."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tone

from mcc_zoo.audio import checks, reading
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.datasets import Track
from mcc_zoo.disk import WriteError
from mcc_zoo.features import streaming
from mcc_zoo.features.cache import FeatureCache, Features, mean_and_std
from mcc_zoo.features.front_end import FRONT_ENDS, FrontEnd
from mcc_zoo.features.log_mel import MelChunks, mel_frames
from mcc_zoo.training import warm_start
from mcc_zoo.training.batches import list_excerpts, make_evaluation_batches, make_training_batches

FRONT_END = FRONT_ENDS["22k"]
SECONDS = [3.8, 7.6, 7.6, 11.5, 20.0, 3.0]  # 1, 2, 2, 3, 5 and (padded) 1 chunks of 3.715 s


@pytest.fixture(scope="module")
def tracks(tmp_path_factory) -> list[Track]:
    folder = tmp_path_factory.mktemp("music")
    suffixes = ["wav", "flac", "ogg", "mp3", "wav", "au"]
    return [
        Track(write_tone(folder / f"{i}.{suffix}", 200 + 100 * i, seconds, seed=i), f"{i}.{suffix}", "low")
        for i, (suffix, seconds) in enumerate(zip(suffixes, SECONDS, strict=True))
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("cache"), FRONT_END)


@pytest.fixture(scope="module")
def features(tracks, cache) -> list[Features]:
    return cache.prepare([track.path for track in tracks])


def chunks_of(track: Track) -> np.ndarray:
    """Read the file whole and transform it at once: (chunks, 40, 80)."""
    return MelChunks(FRONT_END)(reading.read(track.path, 22_050)[np.newaxis]).numpy()[0]


def test_features_are_those_of_the_whole_file(tracks, features):
    assert [f.chunks for f in features] == [1, 2, 2, 3, 5, 1]
    for track, feature in zip(tracks, features, strict=True):
        expected = chunks_of(track)
        frames = np.load(feature.path)  # numpy reads it, and leaves the checksum behind it alone
        np.testing.assert_allclose(streaming.as_chunks(frames, FRONT_END), expected, rtol=1e-4, atol=1e-9)
        assert feature.total == pytest.approx(expected.sum(dtype=np.float64), rel=1e-6)
        assert feature.total_squares == pytest.approx(np.square(expected, dtype=np.float64).sum(), rel=1e-6)


@pytest.mark.parametrize("block", [1_000, 81_919, 81_920, 81_921, 1_000_000])
def test_blocks_of_any_size_give_the_same_frames(block, rng):
    samples = rng.normal(scale=0.1, size=82_944 + 2 * 81_920 + 500).astype(np.float32)
    blocks = [samples[i : i + block] for i in range(0, len(samples), block)]
    found = np.concatenate(list(streaming.mel_blocks(blocks, FrontEnd())))
    np.testing.assert_allclose(found, mel_frames(samples[np.newaxis], FrontEnd())[0, :240], atol=1e-6)


@pytest.mark.parametrize("level", ["none", "chunk", "window"])
def test_mean_and_std_are_those_of_all_values(tracks, features, level):
    """Windows are of two chunks, the tracks have up to five."""
    front_end = dataclasses.replace(FRONT_END, level=level)
    values = []
    for track in tracks:
        chunks = chunks_of(track).astype(np.float64)
        for first in range(0, len(chunks), 2):
            window = chunks[first : first + 2]
            axes = {"chunk": (1, 2), "window": (0, 1, 2)}.get(level)
            at_level = window if axes is None else np.log10(1 + 10 * window / window.mean(axes, keepdims=True))
            values.append(at_level.ravel())
    values = np.concatenate(values)
    mean, std = mean_and_std(features, front_end, 2)
    assert mean == pytest.approx(values.mean(), rel=1e-6)
    assert std == pytest.approx(values.std(), rel=1e-6)


def test_second_run_decodes_nothing(tracks, cache, features, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(IsolatedDecoder, "read_blocks", fail)
    assert cache.prepare([track.path for track in tracks]) == features


def test_other_content_and_other_front_end_have_other_entries(tracks, cache, tmp_path):
    path = write_tone(tmp_path / "0.wav", 200, SECONDS[0], seed=0)
    same = cache.features(path)
    assert same == cache.features(tracks[0].path)  # the same bytes under another name
    write_tone(path, 300, SECONDS[0])
    assert cache.features(path).path != same.path
    other = FeatureCache(cache.folder, dataclasses.replace(FRONT_END, level="none"))
    assert other.features(tracks[0].path).path != same.path


def checked(body: bytes) -> bytes:
    """Add the checksum that an entry has behind it."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


FRAMES = np.zeros((160, 40), "<f4")
OTHER_FILES = {
    "empty": b"",
    "four zeros": bytes(4),  # the checksum of nothing
    "no header": checked(bytes(4 * 160 * 40)),
    "no frames": checked(saved(FRAMES[:0])),
    "half a chunk": checked(saved(FRAMES[:40])),
    "other bands": checked(saved(FRAMES[:, :39])),
    "another shape": checked(saved(FRAMES.ravel())),
    "doubles": checked(saved(FRAMES.astype("<f8"))),
    "integers": checked(saved(FRAMES.astype("<i4"))),
    "by columns": checked(saved(np.asfortranarray(FRAMES))),
    "cut values": checked(saved(FRAMES)[:-320]),
    "more behind them": checked(saved(FRAMES) + bytes(320)),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "half a chunk" else pytest.mark.slow) for name in OTHER_FILES]
)
def test_a_file_that_is_no_entry_is_replaced(name, tracks, tmp_path):
    cache = FeatureCache(tmp_path, FRONT_END)
    whole = cache.features(tracks[1].path)
    data = whole.path.read_bytes()
    whole.path.write_bytes(OTHER_FILES[name])
    assert cache.features(tracks[1].path) == whole
    assert whole.path.read_bytes() == data


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:200], lambda b: b[:500] + b"x" + b[501:]], ids=["cut", "head", "letter"]
)
def test_a_damaged_entry_is_made_anew(damage, tracks, tmp_path):
    cache = FeatureCache(tmp_path, FRONT_END)
    whole = cache.features(tracks[1].path)
    data = whole.path.read_bytes()
    whole.path.write_bytes(damage(data))
    assert cache.features(tracks[1].path) == whole
    assert whole.path.read_bytes() == data


def put_folder(entry: Path) -> None:
    entry.mkdir()


def put_full_folder(entry: Path) -> None:
    (entry / "in it").mkdir(parents=True)


def put_dangling_link(entry: Path) -> None:
    entry.symlink_to("nowhere")


def put_circular_link(entry: Path) -> None:
    """What nobody can read, the administrator neither."""
    entry.symlink_to(entry.name)


def put_unreadable_file(entry: Path) -> None:
    entry.write_bytes(b"of another user")
    entry.chmod(0)


def put_nothing_and_take_the_folder(entry: Path) -> None:
    shutil.rmtree(entry.parent)


@pytest.mark.parametrize(
    "put",
    [
        put_folder,
        *(
            pytest.param(put, marks=pytest.mark.slow)
            for put in (
                put_full_folder,
                put_dangling_link,
                put_circular_link,
                put_unreadable_file,
                put_nothing_and_take_the_folder,
            )
        ),
    ],
)
def test_whatever_stands_in_the_place_of_an_entry_costs_nothing(put, tracks, tmp_path):
    cache = FeatureCache(tmp_path / "cache", FRONT_END)
    whole = cache.features(tracks[1].path)
    data = whole.path.read_bytes()
    whole.path.unlink()
    put(whole.path)
    found = cache.prepare([track.path for track in tracks])
    assert found[1] == whole and all(isinstance(one, Features) for one in found)
    assert whole.path.read_bytes() == data and not whole.path.is_symlink()
    aside = list(cache.folder.glob("*.aside"))
    assert len(aside) == ("folder" in put.__name__ and "take" not in put.__name__)
    assert all(path.is_dir() for path in aside)  # what somebody put there is not removed


def test_an_entry_that_cannot_be_made_is_named(tracks, tmp_path):
    cache = FeatureCache(tmp_path / "cache", FRONT_END)
    shutil.rmtree(cache.folder)
    cache.folder.touch()
    with pytest.raises(
        WriteError, match=r"^the feature cache .*/cache cannot be written \(File exists\): .* another folder"
    ):
        cache.prepare([tracks[0].path])
    with pytest.raises(WriteError, match=r"^the feature cache .*/cache cannot be written \(File exists\)"):
        FeatureCache(cache.folder, FRONT_END)


def test_an_interrupted_write_leaves_no_entry(tracks, tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path, FRONT_END)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        cache.features(tracks[0].path)
    assert not list(tmp_path.glob("*.npy"))


def test_unreadable_tracks_get_their_reason(tmp_path, cache):
    bad = {
        "missing.wav": None,
        "empty.wav": b"",
        "text.mp3": b"this is no music" * 100,
    }
    for name, content in bad.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    short = write_tone(tmp_path / "short.wav", 440, 2_047 / 22_050)
    tracks = [Track(tmp_path / name, name, "x") for name in (*bad, short.name)]
    seen = []
    results = cache.prepare([track.path for track in tracks], lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for track, result, words in zip(
        tracks, results, ["no such file", "empty", "decoded", "at least one window"], strict=True
    ):
        assert isinstance(result, checks.AudioError)
        assert words in str(result)
        assert track.name in str(result)


def collected(batches) -> list[tuple[int, np.ndarray, int]]:
    """Take batches apart: (row or -1, real chunks, label) of every track."""
    found = []
    for inputs, labels, *rows in batches:
        numbers = rows[0].numpy() if rows else [-1] * len(labels)
        for row, chunks, count, label in zip(
            numbers, inputs["chunks"].numpy(), inputs["chunk_count"].numpy(), labels.numpy(), strict=True
        ):
            assert not chunks[count:].any()
            found.append((int(row), chunks[:count], int(label)))
    return found


def test_evaluation_batches_hold_every_chunk_once(tracks, features):
    labels = np.array([0, 1, 2, 3, 4, 5])
    rows = list_excerpts(features, max_chunks=2)
    assert rows.tolist() == [
        [0, 0, 1], [1, 0, 2], [2, 0, 2], [3, 0, 2], [3, 2, 1], [4, 0, 2], [4, 2, 2], [4, 4, 1], [5, 0, 1],
    ]  # fmt: skip
    batches = make_evaluation_batches(features, labels, batch_tracks=2, max_chunks=2)
    found = collected(batches)
    assert len(list(batches)) == batches.cardinality()
    assert sorted(row for row, *_ in found) == list(range(9))
    for row, chunks, label in found:
        track, first, count = rows[row]
        np.testing.assert_allclose(chunks, chunks_of(tracks[track])[first : first + count], atol=1e-6)
        assert label == labels[track]


def begun(batches, epoch):
    batches.begin_epoch(epoch)
    return batches.dataset


@pytest.mark.slow
def test_training_batches_are_drawn_anew_each_epoch_and_fixed_by_the_seed(tracks, features):
    def epochs(seed):
        batches = make_training_batches(features, np.arange(6), batch_tracks=4, max_chunks=3, seed=seed)
        assert len(list(batches.dataset)) == batches.steps
        return [collected(begun(batches, epoch)) for epoch in range(6)]

    first, again, other = epochs(1), epochs(1), epochs(2)
    wholes = [chunks_of(track) for track in tracks]
    starts = set()
    for epoch in first:
        assert sorted(label for *_, label in epoch) == list(range(6))
        for number, chunks, label in epoch:
            assert number == label  # of the track
            assert len(chunks) == min(3, len(wholes[label]))
            room = range(len(wholes[label]) - len(chunks) + 1)
            places = [i for i in room if np.allclose(wholes[label][i : i + len(chunks)], chunks, atol=1e-6)]
            assert len(places) == 1
            if label == 4:
                starts.add(places[0])
    assert starts <= {0, 1, 2} and len(starts) > 1  # another excerpt of the long track
    orders = [[label for *_, label in epoch] for epoch in first]
    assert len({tuple(order) for order in orders}) > 1
    assert orders == [[label for *_, label in epoch] for epoch in again]
    assert orders != [[label for *_, label in epoch] for epoch in other]


def test_static_shapes_for_accelerators(features):
    batches = make_training_batches(features, np.arange(6), batch_tracks=4, max_chunks=3, seed=0, static_shapes=True)
    batches = batches.dataset
    assert batches.element_spec[0]["chunks"].shape == (4, 3, 40, 80)
    assert [inputs["chunks"].shape for inputs, *_ in batches] == [(4, 3, 40, 80)]  # the other two tracks wait
    assert batches.cardinality() == 1


def test_what_a_network_makes_of_chunks_streams_as_the_chunks_do(tracks, features, tmp_path):
    made = warm_start.cache_channel_features(features, lambda chunks: chunks.max(axis=2)[:, :7], tmp_path, 2)
    expected = [chunks_of(track).max(axis=2)[:, :7] for track in tracks]
    for one, values in zip(made, expected, strict=True):
        assert (one.chunks, one.shape, one.rows) == (len(values), (7,), 1)
        assert (one.total, one.total_squares) == pytest.approx((values.sum(), np.square(values).sum()), rel=1e-5)
    rows = list_excerpts(made, max_chunks=2)
    found = collected(make_evaluation_batches(made, np.arange(6), batch_tracks=4, max_chunks=2))
    assert sorted(row for row, *_ in found) == list(range(len(rows)))
    for row, vectors, label in found:
        track, first, count = rows[row]
        assert label == track
        np.testing.assert_allclose(vectors, expected[track][first : first + count], rtol=1e-4, atol=1e-9)
    starts = set()
    training = make_training_batches(made, np.arange(6), batch_tracks=4, max_chunks=3, seed=0)
    for inputs, labels, _ in (batch for epoch in range(6) for batch in begun(training, epoch)):
        for vectors, count, label in zip(inputs["chunks"].numpy(), inputs["chunk_count"], labels.numpy(), strict=True):
            whole, vectors = expected[int(label)], vectors[: int(count)]
            room = range(len(whole) - len(vectors) + 1)
            (place,) = [i for i in room if np.allclose(whole[i : i + len(vectors)], vectors, rtol=1e-4, atol=1e-9)]
            starts.add((int(label), place))
    assert len({start for label, start in starts if label == 4}) > 1  # another excerpt of the long track
