"""How good samples are while a model is training: fast figures against the validation items."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.quality.feature_space import COMPONENTS, Scale
from genset.quality.fidelity import NEIGHBOURS, KNearestBalls, frechet


class SampleScore:
    """Joint Frechet distance and coverage in the principal components of the modality's features.

    Joint (DeVries et al. 2019, arXiv:1907.08175): a one-hot row of the label, with the mean length of the features, is
    appended to them, so that items of the wrong class are far away however good they look.
    """

    def __init__(
        self,
        train: Floats,
        validation: Floats,
        labels: Labels,
        classes: int,
        *,
        shared_unit: bool = False,
    ) -> None:
        """Learn the axes on training features (N, d); compare with validation features (M, d) and labels (M,)."""
        self._scale = Scale.from_features(train, shared=shared_unit)
        _, _, axes = np.linalg.svd(self._scale(train), full_matrices=False)
        self._axes = axes[:COMPONENTS].T
        self._real = self._project(validation)
        self._balls = KNearestBalls(self._real) if len(self._real) > NEIGHBOURS else None
        self._one_hot = np.eye(classes) * np.linalg.norm(self._real, axis=1).mean()
        self._joint = np.hstack([self._real, self._one_hot[labels]])

    def __call__(self, synthetic: Floats, labels: Labels) -> Mapping[str, float]:
        """Joint Frechet distance of features (N, d), and coverage where there are enough validation items."""
        projected = self._project(synthetic)
        figures = {"frechet": frechet(np.hstack([projected, self._one_hot[labels]]), self._joint)}
        if self._balls is not None:
            figures["coverage"] = float(self._balls.containing(projected)[1].mean())
        return figures

    def _project(self, features: Floats) -> npt.NDArray[np.float64]:
        rows: npt.NDArray[np.float64] = self._scale(features) @ self._axes
        return rows.astype(np.float64)
