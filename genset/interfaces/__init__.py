"""READ FIRST. What people add to genset: a Modality, Network, Family, Prior, Augmentation, Metric or Exporter.

One rule decides where a line belongs: does it look past axis 0? What one item is (pixels, tokens, samples)
belongs to a modality. Code that counts, hashes, shuffles, splits, seeds or versions belongs to the pipeline.
A family knows a latent vector `z`, labels and a training rule, and sums over all axes but 0.

Each kind is a settings class (`Section`, read from the config) that also does the work, and is listed in ONE table.
Reading a config must not import TensorFlow, so code that needs keras imports it inside the function that trains.
"""

from genset.interfaces.arrays import Floats, ItemArray, Items, Keys, Labels, Pairs, Tensor, Tensors
from genset.interfaces.augmentation import Augmentation, Drawn, MixContext, Mixing, MixPartner, Step
from genset.interfaces.exporter import Exporter
from genset.interfaces.family import Family, LossContext, Prior, TrainingStage, Update
from genset.interfaces.items import (
    AudioSegment,
    DecodedInfo,
    Fingerprint,
    ItemSource,
    Preview,
    Similarity,
    SourceEntry,
    SuggestedSetting,
)
from genset.interfaces.metric import FeatureSet, Metric, MetricInfo, MetricInputs, MetricSkippedError, MetricValue
from genset.interfaces.modality import Modality, Sampling, TrainingDefaults
from genset.interfaces.network import Batch, Network, Networks, Trunk
from genset.interfaces.problems import INFORMATION, UNDECODABLE, Action, Problem, Rule, UndecodableError
from genset.interfaces.progress import Progress
from genset.interfaces.section import Kinds, Section

__all__ = [
    "INFORMATION",
    "UNDECODABLE",
    "Action",
    "AudioSegment",
    "Augmentation",
    "Batch",
    "DecodedInfo",
    "Drawn",
    "Exporter",
    "Family",
    "FeatureSet",
    "Fingerprint",
    "Floats",
    "ItemArray",
    "ItemSource",
    "Items",
    "Keys",
    "Kinds",
    "Labels",
    "LossContext",
    "Metric",
    "MetricInfo",
    "MetricInputs",
    "MetricSkippedError",
    "MetricValue",
    "MixContext",
    "MixPartner",
    "Mixing",
    "Modality",
    "Network",
    "Networks",
    "Pairs",
    "Preview",
    "Prior",
    "Problem",
    "Progress",
    "Rule",
    "Sampling",
    "Section",
    "Similarity",
    "SourceEntry",
    "Step",
    "SuggestedSetting",
    "Tensor",
    "Tensors",
    "TrainingDefaults",
    "TrainingStage",
    "Trunk",
    "UndecodableError",
    "Update",
]
