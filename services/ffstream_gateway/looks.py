"""What the live page looks at closely: each answer is made once for all who ask, and of bounded size."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from ffstream.classify import Method, Reader
from ffstream.config import NetworkConfig
from ffstream.errors import JournalError
from ffstream.frames import check_frames, to_tensor
from ffstream.goodness import GOODNESS, OpponentSquares
from ffstream.labels import UNLABELLED
from ffstream.prequential import WINDOW
from ffstream.scales import of_z
from ffstream.wiring import wiring_of
from ffstream_gateway import look_models as models
from ffstream_gateway.pictures import field, not_pictures, picture
from ffstream_gateway.recent import Predicted
from ffstream_gateway.service import Service

FRAMES = 24
DREAMS = 12
UNITS = 36
"""What is shown of each."""

ROWS = 100
BINS = 24
MARGIN = 1e-3
"""Rows of each polarity whose goodness is found, bins that they are counted in, and room beside the outermost rows."""

LABELS = 40
"""Most labels whose confusions are still shown."""

REST = 1.0
"""Seconds for which an answer is given again, whatever has changed: however many look, little is done for them."""

Look = TypeVar("Look")


class Once(Generic[Look]):
    """Makes an answer again only when what it depends on has changed, and not at once; who asks meanwhile waits for it.

    Args:
        make: the answer.
        depends: what it depends on.
    """

    def __init__(self, make: Callable[[], Look], depends: Callable[[], object]) -> None:
        self._make, self._depends = make, depends
        self._making = threading.Lock()
        self._made: tuple[object, float, Look] | None = None

    def __call__(self) -> Look:
        """The answer, which was not out of date :data:`REST` seconds ago."""
        with self._making:
            now, clock = self._depends(), time.monotonic()
            if self._made is None or (self._made[0] != now and clock - self._made[1] >= REST):
                self._made = now, clock, self._make()
            return self._made[2]


class Looks:
    """Everything that can be looked at of one service.

    Args:
        service: whose stream and weights are looked at.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stream = service.stream
        self._pictured = not_pictures(self._config) is None
        self.recent = Once(self._recent, lambda: service.recent.version)
        self.dreams = Once(self._dreams, lambda: service.recent.version)
        self.goodness = Once(self._goodness, lambda: (service.recent.version, self._reader))
        self.fields = Once(self._fields, lambda: self._reader)

    @property
    def _config(self) -> NetworkConfig:
        return self._stream.config

    @property
    def _reader(self) -> Reader:
        return self._stream.reader

    def shape(self, version: str) -> models.Shape:
        """What the network is."""
        config, alphabet, names = self._config, self._service.alphabet, self._service.names
        if alphabet is not None:
            names = [alphabet.decode(np.array([symbol])) for symbol in range(config.classes)]
        return models.Shape(
            inputs=config.inputs,
            negatives=config.negatives,
            classes=config.classes,
            units=list(config.units),
            side=int(config.inputs**0.5) if self._pictured else None,
            not_pictures=not_pictures(config),
            tries_labels=config.wrong_labels,
            recurrent=config.video is not None,
            names=names,
            version=version,
        )

    def _recent(self) -> models.RecentLook:
        predicted = self._service.recent.predicted()
        curve = self._service.recent.curve()
        return models.RecentLook(
            window=WINDOW,
            frames=self._last_frames(predicted.last(FRAMES)),
            curve=[models.CurvePoint(labelled=point.labelled, accuracy=point.accuracy) for point in curve],
            confusion=self._confusion(predicted.labelled.last(WINDOW)),
        )

    def _last_frames(self, last: Predicted) -> list[models.RecentFrame]:
        pictures = self._pictures(last.ids)
        rows = zip(*(part.tolist() for part in (last.ids, last.labels, last.predictions, last.probabilities)), strict=True)
        shown = [
            models.RecentFrame(
                id=number,
                label=_known(label),
                prediction=prediction,
                probability=probability,
                outcome="unlabelled" if label == UNLABELLED else "right" if label == prediction else "wrong",
                pixels=pixels,
            )
            for (number, label, prediction, probability), pixels in zip(rows, pictures, strict=True)
        ]
        return shown[::-1]

    def _confusion(self, last: Predicted) -> models.Confusion:
        classes = 1 + max([self._config.classes - 1, *last.labels.tolist(), *last.predictions.tolist()])
        if classes > LABELS:
            return models.Confusion(frames=len(last.ids), counts=None)
        cells = torch.bincount(last.labels * classes + last.predictions, minlength=classes * classes)
        return models.Confusion(frames=len(last.ids), counts=cells.view(classes, classes).tolist())

    def _dreams(self) -> models.DreamsLook:
        dreams = self._service.recent.dreams()
        if dreams is None:
            return models.DreamsLook(seq=None, dreams=[])
        ids, labels = dreams.ids[:DREAMS], dreams.labels[:DREAMS]
        own = self._own_labels(ids)
        changed = [None] * len(ids) if dreams.frames is None or not self._pictured else map(picture, dreams.frames[:DREAMS])
        rows = zip(ids.tolist(), own, labels.tolist(), self._pictures(ids), changed, strict=True)
        shown = [
            models.DreamShown(id=number, label=_known(true), dreamt=_known(wrong), pixels=pixels, dream=dream)
            for number, true, wrong, pixels, dream in rows
        ]
        return models.DreamsLook(seq=dreams.seq, dreams=shown)

    def _own_labels(self, ids: Tensor) -> list[int]:
        """Labels of frames, as unknown where the journal has forgotten them."""
        labels = []
        for number in ids.tolist():
            labels.append(UNLABELLED)
            with suppress(JournalError):
                labels[-1] = int(self._stream.journal.read(number, number)[1][0])
        return labels

    def _pictures(self, ids: Tensor) -> list[str | None]:
        """Pictures of frames; None for each where they are none, or are kept no more."""
        if self._pictured and len(ids):
            with suppress(JournalError):
                return [picture(frame) for frame in self._stream.journal.recall(ids.numpy())]
        return [None] * len(ids)

    def _goodness(self) -> models.GoodnessLook:
        reader = self._reader
        positives, negatives = self._positives(reader), self._negatives(reader)
        layers = [
            _counted(at + 1, self._config.layer.decides_at, positives[:, at], negatives[:, at])
            for at in range(self._config.depth)
        ]
        return models.GoodnessLook(seq=reader.seq, positives=len(positives), negatives=len(negatives), layers=layers)

    def _positives(self, reader: Reader) -> Tensor:
        """Goodness [rows, depth] of the last frames that were learned from, as they were learned."""
        predicted = self._service.recent.predicted()
        last = (predicted.labelled if self._config.wrong_labels else predicted).last(ROWS)
        return self._of_rows(reader, last.ids, last.labels, None)

    def _negatives(self, reader: Reader) -> Tensor:
        """Goodness [rows, depth] of the dreams of the last sleep."""
        dreams = self._service.recent.dreams()
        if dreams is None:
            return torch.zeros(0, self._config.depth)
        return self._of_rows(reader, dreams.ids[:ROWS], dreams.labels[:ROWS], dreams.frames)

    def _of_rows(self, reader: Reader, ids: Tensor, labels: Tensor, frames: Tensor | None) -> Tensor:
        """Goodness [rows, depth] of those whose labels the reader has heard of."""
        known = labels < reader.config.classes
        if known.any() and reader.stages:
            with suppress(JournalError):
                seen = self._stream.journal.recall(ids[known].numpy()) if frames is None else frames[known]
                return reader.goodness(seen, labels[known]) if self._config.wrong_labels else reader.neutral(seen)[1]
        return torch.zeros(0, self._config.depth)

    def _fields(self) -> models.FieldsLook:
        reader = self._reader
        if not reader.stages or not self._pictured:
            return models.FieldsLook(seq=reader.seq, units=[])
        weights, inputs, wiring = reader.stages[0].layer, self._config.inputs, wiring_of(reader.config, 0)
        all_units = self._config.units[0]
        distinct = torch.arange(all_units) if wiring is None else wiring.distinct()
        picked = distinct[torch.linspace(0, len(distinct) - 1, min(UNITS, len(distinct))).round().long()]
        weights = weights[picked] if wiring is None else wiring.as_dense(weights, picked)
        weights = of_z(weights, inputs) if self._config.standardize else weights[:, :inputs]
        two_sided = isinstance(GOODNESS[self._config.layer.goodness], OpponentSquares)
        half = (all_units + 1) // 2
        units = [
            models.Unit(unit=unit, speaks=("for" if unit < half else "against") if two_sided else None, pixels=field(row))
            for unit, row in zip(picked.tolist(), weights, strict=True)
        ]
        return models.FieldsLook(seq=reader.seq, units=units)

    def explain(self, numbers: list[float | int]) -> models.Explained:
        """What every layer makes of a frame, label by label.

        Raises:
            ShapeError: when it is none that the network takes.
        """
        reader, config = self._reader, self._reader.config
        frame = to_tensor(check_frames([numbers], config.inputs, config.symbols))
        known = bool(reader.stages) and not reader.cold
        goodness = None
        if known and config.wrong_labels:
            goodness = reader.goodness(frame.expand(config.classes, -1), torch.arange(config.classes)).tolist()
        return models.Explained(
            seq=reader.seq,
            status="cold" if reader.cold else "live",
            threshold=config.layer.decides_at,
            goodness=goodness,
            neutral=reader.neutral(frame)[1][0].tolist() if known else None,
            by_goodness=_verdict(reader, frame, Method.GOODNESS) if goodness is not None else None,
            one_pass=_verdict(reader, frame, Method.ONE_PASS),
        )


def _verdict(reader: Reader, frame: Tensor, method: Method) -> models.Verdict:
    found = reader.classify(frame, method)
    return models.Verdict(label=int(found.labels[0]), scores=found.scores[0].tolist(), p_positive=float(found.p_positive[0]))


def _counted(layer: int, threshold: float, positives: Tensor, negatives: Tensor) -> models.LayerRows:
    """Rows [n] by their goodness, in bins that hold all of them and the threshold."""
    values = [part.double().numpy() for part in (positives, negatives)]
    rows = np.concatenate([*values, [threshold]])
    edges = np.linspace(rows.min() - MARGIN, rows.max() + MARGIN, BINS + 1)
    counts = [np.histogram(part, edges)[0].tolist() for part in values]
    return models.LayerRows(layer=layer, threshold=threshold, edges=edges.tolist(), positives=counts[0], negatives=counts[1])


def _known(label: int) -> int | None:
    return None if label == UNLABELLED else label
