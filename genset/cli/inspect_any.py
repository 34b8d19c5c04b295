"""`genset inspect` of a path: finds out whether it is an item, a config, a model or a dataset, and inspects that."""

from pathlib import Path

from genset.atomic import write_atomically
from genset.cli.inspect_dataset import inspect_dataset
from genset.cli.inspect_request import InspectRequest
from genset.cli.inspect_versions import print_comparison
from genset.cli.json_output.inspect import AncestryOutput, ConfigOutput
from genset.cli.lookup import find_model, find_version
from genset.cli.rendering import print_model
from genset.cli.session import Session
from genset.config.loading import dump, load
from genset.errors import ExitCode, GensetError
from genset.modalities import MODALITIES
from genset.pipeline.job import Job
from genset.pipeline.pages.model import model_page
from genset.pipeline.reading import containers_at, guess_modality
from genset.versions.root import Root
from genset.versions.version import Version, open_version
from genset.workflows import compare, lineage


def inspect_any(request: InspectRequest, session: Session) -> int:
    """Find out what is at the path, and inspect it. Returns the exit code. Raises GensetError."""
    path, root = Path(request.path), session.root()
    job = session.job(root)
    request.check()
    if path.suffix in (".yaml", ".yml"):
        request.forbid_files("a config")
        request.forbid_rules()
        return _inspect_config(path, session)
    item = _find_item(path, root)
    if item:
        request.forbid_files("an item")
        request.forbid_rules()
        return _inspect_item(item, root, session)
    if path.is_file() and not guess_modality(path, MODALITIES).rows and not containers_at(path):
        raise GensetError(
            "this file belongs to no version: inspect takes a dataset, a version, an item of a version, or a .yaml "
            "config",
            where=request.path,
            hint="Give the folder that contains it.",
        )
    version = None
    if not path.is_file():
        version = open_version(path) if path.is_dir() else find_version(root, request.path)
    if version and version.kind == "models":
        request.forbid_rules()
        return _inspect_model(request, version, job, session)
    return inspect_dataset(request, version, job, session)


def _find_item(path: Path, root: Root) -> lineage.VersionItem | None:
    """The item of a version with a path or an id; None if there is none."""
    if path.is_file():
        return lineage.item_at(path)
    return lineage.item_with_id(str(path), root) if lineage.ITEM_ID.fullmatch(str(path)) and not path.exists() else None


def _inspect_item(item: lineage.VersionItem, root: Root, session: Session) -> int:
    ancestry = lineage.ancestry(item, root)
    session.console.say("\n".join(lineage.ancestry_lines(ancestry)))
    session.finish(AncestryOutput, version=item.version, item=ancestry)
    return ExitCode.DONE


def _inspect_config(path: Path, session: Session) -> int:
    config = load(path)
    session.console.say(dump(config))
    session.finish(ConfigOutput, config=config.model_dump(mode="json"))
    return ExitCode.DONE


def _inspect_model(request: InspectRequest, version: Version, job: Job, session: Session) -> int:
    """Inspect a model: alone, or compared with the model of --against. Raises GensetError."""
    if request.model:
        raise GensetError(
            "--model needs a dataset, and this is a model",
            where=request.path,
            hint="Inspect a dataset, such as one that `genset generate` created.",
        )
    if request.against:
        request.forbid_beside_comparison()
        before = find_model(job.root, request.against)
        if not compare.can_compare(version, before):
            raise GensetError(
                f"{version.reference} cannot be compared with itself",
                where=f"--against {request.against}",
                hint="Give --against another version.",
            )
        return print_comparison(request, version, compare.compare_models(version, before, job), session)
    if request.summary:
        raise GensetError(
            "a summary contains figures, which need a model to compare with",
            where="--summary",
            hint="Add --against and another model.",
        )
    if request.report:
        write_atomically(request.report, model_page(version, job))
    return print_model(version, session, more_fields=request.print_files(session.console))
