"""The transforms of a command: those of its settings, checked for the modality and the classes."""

from collections.abc import Collection

from genset.config.sections import Augment
from genset.errors import GensetError, did_you_mean
from genset.interfaces import Modality, Step
from genset.modalities.composition import may_run_late, walk
from genset.pipeline.augment.latent import uses_model


def augmentation_steps(
    section: Augment, modality: Modality, classes: Collection[str], *, needed: bool = False, has_model: bool = True
) -> tuple[Step, ...]:
    """The transforms of a section, or the defaults of the modality.

    Raises GensetError if copies need a transform and there is none, for an unknown class, and for a `latent_mix` that
    has no model or is not the first step.
    """
    steps = modality.default_steps if section.steps is None else tuple(section.steps)
    if (section.copies or needed) and not steps:
        raise GensetError(
            "augment.copies is set but augment.steps is empty: copies would equal the originals",
            where="augment.steps",
            hint=f"Add one of {', '.join(modality.augmentations)}, or remove `steps` to use the mild defaults.",
        )
    for label in (label for step in walk(steps) for label in (*(step.only_for or ()), *(step.not_for or ()))):
        if label not in classes:
            raise GensetError(
                f"no class {label!r}{did_you_mean(label, classes)}",
                where="augment.steps",
                hint=f"Use one of the classes {', '.join(sorted(classes))}.",
            )
    if uses_model(steps) and not has_model:
        raise GensetError("`latent_mix` needs a model", where="augment.steps", hint="Give --model MODEL.")
    if may_run_late(steps):
        raise GensetError(
            "`latent_mix` starts from two real items, so it must be the first transform",
            where="augment.steps",
            hint="Move it to the start of `steps`.",
        )
    return tuple(step.for_modality(modality) for step in steps)
