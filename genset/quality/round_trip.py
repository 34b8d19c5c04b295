"""What a perfect model could reach where converting items to tensors and back loses something: sounds as spectra."""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Metric, MetricInfo, MetricInputs, MetricSkippedError, MetricValue
from genset.quality.fidelity import NEIGHBOURS, KNearestBalls, common_size, frechet, sample


class RoundTrip(Metric):
    """The figures of real items that were converted to tensors and back, as synthetic items come from tensors."""

    figures = (
        MetricInfo(
            "label_ratio_ceiling",
            "neutral",
            "best value to expect of a model: label_ratio of real held-out items after conversion to tensors and back",
            group="utility",
            space="features",
        ),
        MetricInfo(
            "frechet_ratio_ceiling",
            "neutral",
            "best value to expect of a model: "
            "frechet_ratio of real training items after conversion to tensors and back",
            group="fidelity",
            space="space",
        ),
        MetricInfo(
            "coverage_ceiling",
            "neutral",
            "best value to expect of a model: coverage of real training items after conversion to tensors and back",
            high=1,
            group="diversity",
            space="space",
        ),
    )

    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """No figures where the conversion loses nothing."""
        if inputs.round_trip is None:
            return {}
        converted_train, converted_test = inputs.round_trip
        originals, converted = inputs.unseen, converted_train.space
        originals = originals[:: -(-len(originals) // len(converted))]
        count = common_size(originals, inputs.test.space, converted)
        # The same items before and after: with different ones, chance would dominate a figure of few items.
        train = inputs.train.space[sample(originals, count, "train")]
        converted = sample(converted, count, "train")
        test = sample(inputs.test.space, count, "test")
        if len(test) <= NEIGHBOURS:
            raise MetricSkippedError(f"needs more than {NEIGHBOURS} real held-out items, has {len(test)}")
        n = {"train": len(converted), "test": len(test)}
        figures = {
            "frechet_ratio_ceiling": MetricValue(frechet(converted, test) / max(frechet(train, test), 1e-9), n),
            "coverage_ceiling": MetricValue(float(KNearestBalls(test).containing(converted)[1].mean()), n),
        }
        on_real, on_converted = (
            float(np.mean([one.correct(rows.features, rows.labels) for one in inputs.classifiers] or [0]))
            for rows in (inputs.test, converted_test)
        )
        if on_real:
            figures["label_ratio_ceiling"] = MetricValue(on_converted / on_real, {"test": len(converted_test)})
        return figures
