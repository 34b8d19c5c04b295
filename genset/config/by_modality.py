"""The config class of each modality: its settings, networks, transforms, rules and metrics joined in."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any

import pydantic

from genset.config.clean_section import Check, Checked, Clean
from genset.config.sections import Augment, Config, Generate, Model, Quality
from genset.interfaces import (
    Kinds,
    MetricInfo,
    Network,
    Section,
    Step,
)
from genset.modalities import MODALITIES
from genset.modalities.composition import step_kinds
from genset.quality import FIGURES, gates

EVERY_FIGURE: Mapping[str, MetricInfo] = {
    **FIGURES,
    **{figure.name: figure for table in MODALITIES.values() for figure in table.figures},
}


def _gate(text: str, figures: Mapping[str, MetricInfo]) -> str:
    gates.parse(text, figures)
    return text


@functools.cache
def config_class(modality: str) -> type[Config]:
    """The config class of one modality, with its settings, networks and transforms."""
    kinds = MODALITIES[modality]
    network = Annotated[Network, Kinds(kinds.networks), pydantic.Field(validate_default=True)]
    step = Annotated[Step, Kinds(step_kinds(kinds))]
    name, network_class = next(iter(kinds.networks.items()))
    first = network_class(kind=name)
    described = {"network": "The networks.", "steps": Augment.model_fields["steps"].description}
    model = pydantic.create_model(
        "Model", __base__=Model, network=(network, pydantic.Field(first, description=described["network"]))
    )
    augment = pydantic.create_model(
        "Augment",
        __base__=Augment,
        steps=(list[step] | None, pydantic.Field(None, description=described["steps"])),
    )
    return pydantic.create_model(
        f"{modality.capitalize()}Config",
        __base__=Config,
        modality=(Annotated[Section, Kinds({modality: kinds.Settings})], ...),
        clean=(clean_class(modality), clean_class(modality)()),
        model=(model, model()),
        generate=(_generate_class(modality), _generate_class(modality)()),
        augment=(augment, augment()),
        quality=(_quality_class(modality), _quality_class(modality)()),
    )


@functools.cache
def clean_class(modality: str) -> type[Clean]:
    """The `clean` section of one modality, with its rules."""
    fields: dict[str, Any] = {
        name: (
            Checked,
            pydantic.Field(Check(kind=rule.kind), description=f"{rule.what} Default threshold: {rule.threshold:g}."),
        )
        for name, rule in MODALITIES[modality].rules.items()
    }
    return pydantic.create_model("Clean", __base__=Clean, **fields)


@functools.cache
def _quality_class(modality: str) -> type[Quality]:
    known = {**FIGURES, **{figure.name: figure for figure in MODALITIES[modality].figures}}
    gate = Annotated[str, pydantic.AfterValidator(functools.partial(_gate, figures=known))]
    described = Quality.model_fields["gates"].description
    return pydantic.create_model(
        "Quality",
        __base__=Quality,
        gates=(list[gate], pydantic.Field(default_factory=list, description=described)),
    )


@functools.cache
def _generate_class(modality: str) -> type[Generate]:
    sampling = MODALITIES[modality].Sampling
    described = "How items are sampled from the model's output."
    return pydantic.create_model(
        "Generate", __base__=Generate, sampling=(sampling, pydantic.Field(sampling(), description=described))
    )
