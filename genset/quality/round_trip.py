"""What the best of models could reach, where the way from tensors to items loses something: sounds from spectra."""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Evidence, Figure, Measured, Metric, SkipError
from genset.quality.fidelity import NEIGHBOURS, Balls, frechet, most_equal, some_of


class Ceiling(Metric):
    """The figures of real items that went to tensors and back, as made ones come from tensors."""

    figures = (
        Figure(
            "label_ratio_ceiling",
            "neutral",
            "label_ratio of real held-out items sent to tensors and back",
            group="utility",
            space="features",
        ),
        Figure(
            "frechet_ratio_ceiling",
            "neutral",
            "frechet_ratio of real train items sent to tensors and back",
            group="fidelity",
            space="space",
        ),
        Figure(
            "coverage_ceiling",
            "neutral",
            "coverage of real train items sent to tensors and back",
            high=1,
            group="diversity",
            space="space",
        ),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, Measured]:
        """No figures where nothing is lost on the way."""
        if evidence.back is None:
            return {}
        back, sent = evidence.back[0].space, evidence.fresh
        sent = sent[:: -(-len(sent) // len(back))]
        count = most_equal(sent, evidence.test.space, back)
        # The same items, straight and by that way: with others, chance would stand in a figure of few.
        train, back = evidence.train.space[some_of(sent, count, "train")], some_of(back, count, "train")
        test = some_of(evidence.test.space, count, "test")
        if len(test) <= NEIGHBOURS:
            raise SkipError(f"needs more than {NEIGHBOURS} real held-out items, has {len(test)}")
        n = {"train": len(back), "test": len(test)}
        figures = {
            "frechet_ratio_ceiling": Measured(frechet(back, test) / max(frechet(train, test), 1e-9), n),
            "coverage_ceiling": Measured(float(Balls(test).hold(back)[1].mean()), n),
        }
        part = evidence.back[1]
        on_real, on_back = (
            float(np.mean([judge.right(rows.features, rows.labels) for judge in evidence.judges] or [0]))
            for rows in (evidence.test, part)
        )
        if on_real:
            figures["label_ratio_ceiling"] = Measured(on_back / on_real, {"test": len(part)})
        return figures
