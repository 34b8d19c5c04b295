"""Model families and priors. A new family is one file here and one line in the table."""

from genset.interfaces import Family, Prior
from genset.models.autoencoder import Autoencoder
from genset.models.flow import Flow
from genset.models.gan import GAN
from genset.models.priors import GaussianMixture, KernelDensity, Normal
from genset.models.vae import VAE

FAMILIES: dict[str, type[Family]] = {"vae": VAE, "ae": Autoencoder, "gan": GAN}
PRIORS: dict[str, type[Prior]] = {"gmm": GaussianMixture, "kde": KernelDensity, "normal": Normal, "flow": Flow}
