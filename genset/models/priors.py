"""Densities on z, fitted to the codes of the training items after training. Generation draws from them.

Sampling an autoencoder from a density fitted afterwards beats sampling from N(0, I), and makes it
class-conditional at no cost (Ghosh et al. 2020, arXiv:1903.12436, "ex-post density estimation").
Fitting uses scikit-learn; drawing uses only NumPy, so that generation starts fast.
"""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from genset.errors import GensetError
from genset.interfaces import Floats, Labels, Prior
from genset.seeds import rng_for

PriorArrays = Mapping[str, npt.NDArray[Any]]
Codes = npt.NDArray[np.float64]  # (N, latent_dim)
_ITEMS_PER_COMPONENT, _MAX_COMPONENTS = 20, 64  # docs/experiments.md
_FEW = 4  # times the length of a code: fewer items than this are too few to estimate a covariance
_SHARED_SCALE_ITEMS = 2  # the scale shared by all classes has the weight of this many items
_NEIGHBOUR, _QUERIES = 5, 500  # the fifth nearest neighbour of this many items measures the clustering
_MIN_TO_CLUSTER = 40  # this many items or fewer are too few to measure clustering
_FLOOR = 1e-4  # added to the variances, in units of the codes
_MAX_ATTEMPTS = 4096  # draws of N(0, I) until one falls into the requested class
_DRAWS = 64
_BLOCK = 256  # draws


class _GaussianPrior(Prior):
    """A weighted sum of Gaussians for each class."""

    temperature: float = pydantic.Field(1.0, gt=0, le=2)
    """Scale of the standard deviation of each Gaussian: below 1 more typical and less diverse, above 1 more diverse."""

    @abc.abstractmethod
    def _fit_class(self, codes: Codes, shared: Codes, seed: int) -> tuple[Codes, Codes, Codes]:
        """Weights (K,), means (K, d) and covariances (K, d, d) of one class; or one covariance (1, d, d) for all
        Gaussians.

        `shared` is the covariance within classes, (d, d).
        """

    def fit(self, codes: Codes, labels: Labels, classes: int, seed: int) -> dict[str, npt.NDArray[Any]]:
        shared = _shared_covariance(codes, labels, classes)
        parts = [self._fit_class(codes[labels == label], shared, seed) for label in range(classes)]
        most = max(len(weights) for weights, _, _ in parts)
        size = codes.shape[1]
        out = {
            "weights": np.zeros((classes, most)),
            "means": np.zeros((classes, most, size)),
            "factors": np.zeros((classes, max(len(covariances) for _, _, covariances in parts), size, size)),
            "last": np.array([len(covariances) - 1 for _, _, covariances in parts]),  # 0: all means share one factor
        }
        for label, (weights, means, covariances) in enumerate(parts):
            out["weights"][label, : len(weights)] = weights
            out["means"][label, : len(means)] = means
            out["factors"][label, : len(covariances)] = self.temperature * np.linalg.cholesky(covariances)
        return out

    def draw(self, arrays: PriorArrays, label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        cumulated = np.cumsum(arrays["weights"][label])
        size = arrays["means"].shape[-1]
        picked = np.searchsorted(cumulated / cumulated[-1], [rng.random() for rng in rngs], side="right")
        epsilon = np.stack([rng.standard_normal(size) for rng in rngs])  # (N, d)
        factors, which = arrays["factors"][label], np.minimum(picked, arrays["last"][label])
        # einsum sums each row separately, so an item does not depend on the others of the batch; a few rows at a time,
        # because each needs its own factor
        blocks = [slice(start, start + _BLOCK) for start in range(0, len(rngs), _BLOCK)]
        spread = np.concatenate([np.einsum("nij,nj->ni", factors[which[rows]], epsilon[rows]) for rows in blocks])
        z: Floats = (arrays["means"][label][picked] + spread).astype(np.float32)
        return z


class KernelDensity(_GaussianPrior):
    """A Gaussian at each item: the covariance within classes, shared by all, at the scale of the item's class.

    The kernel density estimate (Parzen 1962, doi:10.1214/aoms/1177704472). It fits large classes better than a mixture
    and needs only one item; but every draw has one real item as its parent, and the model stores all codes. A class
    with clusters, such as the speakers of a word, gets narrower kernels: by the ratio of the distances between its
    items to those between draws of a single Gaussian.
    """

    formerly: ClassVar = "kernel"
    kind: Literal["kde"] = "kde"
    bandwidth: float = pydantic.Field(0.5, gt=0, le=1)
    """Standard deviation at an item, in units of that of its class."""

    def _fit_class(self, codes: Codes, shared: Codes, seed: int) -> tuple[Codes, Codes, Codes]:
        count, size = codes.shape
        variance = float(codes.var(axis=0).sum())  # 0 for one item, which then gets the shared scale
        scale = (count * variance / max(np.trace(shared), 1e-12) + _SHARED_SCALE_ITEMS) / (
            max(0, count - 1) + _SHARED_SCALE_ITEMS
        )
        scale *= _clustering(codes, seed)
        covariance = self.bandwidth**2 * scale * shared + _FLOOR * np.eye(size)
        return np.full(count, 1 / count), codes, covariance[None]


def _clustering(codes: Codes, seed: int) -> float:
    """How clustered items are: their median squared distance to a near neighbour, in units of that among as many draws
    of a Gaussian with the same covariance. At most 1, and 1 for few items."""
    count = len(codes)
    if count <= _MIN_TO_CLUSTER:
        return 1.0
    centred = codes - codes.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred / count)
    draws = rng_for(seed, "clustering").standard_normal(codes.shape) * np.sqrt(np.maximum(0, variances)) @ axes.T
    return min(1.0, _neighbour_distance(centred) / max(_neighbour_distance(draws), 1e-12))


