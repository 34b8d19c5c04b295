"""`genset publish`: upload a version to a bucket."""

from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli import completion
from genset.cli.command import common_options
from genset.errors import ExitCode

if TYPE_CHECKING:
    from genset.cli.session import Session

EXAMPLE = "genset publish digits s3://bucket/folder"

Reference = Annotated[
    str,
    typer.Argument(
        help="dataset or model version: folder, NAME or NAME@vNNNN",
        metavar="VERSION",
        show_default=False,
        autocompletion=completion.versions("datasets", "models"),
    ),
]
Url = Annotated[
    str, typer.Argument(help="folder of a bucket, such as s3://bucket/folder", metavar="URL", show_default=False)
]


@common_options()
def command(version: Reference, url: Url, *, session: "Session") -> int:
    """Upload a version to a bucket or any other URL of fsspec. A published version is complete and never changes."""
    from genset.cli.flag_values import store_from_url
    from genset.cli.json_output.publish import PublishOutput
    from genset.cli.lookup import require_version
    from genset.cli.rendering import format_bytes, kind_and_reference
    from genset.workflows.publish import publish

    root, store, console = session.root(), store_from_url(url), session.console
    local = require_version(root, version)
    with session.locked(root) as job:
        upload = publish(local, store, job)
    if upload.made:
        console.say(f"uploaded {upload.sent:,} of {upload.files:,} files, {format_bytes(upload.bytes)}")
    console.say(f"{'published' if upload.made else 'already published'}: {kind_and_reference(local)}\n{upload.url}")
    session.finish(PublishOutput, **vars(upload))
    return ExitCode.DONE
