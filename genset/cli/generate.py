"""`genset generate`: new items from a trained model."""

from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli import completion
from genset.cli.command import common_options
from genset.cli.options import Name
from genset.errors import GensetError

if TYPE_CHECKING:
    from genset.cli.session import Session

EXAMPLE = "genset generate digits -n 1000 --seed 2 --name more"

Model = Annotated[
    str,
    typer.Argument(
        help="model version: folder, NAME or NAME@vNNNN",
        metavar="MODEL",
        show_default=False,
        autocompletion=completion.versions("models"),
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        help="settings of generate, such as generate.sampling.temperature=0.7",
        metavar="KEY=VALUE",
        autocompletion=completion.keys("generate"),
    ),
]
Count = Annotated[int | None, typer.Option("--count", "-n", help="total number of items", min=1, show_default=False)]
PerClass = Annotated[
    int | None, typer.Option(help="number of items per class (default: 200)", min=1, show_default=False)
]
Label = Annotated[list[str] | None, typer.Option(help="only items of this class; may be repeated", show_default=False)]
Like = Annotated[
    list[str] | None,
    typer.Option(
        help="generate items similar to this file or text; give it twice to get items between the two",
        metavar="FILE_OR_TEXT",
        show_default=False,
    ),
]
Vary = Annotated[
    float | None,
    typer.Option(
        help="with --like: how much the items differ, from 0 (the reconstruction of the item) to 1 (any item of "
        "its class) (default: 0.3)",
        min=0,
        max=1,
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(help="another seed gives other items (default: the seed of the training)", min=0, show_default=False),
]
NearCopies = Annotated[
    str | None,
    typer.Option(
        help="reject: replace near copies of training items; keep: do not check (default: reject)",
        show_default=False,
    ),
]
WrongLabels = Annotated[
    str | None,
    typer.Option(
        help="reject: replace items that a classifier assigns to another class; keep: do not check (default: reject)",
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="folder, webdataset, parquet, tfrecord or npz (default: folder)", show_default=False),
]


@common_options()
def command(
    model: Model,
    overrides: Settings = None,
    count: Count = None,
    per_class: PerClass = None,
    label: Label = None,
    like: Like = None,
    vary: Vary = None,
    seed: Seed = None,
    near_copies: NearCopies = None,
    wrong_labels: WrongLabels = None,
    form: Format = None,
    name: Name = None,
    *,
    session: "Session",
) -> int:
    """Sample new items from a trained model, without TensorFlow."""
    from genset.cli.flag_values import exporter_from_flag, sections_from_flags, version_name
    from genset.cli.lookup import find_model
    from genset.cli.rendering import print_dataset
    from genset.workflows.generate import DEFAULT_VARY, VariationRequest, generate_version

    if vary is not None and not like:
        raise GensetError("--vary needs an item to vary", where="--vary", hint="Add --like FILE.")
    root = session.root()
    version = find_model(root, model)
    flags = {"count": count, "per_class": per_class, "near_copies": near_copies, "wrong_labels": wrong_labels}
    keyed = {f"generate.{key}": value for key, value in flags.items()}
    (section,) = sections_from_flags("generate", ("generate",), keyed, overrides, version.manifest["modality"])
    exporter = exporter_from_flag(form)
    target = version_name(name, f"{version.name}-generated")
    request = VariationRequest(like or (), DEFAULT_VARY if vary is None else vary)
    with session.locked(root) as job:
        result = generate_version(version, section, label or [], request, seed, target, job, exporter)
    return print_dataset(result, session)
