"""Densities on z, fitted to the codes of the train items after training, from which generation draws.

Sampling an autoencoder from a density fitted afterwards beats sampling from N(0, I), and makes it
class-conditional for nothing (Ghosh et al. 2020, arXiv:1903.12436, "ex-post density estimation").
Fitting uses scikit-learn; drawing is NumPy alone, so that generation starts fast.
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

Arrays = Mapping[str, npt.NDArray[Any]]
Codes = npt.NDArray[np.float64]  # (N, latent_dim)
_ITEMS_PER_COMPONENT, _MOST_COMPONENTS = 20, 64  # docs/experiments.md
_FEW = 4  # times the length of a code: a class of fewer items cannot hold a covariance up, but its items can
_OWN_SCALE = 2  # items that the scale shared by all classes counts for
_NEAR, _ASKED = 5, 500  # the neighbour that tells how near items stand, and how many items are asked for theirs
_FEW_TO_CLUSTER = 40  # so many items or fewer tell nothing of clusters
_FLOOR = 1e-4  # added to the variances, in units of the codes
_MOST_TRIES = 4096  # draws of N(0, I) until one falls into the class asked for
_AT_ONCE = 64
_BLOCK = 256  # draws


class _Gaussians(Prior):
    """A weighted sum of Gaussians for each class."""

    temperature: float = pydantic.Field(1.0, gt=0, le=2)
    """Scale of the spread of each Gaussian: below 1 safer and less diverse, above 1 bolder."""

    @abc.abstractmethod
    def _fit_class(self, codes: Codes, shared: Codes, seed: int) -> tuple[Codes, Codes, Codes]:
        """Weights (K,), means (K, d) and covariances (K, d, d) of one class; or one covariance (1, d, d) for all.

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
            "last": np.array([len(covariances) - 1 for _, _, covariances in parts]),  # 0: one factor serves all means
        }
        for label, (weights, means, covariances) in enumerate(parts):
            out["weights"][label, : len(weights)] = weights
            out["means"][label, : len(means)] = means
            out["factors"][label, : len(covariances)] = self.temperature * np.linalg.cholesky(covariances)
        return out

    def draw(self, arrays: Arrays, label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        cumulated = np.cumsum(arrays["weights"][label])
        size = arrays["means"].shape[-1]
        picked = np.searchsorted(cumulated / cumulated[-1], [rng.random() for rng in rngs], side="right")
        epsilon = np.stack([rng.standard_normal(size) for rng in rngs])  # (N, d)
        factors, which = arrays["factors"][label], np.minimum(picked, arrays["last"][label])
        # einsum adds each row up by itself, so that an item does not depend on who is drawn beside it; a few rows at a
        # time, as each comes with a factor of its own
        blocks = [slice(start, start + _BLOCK) for start in range(0, len(rngs), _BLOCK)]
        spread = np.concatenate([np.einsum("nij,nj->ni", factors[which[rows]], epsilon[rows]) for rows in blocks])
        z: Floats = (arrays["means"][label][picked] + spread).astype(np.float32)
        return z


class KernelDensity(_Gaussians):
    """A Gaussian about each item, with the covariance that all classes share at the scale of the item's own class.

    The kernel density estimate (Parzen 1962, doi:10.1214/aoms/1177704472). Truer to large classes than a mixture, and
    it needs no more than one item; but every draw has one real item for a parent, and the model keeps all codes.
    A class that falls into clusters, such as the speakers of a word, has narrower kernels: by how much nearer its items
    stand to each other than those of a single Gaussian would.
    """

    kind: Literal["kernel"] = "kernel"
    bandwidth: float = pydantic.Field(0.5, gt=0, le=1)
    """Spread about an item, in units of the spread of its class (docs/experiments.md)."""

    def _fit_class(self, codes: Codes, shared: Codes, seed: int) -> tuple[Codes, Codes, Codes]:
        count, size = codes.shape
        variance = float(codes.var(axis=0).sum())  # 0 for one item: then the shared scale is all there is
        scale = (count * variance / max(np.trace(shared), 1e-12) + _OWN_SCALE) / (max(0, count - 1) + _OWN_SCALE)
        scale *= _clustering(codes, seed)
        covariance = self.bandwidth**2 * scale * shared + _FLOOR * np.eye(size)
        return np.full(count, 1 / count), codes, covariance[None]


def _clustering(codes: Codes, seed: int) -> float:
    """How near items stand to each other: the usual squared distance to a near one, in units of what it is among as
    many draws of a Gaussian of the same covariance; 1 at most, and for few items."""
    count = len(codes)
    if count <= _FEW_TO_CLUSTER:
        return 1.0
    centred = codes - codes.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred / count)
    draws = rng_for(seed, "clustering").standard_normal(codes.shape) * np.sqrt(np.maximum(0, variances)) @ axes.T
    return min(1.0, _near(centred) / max(_near(draws), 1e-12))


