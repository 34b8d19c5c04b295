"""Find labels that are probably wrong and items far from all others, by the features of their modality."""

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

_BLOCK = 256  # items that are decoded at once, so that memory contains few items beside the features
_MIN_RECALL = 0.5  # of the classifier on a class: below it, the labels of the class are not checked
OUTLIERS = Rule(
    "",
    "the distance to its nearest neighbours is {value:.3g}, usual is {usual:.3g}",
    threshold=4.0,
    least=0.1,
    log=True,
)
ProblemsByRow = dict[int, list[Problem]]  # the problems of records, by row


@dataclass(frozen=True)
class Conflict:
    """Two records with equal or nearly equal content and different labels."""

    first: Record
    second: Record
    similarity: float  # 1 for equal content

    def as_problems(self) -> Iterable[tuple[Record, Problem]]:
        """A problem for each of the two records, because either label may be wrong."""
        same = "with the same content as"
        if self.similarity != 1:
            same = f"nearly the same (similarity {self.similarity:.3f}) as"
        for one, other in ((self.first, self.second), (self.second, self.first)):
            detail = f"labelled {one.label!r}, but {same} {other.place}, which is labelled {other.label!r}"
            yield one, Problem(one.place, "label_conflict", detail, round(self.similarity, 3))


def label_conflicts(first: Record, second: Record, similarity: float = 1.0) -> list[Conflict]:
    """The conflict of two similar records, if both are real and their labels differ; else []."""
    real = first.source == second.source == "collected"
    return [Conflict(first, second, similarity)] if real and first.label != second.label else []


def feature_problems(
    records: Sequence[Record],
    probes: Sequence[DecodedInfo],
    modality: Modality,
    job: Job,
    section: Clean,
) -> ProblemsByRow:
    """The real records whose label is probably wrong or that are far from all others, if these checks are on."""
    # The order of contents makes the result independent of the names of files.
    real = [row for row, record in enumerate(records) if record.source == "collected"]
    rows = sorted(real, key=lambda row: records[row].content)
    check_labels = section.wrong_labels.kind != "off" and len({records[row].label for row in rows}) > 1
    if not (check_labels or section.outliers.kind != "off") or len(rows) < MIN_CLASS_SIZE:
        return {}
    try:
        settled = type(modality)(modality.resolve_settings(modality.settings, [probes[row] for row in rows]))
    except GensetError as error:  # sounds that are too long to compare
        job.progress.say(f"labels and outliers were not checked: {error.message}")
        return {}
    problems, features = _features(rows, records, settled, job)
    if not len(features):
        return problems
    scaled = Scale.from_features(features, shared=modality.shared_unit).apply_in_place(features)
    rows = [row for row in rows if row not in problems]
    readable = [records[row] for row in rows]
    units = _units(readable)
    by_row: ProblemsByRow = defaultdict(list, problems)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):  # on a busy machine, threads that wait for each other take minutes
        located = list(_wrong_labels(readable, scaled, units, section, job.progress)) if check_labels else []
        located += _outliers(readable, scaled, units, section) if section.outliers.kind != "off" else []
    for place, problem in located:
        by_row[rows[place]].append(problem)
    return by_row


def _features(
    rows: Sequence[int], records: Sequence[Record], modality: Modality, job: Job
) -> tuple[ProblemsByRow, Floats]:
    """(problems of items that can no longer be read, the (N, d) features of the other items in their order)."""

    def features_of(block: Sequence[int]) -> tuple[ProblemsByRow, Floats]:
        items, unreadable = [], {}
        for row in block:
            try:
                items.append(modality.decode(records[row].raw))
            except (UndecodableError, OSError) as error:
                detail = f"the file changed or vanished while genset read it: {getattr(error, 'strerror', error)}"
                unreadable[row] = [Problem(records[row].place, UNDECODABLE, detail)]
        return unreadable, modality.features(np.stack(items)) if items else np.zeros((0, 0), np.float32)

    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    problems: ProblemsByRow = {}
    features, filled = np.zeros((0, 1), np.float32), 0
    for number, (unreadable, of_block) in enumerate(job.engine.map(features_of, blocks)):
        problems |= unreadable
        if len(of_block):
            features = features if filled else np.empty((len(rows), of_block.shape[1]), np.float32)
            features[filled : filled + len(of_block)] = of_block
            filled += len(of_block)
        job.progress.tick("labels", min(len(rows), (number + 1) * _BLOCK), len(rows), "")
    return problems, features[:filled]


