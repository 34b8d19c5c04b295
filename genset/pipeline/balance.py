"""How many items each class of the train part is to get, and from where."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from genset.config import Balance
from genset.dataset import Record
from genset.errors import GensetError
from genset.interfaces import Quarantined
from genset.pipeline.augment import Copy, filled
from genset.yaml_source import did_you_mean

Target = str | int | Mapping[str, int] | None


def missing(have: Mapping[str, int], target: Target) -> dict[str, int]:
    """Items that each class lacks to reach the target; classes that have more keep what they have.

    Raises GensetError for a label that is not there.
    """
    if target is None:
        return dict.fromkeys(have, 0)
    if isinstance(target, Mapping):
        unknown = [label for label in target if label not in have]
        if unknown:
            raise GensetError(
                f"no class {unknown[0]!r}{did_you_mean(unknown[0], have)}",
                where="balance.target",
                hint=f"The classes are {', '.join(have)}.",
            )
        return {label: max(0, target.get(label, 0) - count) for label, count in have.items()}
    if target == "max":
        wanted = max(have.values())
    else:
        wanted = int(statistics.median(have.values()) if target == "median" else target)
    return {label: max(0, wanted - count) for label, count in have.items()}


@dataclass(frozen=True)
class Filling:
    """What fills the classes up."""

    generated: dict[str, int]  # by label
    copies: list[Copy]
    problems: list[Quarantined]


def filling(
    lacking: Mapping[str, int],
    real: Sequence[Record],
    start: Mapping[str, int],
    made: int,
    section: Balance,
    *,
    has_model: bool,
    none: Collection[str] = (),
) -> Filling:
    """The lacking items as generated ones and as copies of the `real` items of train, as the section asks for.

    Copies of a parent are numbered from `start` on, beyond the `made` ones that each has already. Classes of which
    nothing shall be generated (`none`) get copies alone. Raises GensetError when items shall be generated and there is
    no model.
    """
    fill = section.fill or ("generated" if has_model else "augmented")
    if fill != "augmented" and not has_model:
        raise GensetError(
            f"`fill: {fill}` needs a model to generate with", where="balance.fill", hint="Give --model MODEL."
        )
    generated, copies, problems = dict.fromkeys(lacking, 0), list[Copy](), list[Quarantined]()
    for label, count in lacking.items():
        after = {record.id: start.get(record.id, 0) + made for record in real if record.label == label}
        parents = [record for record in real if after.get(record.id, section.most_copies) < section.most_copies]
        room = sum(section.most_copies - after[parent.id] for parent in parents)
        wanted = {"generated": 0, "both": count // 2, "augmented": count}["augmented" if label in none else fill]
        copied = min(room, wanted)
        copies += filled(parents, after, copied, section.most_copies)
        if fill != "augmented" and label not in none:
            generated[label] = count - copied
        elif copied < count:
            each = f"at most {section.most_copies} copies of each of its {len(after)} items"
            problems.append(Quarantined(label, "too_small", f"{count} items are lacking, {each} give {room}"))
    return Filling(generated, copies, problems)
