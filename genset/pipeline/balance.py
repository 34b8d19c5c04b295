"""How many items each class of the train part is to get."""

import statistics
from collections.abc import Mapping

from genset.errors import GensetError
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
