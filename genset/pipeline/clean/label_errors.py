"""Labels that are probably wrong, and items far from all others: by the features of their modality."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from genset.config.clean_section import Clean
from genset.dataset import Record
from genset.errors import GensetError
from genset.interfaces import (
    UNDECODABLE,
    DecodedInfo,
    Floats,
    Labels,
    Modality,
    Problem,
    Progress,
    Rule,
    UndecodableError,
)
from genset.pipeline.clean.near_duplicates import NearPair, clusters
from genset.pipeline.clean.rules import reason, score_values
from genset.pipeline.job import Job
from genset.quality.feature_space import Scale
from genset.quality.label_errors import MIN_CLASS_SIZE, LabelScores, NeighbourSpace, folds, label_scores

_AT_ONCE = 256  # items that are decoded together, so that memory holds features alone
_RECOGNISED = 0.5  # share of a class that is recognised, below which its labels are not doubted
OUTLIERS = Rule(
    "",
    "its nearest neighbours are at a distance of {value:.3g}, usual is {usual:.3g}",
    threshold=4.0,
    least=0.1,
    log=True,
)
ProblemsByRow = dict[int, list[Problem]]  # what is to be told of records, by their row


@dataclass(frozen=True)
class Conflict:
    """Two records that are the same, or nearly, and carry two labels."""

    first: Record
    second: Record
    likeness: float  # 1 for equal content

    def as_problems(self) -> Iterable[tuple[Record, Problem]]:
        """Of both, as either label may be wrong, each with its record."""
        same = "the same content as" if self.likeness == 1 else f"nearly the same (likeness {self.likeness:.3f}) as"
        for one, other in ((self.first, self.second), (self.second, self.first)):
            detail = f"labelled {one.label!r}, and {same} {other.place}, which is labelled {other.label!r}"
            yield one, Problem(one.place, "label_conflict", detail, round(self.likeness, 3))


def conflicting(first: Record, second: Record, likeness: float = 1.0) -> list[Conflict]:
    """The conflict between two records, where there is one."""
    real = first.source == second.source == "collected"
    return [Conflict(first, second, likeness)] if real and first.label != second.label else []


def doubted(
    records: Sequence[Record],
    probes: Sequence[DecodedInfo],
    modality: Modality,
    job: Job,
    section: Clean,
) -> ProblemsByRow:
    """What is to be told of the labels of real records, and of those that lie far from all others."""
    # In the order of contents: what is said of items does not depend on what their files are called.
    real = [row for row, record in enumerate(records) if record.source == "collected"]
    rows = sorted(real, key=lambda row: records[row].content)
    labelled = section.wrong_labels.kind != "off" and len({records[row].label for row in rows}) > 1
    if not (labelled or section.outliers.kind != "off") or len(rows) < MIN_CLASS_SIZE:
        return {}
    try:
        settled = type(modality)(modality.resolve_settings(modality.settings, [probes[row] for row in rows]))
    except GensetError as error:  # sounds that are too long to be compared
        job.progress.say(f"labels and outliers are not looked for: {error.message}")
        return {}
    told, features = _features(rows, records, settled, job)
    if not len(features):
        return told
    scaled = Scale.from_features(features, shared=modality.shared_unit).apply_in_place(features)
    rows = [row for row in rows if row not in told]
    kept = [records[row] for row in rows]
    units = _units(kept)
    found: ProblemsByRow = defaultdict(list, told)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):  # on a busy machine, threads that wait for each other take minutes
        problems = list(_wrong_labels(kept, scaled, units, section, job.progress)) if labelled else []
        problems += _outliers(kept, scaled, units, section) if section.outliers.kind != "off" else []
    for place, problem in problems:
        found[rows[place]].append(problem)
    return found


def _features(
    rows: Sequence[int], records: Sequence[Record], modality: Modality, job: Job
) -> tuple[ProblemsByRow, Floats]:
    """(what cannot be read any more, the (N, d) features of all the others in their order)."""

    def one(part: Sequence[int]) -> tuple[ProblemsByRow, Floats]:
        items, lost = [], {}
        for row in part:
            try:
                items.append(modality.decode(records[row].raw))
            except (UndecodableError, OSError) as error:
                detail = f"it changed or vanished while it was read: {getattr(error, 'strerror', error)}"
                lost[row] = [Problem(records[row].place, UNDECODABLE, detail)]
        return lost, modality.features(np.stack(items)) if items else np.zeros((0, 0), np.float32)

    parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
    told: ProblemsByRow = {}
    features, filled = np.zeros((0, 1), np.float32), 0
    for number, (lost, found) in enumerate(job.engine.map(one, parts)):
        told |= lost
        if len(found):
            features = features if filled else np.empty((len(rows), found.shape[1]), np.float32)
            features[filled : filled + len(found)] = found
            filled += len(found)
        job.progress.tick("labels", min(len(rows), (number + 1) * _AT_ONCE), len(rows), "")
    return told, features[:filled]


def _units(records: Sequence[Record]) -> Labels:
    """(N,) numbers, equal for records of one group, cluster or content: what tells of a record by being its twin."""
    first: dict[tuple[str, str], int] = {}
    names = ((("group", r.group), ("near", r.cluster), ("content", r.content)) for r in records)
    links = [
        NearPair(first.setdefault(name, row), row, 1.0) for row, own in enumerate(names) for name in own if name[1]
    ]
    out = np.arange(len(records))
    for cluster in clusters(links):
        out[cluster] = cluster[0]
    return np.unique(out, return_inverse=True)[1]


def _wrong_labels(
    records: Sequence[Record], scaled: Floats, units: Labels, section: Clean, progress: Progress
) -> Iterable[tuple[int, Problem]]:
    """Of the classes that have enough independent items to be told apart at all."""
    independent: dict[str, set[int]] = defaultdict(set)
    for record, unit in zip(records, units, strict=True):
        independent[record.label].add(int(unit))
    classes = sorted(label for label, own in independent.items() if label and len(own) >= MIN_CLASS_SIZE)
    _say_not_doubted(
        sorted(set(independent) - set(classes)), f"fewer than {MIN_CLASS_SIZE} independent items", progress
    )
    if len(classes) < 2:
        return
    index = {label: number for number, label in enumerate(classes)}
    rows = np.array([row for row, record in enumerate(records) if record.label in index])
    labels = np.array([index[records[row].label] for row in rows])
    own_units = np.unique(units[rows], return_inverse=True)[1]
    said = label_scores(NeighbourSpace.from_features(scaled[rows], own_units), labels, folds(own_units))
    known = said.accuracy >= _RECOGNISED
    _say_not_doubted(
        [label for label, sure in zip(classes, known, strict=True) if not sure],
        "most of their items are taken for others by the classifier that asks",
        progress,
    )
    limit = said.limits(labels) if section.wrong_labels.threshold is None else section.wrong_labels.threshold
    doubtful = (said.suggested != labels) & (said.margin >= limit) & known[labels]
    for place in np.flatnonzero(doubtful).tolist():
        row = int(rows[place])
        yield row, _wrong_label(records[row], said, place, classes)


def _wrong_label(record: Record, said: LabelScores, place: int, classes: Sequence[str]) -> Problem:
    margin = float(said.margin[place])
    detail = f"labelled {record.label!r}, more like {classes[said.suggested[place]]!r} (by {margin:.2f})"
    return Problem(record.place, "wrong_label", detail, round(margin, 3))


def _say_not_doubted(labels: Sequence[str], why: str, progress: Progress) -> None:
    if labels:
        shown = ", ".join(repr(label) for label in labels[:5]) + (", ..." if len(labels) > 5 else "")
        classes = "1 class" if len(labels) == 1 else f"{len(labels)} classes"
        progress.say(f"the labels of {classes} are not doubted ({shown}): {why}")


def _outliers(
    records: Sequence[Record], scaled: Floats, units: Labels, section: Clean
) -> Iterable[tuple[int, Problem]]:
    """Those whose nearest neighbours are far away (Ramaswamy, Rastogi and Shim 2000), by the mean of some of them."""
    distance = NeighbourSpace.from_features(scaled, units).distance
    there = np.isfinite(distance)
    mean = np.where(there, distance, 0).sum(axis=1) / np.maximum(1, there.sum(axis=1))
    seen = score_values(mean, np.array([record.label for record in records]), OUTLIERS)
    threshold = OUTLIERS.threshold if section.outliers.threshold is None else section.outliers.threshold
    for place in np.flatnonzero(seen.reportable & there.any(axis=1) & (seen.score >= threshold)).tolist():
        score = float(seen.score[place])
        yield (
            int(place),
            Problem(records[place].place, "outlier", reason(OUTLIERS, mean[place], seen.usual, score), round(score, 3)),
        )
