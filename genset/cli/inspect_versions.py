"""`genset inspect --against` another version or model: prints what has changed."""

from genset.atomic import write_atomically
from genset.cli.inspect_request import InspectRequest
from genset.cli.json_output.inspect import ComparisonOutput
from genset.cli.rendering import print_failed_gates
from genset.cli.session import Session
from genset.config.by_modality import EVERY_FIGURE
from genset.pipeline.evaluate import comparison
from genset.pipeline.pages.comparison import HEAD, comparison_markdown, comparison_page
from genset.quality import gates
from genset.versions.version import Version


def print_comparison(request: InspectRequest, version: Version, result: comparison.Comparison, session: Session) -> int:
    """Write and print what has changed; the exit code is that of the gates."""
    failed = gates.failures(
        [gates.parse(text, EVERY_FIGURE) for text in request.gates],
        result.verdict.get("figures", {}),
        result.verdict.get("skipped", {}),
    )
    if request.report:
        write_atomically(request.report, comparison_page(result, failed))
    if request.summary:
        write_atomically(request.summary, comparison_markdown(result, failed))
    console = session.console
    console.say(result.line)
    if result.changes:
        console.table("figures", comparison.table_rows(result), HEAD)
    if result.settings:
        rows = [[name, *pair] for name, pair in result.settings.items()]
        console.table("other differences", rows, ("", "before", "after"))
    for note in result.notes:
        console.say(f"note: {note}")
    code = print_failed_gates(console, failed)
    files = request.print_files(console)
    session.finish(ComparisonOutput, version=version, **result.as_dict(), failed_gates=failed, **files)
    return code
