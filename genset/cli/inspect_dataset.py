"""`genset inspect` of a dataset: its contents and problems, and with --against the quality of its synthetic items."""

from dataclasses import replace
from pathlib import Path

from genset.atomic import write_atomically
from genset.cli.flag_values import sections_from_flags
from genset.cli.inspect_request import InspectRequest
from genset.cli.inspect_versions import print_comparison
from genset.cli.json_output.inspect import ContentsOutput, EvaluationOutput
from genset.cli.lookup import find_dataset, find_model, lookup
from genset.cli.rendering import print_counts, print_failed_gates, print_figures
from genset.cli.session import Session
from genset.config.clean_section import Clean
from genset.config.sections import Quality
from genset.errors import ExitCode, GensetError
from genset.pipeline.evaluate.evaluator import with_failed_gates
from genset.pipeline.evaluate.verdict import Verdict, stored_verdict
from genset.pipeline.job import Job, as_dicts
from genset.pipeline.pages import comparison
from genset.pipeline.pages.dataset import dataset_page
from genset.pipeline.pages.page_data import DatasetPageData
from genset.pipeline.reading import kind_of
from genset.versions.root import Root
from genset.versions.version import Version
from genset.workflows import compare, inspect

_RULES = {"near_duplicate": "near_duplicates", "wrong_label": "wrong_labels", "label_conflict": "wrong_labels"}


def inspect_dataset(request: InspectRequest, version: Version | None, job: Job, session: Session) -> int:
    """Inspect a dataset: alone, with the real items of --against, or compared with another version of it.

    Returns the exit code. Raises GensetError.
    """
    other = _dataset_version(request.against, job.root) if version and request.against else None
    if version and other and compare.can_compare(version, other):
        request.forbid_beside_comparison()
        return print_comparison(request, version, compare.compare_datasets(version, other), session)
    if request.summary and not request.against:
        raise GensetError(
            "a summary contains figures, which need a dataset to compare with",
            where="--summary",
            hint="Add --against and the real dataset, such as --against digits.",
        )
    rules, quality = _sections(request, version)
    contents = inspect.read_contents(version.path if version else Path(request.path), job, rules)
    if request.model:
        contents = inspect.add_outliers(contents, find_model(job.root, request.model), job)
    evaluation = _evaluate(request, contents, version, quality, job)
    verdict = _verdict(request, evaluation, quality, contents) if evaluation else None
    if request.report:
        page_data = _page_data(request, contents, version, evaluation, verdict)
        write_atomically(request.report, dataset_page(page_data, job.engine))
    if request.summary and verdict:
        name = version.reference if version else request.path
        write_atomically(request.summary, comparison.evaluation_markdown(name, verdict.as_dict()))
    return _print_contents(request, contents, verdict, version, session)


def _dataset_version(text: str, root: Root) -> Version | None:
    """The dataset version that --against names; None if it names a file or folder of the user."""
    return None if Path(text).is_file() else lookup(root, "datasets", text)


def _sections(request: InspectRequest, version: Version | None) -> tuple[Clean, Quality]:
    """The rules of cleaning and the settings of evaluation. Raises GensetError for invalid overrides."""
    flags, kind = {"clean.exact_duplicates": "report"}, kind_of(Path(request.path), version)
    rules, quality = sections_from_flags("inspect", ("clean", "quality"), flags, list(request.rules), kind)
    request.check_gates(quality.gates)
    return rules, quality


def _evaluate(
    request: InspectRequest, contents: inspect.Contents, version: Version | None, quality: Quality, job: Job
) -> inspect.EvaluationResult | None:
    """Evaluate the synthetic items with the real items of --against; None without it."""
    if not request.against:
        return None
    real_path, _ = find_dataset(job.root, request.against)
    return inspect.evaluate_against(contents, version, real_path, job, quick=request.quick, seeds=quality.seeds)


def _verdict(
    request: InspectRequest, evaluation: inspect.EvaluationResult, quality: Quality, contents: inspect.Contents
) -> Verdict:
    """The figures with the gates that failed, and with a note if the evaluation was quick."""
    verdict = with_failed_gates(evaluation.verdict, [*request.gates, *quality.gates], contents.dataset.modality)
    return replace(verdict, notes=[*verdict.notes, _quick_note(evaluation)]) if request.quick else verdict


def _quick_note(evaluation: inspect.EvaluationResult) -> str:
    """How many of the items a quick evaluation used."""
    used, real = evaluation.verdict.sizes, evaluation.real
    parts = [
        f"{used['train']:,} of {len(real.where(split='train')):,} training items",
        f"{used['test']:,} of {len(real.where(split='test')):,} test items",
        f"{used['made']:,} of {len(evaluation.synthetic):,} synthetic items",
    ]
    classifiers = [f"{evaluation.seeds} classifiers"] if "real_acc" in evaluation.verdict.figures else []
    return f"quick evaluation: {', '.join([*parts, *classifiers])}"


def _page_data(
    request: InspectRequest,
    contents: inspect.Contents,
    version: Version | None,
    evaluation: inspect.EvaluationResult | None,
    verdict: Verdict | None,
) -> DatasetPageData:
    """The content of the report page: synthetic and real items of the evaluation, or all items of the dataset."""
    records = contents.dataset.records
    if evaluation:
        records = (*evaluation.real.records, *evaluation.synthetic.records)
    return DatasetPageData(
        version.reference if version else Path(request.path).resolve().name,
        evaluation.modality if evaluation else inspect.resolved_modality(contents),
        records,
        verdict.as_dict() if verdict else stored_verdict(version),
        as_dicts(contents.problems),
        contents.traits,
        version.manifest if version else {},
        request.against or "",
        _quick_note(evaluation) if evaluation and request.quick else "",
    )


def _print_contents(
    request: InspectRequest,
    contents: inspect.Contents,
    verdict: Verdict | None,
    version: Version | None,
    session: Session,
) -> int:
    console, problems = session.console, as_dicts(contents.problems)
    print_counts(console, {**contents.counts, **contents.traits})
    console.problems(problems)
    if not problems:
        console.say("no problems found")
    fields = contents.as_dict()
    if version:
        fields["version"] = version
    if verdict:
        print_figures(console, verdict.as_dict())
        fields |= verdict.as_dict()
    fields |= request.print_files(console)
    code = print_failed_gates(console, verdict.failed_gates) if verdict else ExitCode.DONE
    rules = _quarantine_rules(contents, from_model=bool(request.model))
    if rules:
        console.say(f"next: check these files; to leave such items out, add {rules} to `genset run` or `genset split`")
    session.finish(EvaluationOutput if verdict else ContentsOutput, **fields)
    damaged = any(problem["kind"] == "checksum" for problem in problems)
    return ExitCode.FAILED if damaged else code


def _quarantine_rules(contents: inspect.Contents, *, from_model: bool) -> str:
    """The overrides that leave out the items with problems, such as "clean.blurred=quarantine"; "" if there are none.

    `from_model`: outliers were found by a model, which no rule of cleaning does.
    """
    rules = {**_RULES, **{name: name for name in contents.modality.rules}}
    rules |= {} if from_model else {"outlier": "outliers"}
    keys = dict.fromkeys(rules[problem.kind] for problem in contents.problems if problem.kind in rules)
    return " ".join(f"clean.{key}=quarantine" for key in keys)
