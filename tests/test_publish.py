"""genset publish, with a real S3 server: uploads are atomic, immutable and not repeated; errors are clear."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import jsonschema
import pytest
from moto.server import ThreadedMotoServer

from genset.cli.json_output import output_schema
from tests.helpers import ROOT, Trained, digits, genset


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """The environment variables with which a process reaches an S3 server on this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    started.stop()


@pytest.fixture
def bucket(server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A new bucket for the test."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return _Bucket(tmp_path.name.replace("_", "-").lower()[-40:].strip("-"))


class _Bucket:
    """A bucket, read with another tool than genset."""

    def __init__(self, name: str) -> None:
        self.name, self.url = name, f"s3://{name}/sets"
        self.files = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        self.files.mkdir(name)

    def bytes(self, folder: str = "") -> dict[str, bytes]:
        top = f"{self.name}/sets/{folder}".rstrip("/")
        return {name[len(top) + 1 :]: self.files.cat_file(name) for name in self.files.find(top)}


def _version(folder: Path, per_class: int = 6) -> Path:
    """A dataset version of a few digits, and its root."""
    source = digits(folder / "digits", per_class, "01")
    done = genset("split", source, "--name", "d", "--output", folder / "out", "--json")
    assert done.code == 0, done.stderr
    return folder / "out" / "datasets" / "d" / "v0001"


def _local(version: Path) -> dict[str, bytes]:
    return {str(path.relative_to(version)): path.read_bytes() for path in version.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_published_version_equals_the_local_one_and_is_uploaded_once(bucket: _Bucket, tmp_path: Path) -> None:
    version = _version(tmp_path)
    out = ("--output", tmp_path / "out", "--json")
    done = genset("publish", "d", f"{bucket.url}/", *out)
    assert done.code == 0, done.stderr
    jsonschema.validate(done.json, output_schema())
    local = _local(version)
    assert bucket.bytes("datasets/d/v0001") == local
    digest = hashlib.sha256(local["manifest.json"]).hexdigest()
    beside = {"latest": b"v0001\n", "v0001.sha256": f"{digest}  v0001/manifest.json\n".encode()}
    assert bucket.bytes("datasets/d") == {f"v0001/{name}": data for name, data in local.items()} | beside
    published = {"url": f"{bucket.url}/datasets/d/v0001", "made": True, "files": len(local) - 1, "sent": len(local) - 1}
    assert done.json.items() >= published.items() and done.json["version"]["id"] == "v0001"
    assert done.json["bytes"] == sum(len(data) for name, data in local.items() if name != "manifest.json")
    again = genset("publish", version, bucket.url, *out)
    assert (again.code, again.json["made"], again.json["sent"], again.json["bytes"]) == (0, False, 0, 0)
    assert again.stderr.splitlines()[-2:] == ["already published: dataset d@v0001", f"{bucket.url}/datasets/d/v0001"]


@pytest.mark.slow
def test_latest_is_the_newest_version_in_any_order_of_uploads(bucket: _Bucket, tmp_path: Path) -> None:
    _version(tmp_path)
    out = ("--output", tmp_path / "out", "--json")
    assert genset("split", tmp_path / "digits", "--name", "d", "--seed", 1, *out).json["version"]["id"] == "v0002"
    for reference in ("d@v0002", "d@v0001"):
        assert genset("publish", reference, bucket.url, *out).code == 0
        assert bucket.bytes("datasets/d")["latest"] == b"v0002\n"


@pytest.mark.slow
def test_a_killed_upload_is_not_a_version_and_can_be_continued(bucket: _Bucket, tmp_path: Path) -> None:
    version = _version(tmp_path, 40)
    command = ["publish", "d", bucket.url, "--output", tmp_path / "out", "--workers", "1", "--json"]
    started = subprocess.Popen([sys.executable, "-m", "genset", *map(str, command)], stderr=subprocess.PIPE)
    place = f"{bucket.name}/sets/datasets/d/v0001"
    until = time.monotonic() + 60
    while started.poll() is None and len(bucket.files.find(place)) < 20 and time.monotonic() < until:
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL and started.stderr
    started.stderr.close()
    there = len(bucket.files.find(place))
    assert 20 <= there < len(_local(version)) and not bucket.files.exists(f"{place}/manifest.json")
    done = genset(*command)
    assert done.code == 0, done.stderr
    assert done.json["files"] - there - 1 <= done.json["sent"] <= done.json["files"] - there
    assert bucket.bytes("datasets/d/v0001") == _local(version)


@pytest.mark.slow
def test_a_damaged_version_is_published_only_after_it_is_restored(bucket: _Bucket, tmp_path: Path) -> None:
    version = _version(tmp_path)
    image = next(version.glob("train/0/*.png"))
    data, name = image.read_bytes(), image.relative_to(version)
    command = ("publish", "d", bucket.url, "--output", tmp_path / "out")
    for change, fault in ((lambda: image.write_bytes(data[:-1]), "has changed since it was written"), (image.unlink, "is missing")):  # fmt: skip
        change()
        done = genset(*command, "--quiet")
        hint = "  Restore the file, or write the version again: only complete versions can be published.\n"
        assert (done.code, done.stderr) == (2, f"genset: {version.resolve()}: {name} {fault}\n{hint}")
        assert "manifest.json" not in bucket.bytes("datasets/d/v0001")
    image.write_bytes(data)
    assert genset(*command).code == 0
    assert bucket.bytes("datasets/d/v0001") == _local(version)


@pytest.mark.slow
def test_files_of_other_uploads_are_neither_changed_nor_mixed(bucket: _Bucket, tmp_path: Path) -> None:
    _version(tmp_path)
    place, where = f"{bucket.name}/sets/datasets/d", f"{bucket.url}/datasets/d/v0001"
    command = ("publish", "d", bucket.url, "--output", tmp_path / "out", "--quiet")
    hint = "  Use a separate URL for each output root, or remove the files there.\n"
    for name, fault in (
        ("v0001/strange.txt", "files there do not belong to the version, the first is strange.txt"),
        ("v0001.sha256", "another version with this number is being published there, or its upload was interrupted"),
        ("v0001/manifest.json", "a different d@v0001 is published there, and published versions are never changed"),
    ):
        bucket.files.pipe_file(f"{place}/{name}", b"another")
        done = genset(*command)
        assert (done.code, done.stderr) == (2, f"genset: {where}: {fault}\n{hint}")
        assert bucket.files.cat_file(f"{place}/{name}") == b"another"
        assert not bucket.files.exists(f"{place}/v0001/SHA256SUMS") and not bucket.files.exists(f"{place}/latest")
        bucket.files.rm(f"{bucket.name}/sets", recursive=True)


@pytest.mark.slow
def test_a_run_publishes_once_and_checks_the_bucket_before_training(own: Trained, bucket: _Bucket) -> None:
    done = genset("run", own.config, f"output.publish={bucket.url}", "--output", own.out, "--json")
    assert (done.code, done.json["made"]) == (0, False), done.stderr
    jsonschema.validate(done.json, output_schema())
    places = [f"{bucket.url}/{kind}/digits/v0001" for kind in ("models", "datasets")]
    assert [(sent["url"], sent["made"]) for sent in done.json["published"]] == [(place, True) for place in places]
    for kind in ("models", "datasets"):
        assert bucket.bytes(f"{kind}/digits/v0001") == _local(own.out / kind / "digits" / "v0001")
    again = genset("run", own.config, f"output.publish={bucket.url}", "--output", own.out, "--json")
    assert [sent["made"] for sent in again.json["published"]] == [False, False]
    gated = ["quality.gates=[lift >= 0.99]", f"output.publish={bucket.url}", "--output", own.out, "--json"]
    failed = genset("run", own.config, *gated)
    assert (failed.code, failed.json["published"]) == (1, [])
    assert sorted(bucket.bytes("datasets/digits")) == sorted(
        [f"v0001/{name}" for name in _local(own.dataset.resolve())] + ["latest", "v0001.sha256"]
    )
    none = own.out.parent / "none"
    lost = genset("run", own.config, "output.publish=s3://no-such-bucket/sets", "--output", none, "--quiet")
    assert lost.code == 2 and not (none / "models").exists()
    assert lost.stderr.splitlines()[0] == (
        "genset: s3://no-such-bucket/sets/.genset: cannot connect or write: The specified bucket does not exist"
    )


def test_versions_can_be_published_to_a_shared_folder(tmp_path: Path) -> None:
    version = _version(tmp_path)
    done = genset("publish", "d", f"file://{tmp_path}/shared", "--output", tmp_path / "out", "--json")
    assert done.code == 0, done.stderr
    copy = tmp_path / "shared" / "datasets" / "d" / "v0001"
    assert _local(copy) == _local(version)
    assert genset("verify", copy, "--output", tmp_path / "other").code == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("out/sets", "URL: expected the URL of a folder such as s3://bucket/folder, not 'out/sets'"),
        ("s3://", "URL: expected the URL of a folder such as s3://bucket/folder, not 's3://'"),
        (
            "s3://key:word@b/f",
            "URL: a URL is written to configs and logs, so it must not contain a name, key or password",
        ),
        ("cache::s3://b", "URL: expected the URL of a folder such as s3://bucket/folder, not 'cache::s3://b'"),
        ("s4://b/f", "s4://b/f: fsspec does not support s4:// URLs\n  Write a URL such as s3://bucket/folder."),
    ],
)
def test_invalid_urls_are_rejected(url: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(_shared_version(tmp_path))
    done = genset("publish", "d", url, "--output", tmp_path / "out", "--quiet")
    assert (done.code, done.stderr) == (2, f"genset: {message}\n")


def _shared_version(folder: Path) -> Path:
    """The output root of one version, for all tests that only read it."""
    shared = folder.parent / "shared-version"
    if not shared.exists():
        shared.mkdir()
        _version(shared)
    return shared / "out"


@pytest.mark.slow
def test_missing_packages_credentials_and_servers_are_reported_with_a_hint(
    server: dict[str, str], tmp_path: Path
) -> None:
    out = str(_shared_version(tmp_path))
    code = "import sys; sys.modules['s3fs'] = None; from genset.cli import main; main()"
    arguments = ["publish", "d", "s3://b/f", "--output", out, "--quiet"]
    env = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, check=False
    )
    message = "s3://b/f: the package for this URL is not installed: Install s3fs to access S3"
    assert (done.returncode, done.stderr) == (2, f"genset: {message}\n  For s3://: pip install 'genset[s3]'.\n")
    hint = (
        "  Check the URL, and the credentials and permissions of this machine, then run the command again: files that were "
        "uploaded are not uploaded twice.\n"
    )
    nobody = {**server, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(tmp_path)}
    for environment, reason in (
        (nobody, "Unable to locate credentials"),
        (
            {**server, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"},
            'Could not connect to the endpoint URL: "http://127.0.0.1:9/b/f/datasets/d/v0001/manifest.json"',
        ),
    ):
        ended = genset(*arguments, **environment)
        where = "s3://b/f/datasets/d/v0001/manifest.json"
        assert (ended.code, ended.stderr) == (2, f"genset: {where}: cannot connect or write: {reason}\n{hint}")


def test_only_versions_are_published(tmp_path: Path) -> None:
    source = digits(tmp_path / "plain", 2, "01")
    done = genset("publish", source, "s3://b/f", "--output", tmp_path / "out", "--quiet")
    hint = "  Give a folder such as out/datasets/NAME/latest, or NAME@v0001.\n"
    message = f"genset: {source}: this is not a version that genset wrote: it has no manifest\n"
    assert (done.code, done.stderr) == (2, message + hint)


def test_an_invalid_url_in_a_config_is_rejected_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    values = {"name": "d", "modality": "image", "data": {"source": str(ROOT / "samples" / "image")}}
    path.write_text(json.dumps({**values, "output": {"publish": "bucket/folder"}}))
    done = genset("run", path, "--quiet")
    assert done.code == 2
    assert "output.publish: expected the URL of a folder such as s3://bucket/folder, not 'bucket/folder'" in done.stderr