def _neighbour_distance(codes: Codes) -> float:
    """The median squared distance to the fifth nearest item."""
    some = codes[:: -(-len(codes) // _QUERIES)]
    squares = np.square(codes).sum(axis=1)
    distances = np.square(some).sum(axis=1)[:, None] + squares - 2 * some @ codes.T
    return float(np.median(np.partition(distances, _NEIGHBOUR, axis=1)[:, _NEIGHBOUR]))


class GaussianMixture(_GaussianPrior):
    """A mixture of Gaussians with one covariance per class; small classes get a Gaussian at each item, as in `kde`.

    A class is small if it has fewer than four times as many items as a code has values. Many Gaussians can follow a
    curved class, and all its items contribute to the covariance. Unlike with `kde`, no draw has a single real parent.
    """

    kind: Literal["gmm"] = "gmm"
    components: int | None = pydantic.Field(None, ge=1, le=_MAX_COMPONENTS)
    """Number of Gaussians for each class. By default one for each 20 items, at most 64."""
    shrinkage: float = pydantic.Field(10.0, ge=0)
    """The covariance of a class is mixed with that of all classes, which counts as so many items. This stabilises
    classes of few items."""

    def _fit_class(self, codes: Codes, shared: Codes, seed: int) -> tuple[Codes, Codes, Codes]:
        count, size = codes.shape
        if self.components is None and count < _FEW * size:
            return KernelDensity()._fit_class(codes, shared, seed)
        mixture = self._mixture(codes, seed)
        covariance = (count * mixture.covariances_ + self.shrinkage * shared) / (count + self.shrinkage)
        return mixture.weights_, mixture.means_, (covariance + _FLOOR * np.eye(size))[None]

    def _mixture(self, codes: Codes, seed: int) -> Any:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture as Mixture

        if len(codes) == 1:  # the item is the mean; the covariance is the shared one
            codes = np.repeat(codes, 2, axis=0)
        target = self.components or max(1, min(len(codes) // _ITEMS_PER_COMPONENT, _MAX_COMPONENTS))
        count = min(target, len(codes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # further steps would not change the samples noticeably
            return Mixture(count, covariance_type="tied", reg_covar=1e-3, random_state=seed % 2**32).fit(codes)


class ConditionalNormal(Prior):
    """N(0, I) followed by the label as a one-hot row: the input of a generator without an encoder."""

    kind: Literal["labelled"] = "labelled"
    learns: ClassVar[bool] = False

    def length(self, latent_dim: int, classes: int) -> int:
        return latent_dim + classes

    def fit(self, codes: Codes, labels: Labels, classes: int, seed: int) -> dict[str, npt.NDArray[Any]]:
        size = codes.shape[1]  # of a draw: noise and label
        return {"means": np.hstack([np.zeros((classes, size - classes)), np.eye(classes)])}

    def draw(self, arrays: PriorArrays, label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        mean = arrays["means"][label]
        noise = len(mean) - len(arrays["means"])
        out = np.tile(mean, (len(rngs), 1))
        out[:, :noise] = [rng.standard_normal(noise) for rng in rngs]
        return out.astype(np.float32)


class Normal(Prior):
    """N(0, I), the simple baseline. A draw belongs to the class whose Gaussian fits it best."""

    kind: Literal["normal"] = "normal"

    def fit(self, codes: Codes, labels: Labels, classes: int, seed: int) -> dict[str, npt.NDArray[Any]]:
        means = np.stack([codes[labels == label].mean(axis=0) for label in range(classes)])
        precision = np.linalg.inv(_shared_covariance(codes, labels, classes) + _FLOOR * np.eye(codes.shape[1]))
        # log N(z; mean, shared covariance) up to terms that all classes share: linear in z
        linear = means @ precision
        return {"linear": linear, "constant": -0.5 * np.einsum("cd,cd->c", linear, means)}

    def draw(self, arrays: PriorArrays, label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        return np.stack([self._draw_one(arrays, label, rng) for rng in rngs]).astype(np.float32)

    @staticmethod
    def _draw_one(arrays: PriorArrays, label: int, rng: np.random.Generator) -> Codes:
        for _ in range(_MAX_ATTEMPTS // _DRAWS):
            z = rng.standard_normal((_DRAWS, arrays["linear"].shape[1]))
            scores = np.einsum("nd,cd->nc", z, arrays["linear"]) + arrays["constant"]
            mine = np.flatnonzero(scores.argmax(axis=1) == label)
            if len(mine):
                first: Codes = z[mine[0]]
                return first
        raise GensetError(
            f"N(0, I) hardly covers class number {label + 1}: {_MAX_ATTEMPTS:,} draws gave no code of it",
            where="model.prior",
            hint="Set model.prior=gmm, which has a density for each class.",
        )


def _shared_covariance(codes: Codes, labels: Labels, classes: int) -> Codes:
    """(d, d) the pooled covariance within classes."""
    centred = np.concatenate([codes[labels == c] - codes[labels == c].mean(axis=0) for c in range(classes)])
    freedom = max(1, len(codes) - classes)
    covariance: Codes = centred.T @ centred / freedom
    return covariance
