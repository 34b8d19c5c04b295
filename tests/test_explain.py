"""What a model has learned: codes, traversals, what it borrows; and the page that shows it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from genset.engine import Local
from genset.interfaces import Progress
from genset.pipeline.generate import outliers
from genset.pipeline.job import Job
from genset.pipeline.pages.model_insights import ModelInsights, plane
from genset.versions.root import Root
from genset.versions.version import Version
from tests.helpers import Trained, genset


@pytest.fixture(scope="module")
def opened(trained: Trained) -> ModelInsights:
    job = Job("inspect", Root(trained.out), Local(workers=1), Progress.silent())
    return ModelInsights.open(Version(trained.model.resolve(), "models", "digits", "v0001"), job)


def test_real_codes_are_those_of_held_out_items(opened: ModelInsights) -> None:
    real = opened.real()
    assert real and real.held_out and opened.encode
    assert {record.split for record in real.records} == {"validation", "test"}
    assert len(real.records) == len(real.items) == len(real.codes) == 80
    (codes,) = opened.encode(opened.model.modality.to_tensor(real.items))
    np.testing.assert_array_equal(codes, real.codes)


def test_what_a_value_carries_is_the_error_without_it(opened: ModelInsights) -> None:
    real = opened.real()
    assert real and opened.encode
    found = opened.information(real)
    expected = outliers.reconstruction_errors(opened.model, opened.encode, real.items[:64], real.labels[:64])
    assert found.error == pytest.approx(float(expected.mean()), rel=1e-5)
    assert sorted(found.values) == list(range(real.codes.shape[1]))
    assert list(found.lost) == sorted(found.lost, reverse=True)
    assert found.lost[0] > 0.1 * found.error
    np.testing.assert_allclose(found.spread, real.codes.var(axis=0)[found.values])


def test_a_traversal_passes_the_item_and_an_interpolation_ends_at_both(opened: ModelInsights) -> None:
    real = opened.real()
    assert real
    code, label = real.codes[3].copy(), real.labels[3]
    code[2] = real.codes[:, 2].mean()
    middle = opened.traversal(real.codes[3], label, 2, real.codes)[4]
    assert np.abs(middle.astype(int) - opened.decoded(code[None], [label])[0].astype(int)).max() <= 1
    items = opened.between(real.codes[0], real.codes[5], (real.labels[0], real.labels[5]))
    ends = opened.decoded(real.codes[[0, 5]], [real.labels[0], real.labels[5]])
    np.testing.assert_array_equal(items[[0, -1]], ends)


def test_train_items_borrow_from_themselves_alone(opened: ModelInsights) -> None:
    assert opened.prepared
    items, _ = opened.prepared.split_items("train")
    records, nearest, distances = opened.borrowed(items[10:15])
    train = opened.prepared.dataset.where(split="train").records
    assert [record.id for record in records] == [record.id for record in train[10:15]]
    assert not distances.any()
    np.testing.assert_array_equal(nearest, items[10:15])


def test_codes_lie_on_the_plane_in_which_they_vary_most() -> None:
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(500, 4)) * [0.1, 3, 0.1, 7] + [5, 0, 0, 1]).astype(np.float32)
    here, there = plane(codes, codes[:1])
    centred = codes - codes.mean(axis=0)
    assert np.corrcoef(here[:, 0], centred[:, 3])[0, 1] > 0.999
    assert np.corrcoef(here[:, 1], centred[:, 1])[0, 1] > 0.999
    np.testing.assert_allclose(there, here[:1], atol=1e-5)


@pytest.mark.parametrize(("items", "values"), [(500, 1), (1, 4)])
def test_codes_of_one_value_and_a_single_item_lie_on_a_line(items: int, values: int) -> None:
    codes = np.random.default_rng(0).normal(size=(items, values)).astype(np.float32)
    here, there = plane(codes, codes[:1])
    assert (here.shape, there.shape) == ((items, 2), (1, 2))
    assert not here[:, 1].any()
    np.testing.assert_allclose(np.abs(here[:, 0]), np.abs(codes - codes.mean(axis=0)).max(axis=1), atol=1e-5)


def test_the_page_of_a_model_has_every_part_and_equal_bytes(trained: Trained, tmp_path: Path) -> None:
    pages = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}.html"
        told = genset("inspect", trained.model, "--report", path, "--workers", workers, "--output", tmp_path, "--json")
        assert told.code == 0, told.stderr
        assert told.json["files"] == {"report": str(path)}
        pages.append(path.read_text())
    assert pages[0] == pages[1]
    headings = re.findall(r'<h2 id="[\w-]+-title">(.*?)</h2>', pages[0])
    assert headings[:5] == [
        "Did it train well?", "What does it make?", "How well does it reconstruct items?", "What has it learned?", "What does each class borrow?",
    ]  # fmt: skip
    for title in ("Traversals", "From one item to another", "Which values carry information"):
        assert title in pages[0]


def test_a_page_says_what_is_left_out_where_the_items_have_changed_and_the_encoder_is_gone(
    own: Trained, tmp_path: Path
) -> None:
    folder = own.model.resolve()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["inputs"]["identity"] = "other"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "encoder.onnx").unlink()
    path = tmp_path / "page.html"
    told = genset("inspect", own.model, "--report", path, "--output", own.out)
    assert told.code == 1  # a file of the version is missing
    text = path.read_text()
    assert "this model has no encoder, so it cannot encode an item: nothing is rebuilt" in text
    assert "the training items of digits@v0001 have changed: nothing is set beside real items" in text
    assert "How well does it reconstruct items?" not in text and "What does each class borrow?" not in text
    assert "Traversals" in text and "What does it make?" in text
