"""`genset split`: a dataset with its items assigned to train, validation and test, or one version for each fold."""

from collections.abc import Sequence
from json import dumps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genset.cli.command import common_options
from genset.cli.options import Dataset, Name, Rules
from genset.errors import ExitCode, GensetError

if TYPE_CHECKING:
    from genset.cli.session import Session
    from genset.config.split_section import Split
    from genset.pipeline.write.written_version import WrittenVersion

EXAMPLE = "genset split samples/image --ratios 0.8,0.1,0.1 --name divided"

Ratios = Annotated[
    str | None,
    typer.Option(help="shares of train, validation and test (default: 0.8,0.1,0.1)", show_default=False),
]
Counts = Annotated[
    str | None,
    typer.Option(help="numbers of items instead of shares, such as 800,100,100 or rest,100,100", show_default=False),
]
Folds = Annotated[
    int | None,
    typer.Option(
        help="create this many versions, named NAME-fold1, NAME-fold2, ...; each item is in "
        "exactly one of their test sets",
        min=2,
        show_default=False,
    ),
]
Stratify = Annotated[
    list[str] | None,
    typer.Option(
        help="every value of this column gets the same share in each split, as every label does; may be repeated",
        show_default=False,
    ),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        help="keep groups together: a metadata column, or a regex of the path, such as '(?P<group>[^/]+)_[0-9]+'",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="another seed gives another split", min=0)]
Reassign = Annotated[bool, typer.Option("--reassign", help="ignore existing splits and split all items again")]
HardLinks = Annotated[
    bool,
    typer.Option(
        "--hard-links",
        help="create hard links to your files instead of copies: if you edit a file later, the version changes too",
    ),
]


@common_options()
def command(
    dataset: Dataset,
    overrides: Rules = None,
    ratios: Ratios = None,
    counts: Counts = None,
    folds: Folds = None,
    stratify: Stratify = None,
    group_by: GroupBy = None,
    seed: Seed = 0,
    reassign: Reassign = False,
    hard_links: HardLinks = False,
    name: Name = None,
    *,
    session: "Session",
) -> int:
    """Split a dataset into train, validation and test without leaks."""
    from genset.cli.flag_values import group_from_flag, version_name
    from genset.cli.lookup import find_dataset
    from genset.cli.rendering import print_dataset
    from genset.pipeline.reading import kind_of
    from genset.workflows import open_dataset, split

    root = session.root()
    path, version = find_dataset(root, dataset)
    section, rules = _sections(ratios, counts, stratify, overrides, kind_of(path, version))
    if folds:
        _check_folds(section)
    request = split.SplitRequest(section, group_by, seed, reassign)
    with session.locked(root) as job:
        source = open_dataset.open_dataset(
            path, version, job, group_from_flag(group_by), rules.named(), hard_links=hard_links
        )
        target = version_name(name, source.name)
        if folds:
            return _print_folds(split.fold_versions(source, request, folds, target, job), session)
        result = split.split_version(source, request, target, job)
    return print_dataset(result, session)


def _sections(
    ratios: str | None, counts: str | None, stratify: list[str] | None, overrides: list[str] | None, modality: str
) -> list[Any]:
    """The sections split and clean of the config. Raises GensetError."""
    from genset.cli.flag_values import sections_from_flags

    flags = {
        "split.ratios": ratios and f"[{ratios}]",
        "split.counts": counts and f"[{counts}]",
        "split.stratify": stratify and dumps(stratify),
    }
    return sections_from_flags("split", ("split", "clean"), flags, overrides, modality)


def _check_folds(section: "Split") -> None:
    others = section.model_fields_set & {"ratios", "counts", "previous"}
    if others:
        raise GensetError(
            f"folds have equal sizes and ignore earlier splits, so {' and '.join(sorted(others))} cannot be set",
            where="--folds",
            hint="Leave out --folds, or the other settings.",
        )


def _print_folds(folds: "Sequence[WrittenVersion]", session: "Session") -> int:
    from genset.cli.json_output.split import FoldOutput, FoldsOutput
    from genset.dataset import SPLITS
    from genset.pipeline.job import as_dicts

    console, problems = session.console, as_dicts(folds[0].problems)
    splits = [name for name in SPLITS if name in folds[0].counts["split"]]
    rows = [[fold.version.reference, *(f"{fold.counts['split'][name]:,}" for name in splits)] for fold in folds]
    console.table("items by fold", rows, ["", *splits])
    console.problems(problems)
    for fold in folds:
        console.say(f"dataset {fold.version.path}")
    session.finish(FoldsOutput, versions=[FoldOutput.from_written(fold) for fold in folds], problems=problems)
    return ExitCode.DONE
