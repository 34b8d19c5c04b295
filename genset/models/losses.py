"""Losses of the families, one function for each formula: (B, ...) to a mean over items, in nats."""

from collections.abc import Callable

import numpy as np

from genset.interfaces import Tensor


def per_item(values: Tensor) -> Tensor:
    """Sum over all axes but 0: (B, ...) to (B,)."""
    from keras import ops

    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)


def kl_loss(z_mean: Tensor, z_log_var: Tensor) -> Tensor:
    """(B, latent_dim) KL divergence of N(z_mean, exp(z_log_var)) from N(0, I) in nats, for each value of z: Kingma and
    Welling 2013, arXiv:1312.6114, appendix B."""
    from keras import ops

    return -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))


def gaussian_loss(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Negative log-likelihood of an item in nats under a normal distribution with the best single variance.

    That variance is the mean squared error itself (Rybkin, Daniilidis and Levine 2021, arXiv:2006.13202, the
    optimal sigma-VAE), so the balance of reconstruction and KL needs no tuning: 0.5 D log(2 pi e MSE).
    """
    from keras import ops

    values = int(np.prod(x.shape[1:]))
    # A floor of a quarter of an 8-bit step: a smaller error is invisible, and log(0) is infinite.
    error = ops.maximum(ops.mean(ops.square(x - reconstruction)), (0.25 / 255) ** 2)
    return 0.5 * values * ops.log(2 * np.pi * np.e * error)


def bernoulli_loss(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean over items of the cross-entropy in nats, with values in [0, 1] as probabilities."""
    from keras import ops

    p = ops.clip(reconstruction, 1e-6, 1 - 1e-6)
    return ops.mean(per_item(-x * ops.log(p) - (1 - x) * ops.log(1 - p)))


LIKELIHOODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"gaussian": gaussian_loss, "bernoulli": bernoulli_loss}