def _near(codes: Codes) -> float:
    """The median squared distance to the fifth nearest item."""
    some = codes[:: -(-len(codes) // _ASKED)]
    squares = np.square(codes).sum(axis=1)
    distances = np.square(some).sum(axis=1)[:, None] + squares - 2 * some @ codes.T
    return float(np.median(np.partition(distances, _NEAR, axis=1)[:, _NEAR]))


class GaussianMixture(_Gaussians):
    """A Gaussian mixture for each class, whose Gaussians share a covariance; for a class of few items, one about each.

    Few is less than four times as many as a code has values. Many Gaussians follow a class where it bends, and one
    covariance is held up by all its items. No draw has a single real item for a parent, as those of `kernel` have.
    """

    kind: Literal["gmm"] = "gmm"
    components: int | None = pydantic.Field(None, ge=1, le=_MOST_COMPONENTS)
    """Gaussians a class; when not given, one for each 20 items, 64 at most."""
    shrinkage: float = pydantic.Field(10.0, ge=0)
    """How many items the covariance shared by all classes counts for: what holds up a class of few items."""

    def _fit_class(self, codes: Codes, shared: Codes, seed: int) -> tuple[Codes, Codes, Codes]:
        count, size = codes.shape
        if self.components is None and count < _FEW * size:
            return KernelDensity()._fit_class(codes, shared, seed)
        found = self._mixture(codes, seed)
        covariance = (count * found.covariances_ + self.shrinkage * shared) / (count + self.shrinkage)
        return found.weights_, found.means_, (covariance + _FLOOR * np.eye(size))[None]

    def _mixture(self, codes: Codes, seed: int) -> Any:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture as Mixture

        if len(codes) == 1:  # its own mean; the spread is the shared one
            codes = np.repeat(codes, 2, axis=0)
        asked = self.components or max(1, min(len(codes) // _ITEMS_PER_COMPONENT, _MOST_COMPONENTS))
        count = min(asked, len(codes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # what more steps would add tells on no sample
            return Mixture(count, covariance_type="tied", reg_covar=1e-3, random_state=seed % 2**32).fit(codes)


class ConditionalNormal(Prior):
    """N(0, I) and the label as a one-hot row beside it: what a generator without an encoder is fed with."""

    kind: Literal["labelled"] = "labelled"
    learns: ClassVar[bool] = False

    def length(self, latent_dim: int, classes: int) -> int:
        return latent_dim + classes

    def fit(self, codes: Codes, labels: Labels, classes: int, seed: int) -> dict[str, npt.NDArray[Any]]:
        size = codes.shape[1]  # of what is drawn: noise and label
        return {"means": np.hstack([np.zeros((classes, size - classes)), np.eye(classes)])}

    def draw(self, arrays: Arrays, label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        mean = arrays["means"][label]
        noise = len(mean) - len(arrays["means"])
        out = np.tile(mean, (len(rngs), 1))
        out[:, :noise] = [rng.standard_normal(noise) for rng in rngs]
        return out.astype(np.float32)


class Normal(Prior):
    """N(0, I), the plain baseline. A draw belongs to the class whose Gaussian over the codes fits it best."""

    kind: Literal["normal"] = "normal"

    def fit(self, codes: Codes, labels: Labels, classes: int, seed: int) -> dict[str, npt.NDArray[Any]]:
        means = np.stack([codes[labels == label].mean(axis=0) for label in range(classes)])
        precision = np.linalg.inv(_shared_covariance(codes, labels, classes) + _FLOOR * np.eye(codes.shape[1]))
        # log N(z; mean, shared covariance) up to what all classes have in common: linear in z
        linear = means @ precision
        return {"linear": linear, "constant": -0.5 * np.einsum("cd,cd->c", linear, means)}

    def draw(self, arrays: Arrays, label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        return np.stack([self._draw_one(arrays, label, rng) for rng in rngs]).astype(np.float32)

    @staticmethod
    def _draw_one(arrays: Arrays, label: int, rng: np.random.Generator) -> Codes:
        for _ in range(_MOST_TRIES // _AT_ONCE):
            z = rng.standard_normal((_AT_ONCE, arrays["linear"].shape[1]))
            scores = np.einsum("nd,cd->nc", z, arrays["linear"]) + arrays["constant"]
            mine = np.flatnonzero(scores.argmax(axis=1) == label)
            if len(mine):
                first: Codes = z[mine[0]]
                return first
        raise GensetError(
            f"N(0, I) holds hardly any code of class number {label + 1}: none in {_MOST_TRIES:,} draws",
            where="model.prior",
            hint="Use `prior: gmm`, which draws from each class by itself.",
        )


def _shared_covariance(codes: Codes, labels: Labels, classes: int) -> Codes:
    """The covariance within classes, all classes together (pooled), (d, d)."""
    centred = np.concatenate([codes[labels == c] - codes[labels == c].mean(axis=0) for c in range(classes)])
    freedom = max(1, len(codes) - classes)
    covariance: Codes = centred.T @ centred / freedom
    return covariance
