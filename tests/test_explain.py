"""What a model has learned: codes, traversals, nearest training items; and the page that shows it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from genset.engine import Local
from genset.interfaces import Progress
from genset.pipeline.generate import outliers
from genset.pipeline.job import Job
from genset.pipeline.pages.model_insights import ModelInsights, project
from genset.versions.root import Root
from genset.versions.version import Version
from tests.helpers import Trained, genset


@pytest.fixture(scope="module")
def opened(trained: Trained) -> ModelInsights:
    job = Job("inspect", Root(trained.out), Local(workers=1), Progress.silent())
    return ModelInsights.open(Version(trained.model.resolve(), "models", "digits", "v0001"), job)


def test_real_codes_are_those_of_held_out_items(opened: ModelInsights) -> None:
    real = opened.real_items()
    assert real and real.held_out and opened.encode
    assert {record.split for record in real.records} == {"validation", "test"}
    assert len(real.records) == len(real.items) == len(real.codes) == 80
    (codes,) = opened.encode(opened.model.modality.to_tensor(real.items))
    np.testing.assert_array_equal(codes, real.codes)


def test_information_of_a_dimension_is_the_error_increase_without_it(opened: ModelInsights) -> None:
    real = opened.real_items()
    assert real and opened.encode
    information = opened.information(real)
    expected = outliers.reconstruction_errors(opened.model, opened.encode, real.items[:64], real.labels[:64])
    assert information.error == pytest.approx(float(expected.mean()), rel=1e-5)
    assert sorted(information.dimensions) == list(range(real.codes.shape[1]))
    assert list(information.error_increase) == sorted(information.error_increase, reverse=True)
    assert information.error_increase[0] > 0.1 * information.error
    np.testing.assert_allclose(information.variance, real.codes.var(axis=0)[information.dimensions])


def test_traversal_contains_the_item_and_interpolation_ends_at_both_items(opened: ModelInsights) -> None:
    real = opened.real_items()
    assert real
    code, label = real.codes[3].copy(), real.labels[3]
    code[2] = real.codes[:, 2].mean()
    middle = opened.traversal(real.codes[3], label, 2, real.codes)[4]
    assert np.abs(middle.astype(int) - opened.decode(code[None], [label])[0].astype(int)).max() <= 1
    items = opened.interpolation(real.codes[0], real.codes[5], (real.labels[0], real.labels[5]))
    ends = opened.decode(real.codes[[0, 5]], [real.labels[0], real.labels[5]])
    np.testing.assert_array_equal(items[[0, -1]], ends)


def test_training_items_are_nearest_to_themselves(opened: ModelInsights) -> None:
    assert opened.prepared
    items, _ = opened.prepared.split_items("train")
    records, nearest, distances = opened.nearest_training_items(items[10:15])
    train = opened.prepared.dataset.where(split="train").records
    assert [record.id for record in records] == [record.id for record in train[10:15]]
    assert not distances.any()
    np.testing.assert_array_equal(nearest, items[10:15])


def test_codes_are_projected_on_the_plane_of_largest_variance() -> None:
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(500, 4)) * [0.1, 3, 0.1, 7] + [5, 0, 0, 1]).astype(np.float32)
    here, there = project(codes, codes[:1])
    centred = codes - codes.mean(axis=0)
    assert np.corrcoef(here[:, 0], centred[:, 3])[0, 1] > 0.999
    assert np.corrcoef(here[:, 1], centred[:, 1])[0, 1] > 0.999
    np.testing.assert_allclose(there, here[:1], atol=1e-5)


@pytest.mark.parametrize(("items", "values"), [(500, 1), (1, 4)])
def test_codes_of_one_dimension_and_a_single_item_are_projected_on_a_line(items: int, values: int) -> None:
    codes = np.random.default_rng(0).normal(size=(items, values)).astype(np.float32)
    here, there = project(codes, codes[:1])
    assert (here.shape, there.shape) == ((items, 2), (1, 2))
    assert not here[:, 1].any()
    np.testing.assert_allclose(np.abs(here[:, 0]), np.abs(codes - codes.mean(axis=0)).max(axis=1), atol=1e-5)


def test_page_of_a_model_has_all_sections_and_equal_bytes(trained: Trained, tmp_path: Path) -> None:
    pages = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}.html"
        result = genset(
            "inspect", trained.model, "--report", path, "--workers", workers, "--output", tmp_path, "--json"
        )
        assert result.code == 0, result.stderr
        assert result.json["files"] == {"report": str(path)}
        pages.append(path.read_text())
    assert pages[0] == pages[1]
    headings = re.findall(r'<h2 id="[\w-]+-title">(.*?)</h2>', pages[0])
    assert headings[:5] == [
        "Did it train well?",
        "What does the model generate?",
        "How well does it reconstruct items?",
        "What has the model learned?",
        "How close are generated items to training items?",
    ]
    for title in ("Traversals", "Interpolations between two items", "Which dimensions carry information"):
        assert title in pages[0]


def test_page_says_what_is_not_shown_without_training_items_and_encoder(own: Trained, tmp_path: Path) -> None:
    folder = own.model.resolve()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["inputs"]["identity"] = "other"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "encoder.onnx").unlink()
    path = tmp_path / "page.html"
    result = genset("inspect", own.model, "--report", path, "--output", own.out)
    assert result.code == 1  # a file of the version is missing
    text = path.read_text()
    assert "Not shown: reconstructions (this model has no encoder, so it cannot encode an item)." in text
    assert "Not shown: comparison with real items (the training items of digits@v0001 have changed)." in text
    assert "How well does it reconstruct items?" not in text and "How close are generated items" not in text
    assert "Traversals" in text and "What does the model generate?" in text