def _units(records: Sequence[Record]) -> Labels:
    """(N,) numbers, equal for records of one group, cluster or content: none of these may predict another's label."""
    first: dict[tuple[str, str], int] = {}
    names = ((("group", r.group), ("near", r.cluster), ("content", r.content)) for r in records)
    links = [
        NearPair(first.setdefault(name, row), row, 1.0) for row, own in enumerate(names) for name in own if name[1]
    ]
    units = np.arange(len(records))
    for cluster in clusters(links):
        units[cluster] = cluster[0]
    return np.unique(units, return_inverse=True)[1]


def _wrong_labels(
    records: Sequence[Record], scaled: Floats, units: Labels, section: Clean, progress: Progress
) -> Iterable[tuple[int, Problem]]:
    """(row, problem) for each probably wrong label, in the classes with enough independent items for a classifier."""
    independent: dict[str, set[int]] = defaultdict(set)
    for record, unit in zip(records, units, strict=True):
        independent[record.label].add(int(unit))
    classes = sorted(label for label, own_units in independent.items() if label and len(own_units) >= MIN_CLASS_SIZE)
    _report_unchecked(
        sorted(set(independent) - set(classes)), f"fewer than {MIN_CLASS_SIZE} independent items", progress
    )
    if len(classes) < 2:
        return
    index = {label: number for number, label in enumerate(classes)}
    rows = np.array([row for row, record in enumerate(records) if record.label in index])
    labels = np.array([index[records[row].label] for row in rows])
    own_units = np.unique(units[rows], return_inverse=True)[1]
    scores = label_scores(NeighbourSpace.from_features(scaled[rows], own_units), labels, folds(own_units))
    recognised = scores.accuracy >= _MIN_RECALL
    _report_unchecked(
        [label for label, checked in zip(classes, recognised, strict=True) if not checked],
        "the classifier gets most of their items wrong",
        progress,
    )
    threshold = scores.limits(labels) if section.wrong_labels.threshold is None else section.wrong_labels.threshold
    wrong = (scores.suggested != labels) & (scores.margin >= threshold) & recognised[labels]
    for place in np.flatnonzero(wrong).tolist():
        row = int(rows[place])
        yield row, _label_problem(records[row], scores, place, classes)


def _label_problem(record: Record, scores: LabelScores, place: int, classes: Sequence[str]) -> Problem:
    margin = float(scores.margin[place])
    suggested = classes[scores.suggested[place]]
    comparison = f"the classifier predicts {suggested!r} (probability higher by {margin:.2f})"
    detail = f"labelled {record.label!r}, but {comparison}"
    return Problem(record.place, "wrong_label", detail, round(margin, 3))


def _report_unchecked(labels: Sequence[str], reason_text: str, progress: Progress) -> None:
    if labels:
        shown = ", ".join(repr(label) for label in labels[:5]) + (", ..." if len(labels) > 5 else "")
        classes = "1 class" if len(labels) == 1 else f"{len(labels)} classes"
        progress.say(f"labels of {classes} were not checked ({shown}): {reason_text}")


def _outliers(
    records: Sequence[Record], scaled: Floats, units: Labels, section: Clean
) -> Iterable[tuple[int, Problem]]:
    """(row, problem) for each item far from its nearest neighbours, by the mean distance to them.

    After Ramaswamy, Rastogi and Shim (2000), "Efficient algorithms for mining outliers from large data sets".
    """
    distance = NeighbourSpace.from_features(scaled, units).distance
    finite = np.isfinite(distance)
    mean = np.where(finite, distance, 0).sum(axis=1) / np.maximum(1, finite.sum(axis=1))
    result = score_values(mean, np.array([record.label for record in records]), OUTLIERS)
    threshold = OUTLIERS.threshold if section.outliers.threshold is None else section.outliers.threshold
    for place in np.flatnonzero(result.reportable & finite.any(axis=1) & (result.score >= threshold)).tolist():
        score = float(result.score[place])
        detail = reason(OUTLIERS, mean[place], result.usual, score)
        yield int(place), Problem(records[place].place, "outlier", detail, round(score, 3))
