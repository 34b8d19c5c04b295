"""Texts: files, tables, rejected input, tokens, sampling, figures, transforms, and a complete run on dialogues."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genset.cli.lookup import lookup
from genset.config.sections import Data
from genset.engine import Local
from genset.interfaces import Progress
from genset.modalities.text import codec, metrics, token_sampling
from genset.modalities.text.augment import AUGMENTATIONS
from genset.modalities.text.modality import Text, TextSettings
from genset.modalities.text.tokens import END, PAD, TextTokenizer
from genset.pipeline.collect.collect import Collected, collect
from genset.pipeline.job import Job
from genset.pipeline.pages.model_insights import ModelInsights
from genset.versions.root import Root
from tests.helpers import ROOT, at_work, genset

DIALOGUES = ROOT / "samples" / "dialogues"
MIXED = ["Der Hund schläft.", "床前明月光，疑是地上霜。", "👩‍👩‍👧 grüßt 🇩🇪!", "ὁ λόγος", "one  two"]


def collect_from(path: Path, **settings: Any) -> Collected:
    return collect(Data(source=[str(path)]), Text(TextSettings(**settings)), at_work())


def problems(result: Collected) -> list[tuple[str, str]]:
    return [(problem.path, problem.detail) for problem in result.problems]


def test_lines_of_a_file_are_items_of_the_class_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_bytes("﻿one\r\n two \r\n\r\nthré\r\n".encode())
    (tmp_path / "bad.txt").write_bytes(b"four\rfive")
    (tmp_path / "README.txt").write_text("about\n")
    records = collect_from(tmp_path).records
    assert [(r.text, r.label, r.origin) for r in records] == [
        ("four", "bad", "bad.txt:1"),
        ("five", "bad", "bad.txt:2"),
        ("one", "good", "good.txt:1"),
        ("two", "good", "good.txt:2"),
        ("thré", "good", "good.txt:4"),
    ]


def test_files_of_class_folders_are_items_and_lines_have_no_label(tmp_path: Path) -> None:
    (tmp_path / "a" / "spam").mkdir(parents=True)
    (tmp_path / "a" / "spam" / "1.txt").write_text("two\nlines\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "lines.txt").write_text("x\ny\n")
    (record,) = collect_from(tmp_path / "a").records
    modality = Text(TextSettings())
    assert (codec.decode(modality.decode_native(record.raw)), record.label) == ("two\nlines", "spam")
    assert [(r.text, r.label) for r in collect_from(tmp_path / "b").records] == [("x", ""), ("y", "")]
    assert [r.text for r in collect_from(tmp_path / "b" / "lines.txt").records] == ["x", "y"]


def test_rows_of_tables_are_items_with_their_label_and_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('text,label,user\n"a, ""b""\nc",x,7\nd,y,8\n')
    records = collect_from(tmp_path).records
    assert [(r.text, r.label, r.columns) for r in records] == [
        ('a, "b"\nc', "x", {"user": "7"}),
        ("d", "y", {"user": "8"}),
    ]
    (tmp_path / "t.csv").unlink()
    (tmp_path / "t.tsv").write_text("what\tkind\nhello\tgreeting\n")
    (record,) = collect_from(tmp_path, fields=["what"], label="kind").records
    assert (record.text, record.label) == ("hello", "greeting")


def test_splits_of_the_user_are_kept(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name, "label": "a"}) + "\n")
    assert [(r.text, r.split) for r in collect_from(tmp_path).records] == [("train", "train"), ("test", "test")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi?", "response": "Hello."},
        {"turns": ["Hi?", "Hello.", "Bye"]},
        {"messages": [{"role": "user", "content": "Hi?"}, {"role": "bot", "content": "Hello."}]},
    ],
)
def test_a_dialogue_is_one_item_and_keeps_its_columns(row: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps({**row, "label": "chat"}) + "\n")
    result = collect_from(path)
    (record,) = result.records
    assert record.label == "chat"
    assert result.modality.to_row(result.modality.decode_native(record.raw)) == row


REJECTED = {
    "binary": (b"a\0b", ("x.txt", "it is not text: it contains zero bytes")),
    "utf-16": ("ab".encode("utf-16"), ("x.txt:1", "it is UTF-16, not UTF-8: set modality.encoding: utf-16 to read it")),
    "latin-1 among utf-8": (
        "gut\nschön\n".encode() + "schön\n".encode("latin-1"),
        (
            "x.txt:3",
            "byte 4 of the line (0xF6) is not UTF-8: invalid start byte; set modality.encoding, such as latin-1, cp1251 "
            "or gb18030, to read the file",
        ),
    ),
    "a control character": (b"a\nb\x1bc\n", ("x.txt:2", "it contains the control character U+001B at character 2")),
    "a separator": (b"a\nb\x1fc\n", ("x.txt:2", "it contains the control character U+001F at character 2")),
    "a long line": (
        b"a\n" + b"b" * 100_000,
        ("x.txt:2", "100,000 characters, more than the 2,000 of modality.max_characters"),
    ),
    "nothing": (b"\n \n", ("x.txt", "it contains no text")),
}


@pytest.mark.parametrize("case", REJECTED)
def test_invalid_lines_are_left_out_and_reported_with_their_number(case: str, tmp_path: Path) -> None:
    data, expected = REJECTED[case]
    (tmp_path / "x.txt").write_bytes(data)
    (tmp_path / "y.txt").write_text("fine\n")
    assert problems(collect_from(tmp_path)) == [expected]


def test_invalid_rows_are_left_out_and_reported_with_their_number(tmp_path: Path) -> None:
    rows = ['{"text": "a"}', "{", '{"txt": "b"}', '{"text": 3}', '{"text": "c", "text": "d"}', "[1]", '{"text": " "}']
    rows.append('{"text": "e", "note": "\\ud800"}')
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    assert problems(collect_from(tmp_path)) == [
        ("x.jsonl:2", "not valid JSON: expected a key in double quotes"),
        ("x.jsonl:3", "the column 'text' is missing: the columns are txt"),
        ("x.jsonl:4", "the column 'text' must be text or a list of turns, got 3"),
        ("x.jsonl:5", "not valid JSON: duplicate key 'text'"),
        ("x.jsonl:6", "must be a JSON object, got [1]"),
        ("x.jsonl:7", "it is empty"),
        ("x.jsonl:8", "a column contains half a character (a lone surrogate)"),
    ]
    (tmp_path / "x.jsonl").unlink()
    (tmp_path / "x.csv").write_text("text,label\na,b\nc\nd,e\n")
    assert problems(collect_from(tmp_path)) == [("x.csv:3", "1 columns, but the header has 2")]
    (tmp_path / "y.csv").write_text("text,text\na,b\n")
    assert problems(collect_from(tmp_path)) == [
        ("x.csv:3", "1 columns, but the header has 2"),
        ("y.csv:1", "duplicate column 'text'"),
    ]


def test_another_encoding_is_read_if_the_config_names_it(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes("привет\n".encode("cp1251"))
    (record,) = collect_from(tmp_path, encoding="cp1251").records
    assert record.text == "привет"


def test_a_table_without_common_columns_asks_for_their_names(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    outcome = genset("inspect", tmp_path / "x.csv")
    assert outcome.code == 2
    assert outcome.stderr == (
        f"genset: {tmp_path}/x.csv: no column with a common name for texts: the columns are a, b\n"
        "  Set modality.fields to the columns of the item: modality.fields=[NAME, ...].\n"
    )


def test_a_text_that_is_too_long_for_a_file_name_is_a_text(tmp_path: Path) -> None:
    modality = Text(TextSettings())
    assert modality.raw("word " * 100) == ("word " * 100).strip()
    path = tmp_path / "x.txt"
    path.write_text("in a file\n")
    assert codec.decode(modality.decode_native(modality.raw(str(path)))) == "in a file"


def test_texts_are_normalised_and_items_keep_every_byte() -> None:
    assert codec.normalise(" e\u0301 ") == "é"
    items = codec.encode_all(MIXED, 60)
    assert codec.decode_all(items) == MIXED
    assert codec.decode(codec.encode_all(["日本"], 4)[0]) == "日"  # whole characters


@pytest.mark.parametrize("kind", ["bpe", "words", "characters"])
def test_tokens_decode_to_the_same_text_also_after_saving(kind: str) -> None:
    texts = [*MIXED, f"a{codec.FIELD}b{codec.TURN}c{codec.ROLE}d"] * 20
    tokens = TextTokenizer.train(texts, kind, None, None)  # type: ignore[arg-type]
    again = TextTokenizer.from_bytes(tokens.to_bytes())
    rows = tokens.encode(texts[:6])
    assert (again.encode(texts[:6]) == rows).all()
    assert again.decode(rows) == texts[:6]
    assert ((rows == END).sum(axis=1) == 1).all()


def test_byte_pairs_encode_any_text_and_long_texts_are_cut() -> None:
    tokens = TextTokenizer.train(["abc abd"] * 20, "bpe", None, 8)
    (row,) = tokens.encode(["中"])
    assert tokens.decode(row[None]) == ["中"]
    assert END not in tokens.encode(["zyxwvutsrqponm"])[0]


def logits_of(row: list[float]) -> Any:
    table = np.log(np.array(row, np.float32))
    return {
        "generator": lambda z, label: [z, z],
        "step": lambda token, context, state: [np.tile(table, (len(token), 1)), state],
    }


def token_counts(count: int, **settings: Any) -> Counter[int]:
    models = logits_of([0.1, 0.05, 0.05, 0.4, 0.3, 0.1])
    rngs = [np.random.default_rng(n) for n in range(count)]
    z = np.zeros((count, 1), np.float32)
    rows = token_sampling.generate_tokens(models, z, z, rngs, 1, token_sampling.TokenSampling(**settings))
    return Counter(rows[:, 0].tolist())


def test_tokens_are_drawn_by_their_odds_and_special_tokens_never() -> None:
    shares = token_counts(4000, temperature=1.0)
    assert set(shares) == {1, 3, 4, 5}
    assert [shares[n] / 4000 for n in (1, 3, 4, 5)] == pytest.approx(np.array([0.05, 0.4, 0.3, 0.1]) / 0.85, abs=0.03)
    assert set(token_counts(200, temperature=0.0)) == {3}
    assert set(token_counts(1000, temperature=1.0, top_p=0.8)) == {3, 4}
    cold = token_counts(4000, temperature=0.5)
    assert cold[3] / cold[4] == pytest.approx(16 / 9, rel=0.15)


def test_a_shorter_maximum_length_gives_the_same_beginnings() -> None:
    models = logits_of([0.1, 0.01, 0.1, 0.4, 0.3, 0.1])
    z = np.zeros((20, 1), np.float32)

    def rows(**settings: Any) -> Any:
        return token_sampling.generate_tokens(
            models, z, z, [np.random.default_rng(n) for n in range(20)], 9, token_sampling.TokenSampling(**settings)
        )

    short, whole = rows(max_tokens=4), rows()
    assert (short[:, :4] == whole[:, :4]).all()
    assert (short[:, 4:] == PAD).all()


def test_nats_are_the_mean_negative_log_likelihood() -> None:
    models = logits_of([0.25, 0.25, 0.25, 0.25])
    z = np.zeros((2, 1), np.float32)
    ids = np.array([[3, 1, 0], [3, 3, 1]], np.int32)
    assert token_sampling.mean_nats(models, z, z, ids) == pytest.approx(np.log([4, 4]))


def test_faults_of_synthetic_texts() -> None:
    texts = ["fine words", "...", "bad \ufffd", "go go go go go", "ha ha", "a b a b a b a b", f"a{codec.FIELD}b", "😀"]
    assert metrics.faults(texts, 1).tolist() == [
        "",
        "empty",
        "garbled",
        "repetitive",
        "",
        "repetitive",
        "incomplete",
        "",
    ]
    assert metrics.faults([f"a{codec.FIELD}b", "a", f"a{codec.FIELD}"], 2).tolist() == ["", "incomplete", "incomplete"]


def test_figures_of_a_set_and_itself() -> None:
    texts = [f"the {a} {b} runs to the {c}" for a in ("big", "red") for b in ("dog", "cat") for c in ("house", "tree")]
    figures = metrics.measure(texts, texts, texts)
    assert figures["exact_copies"] == figures["overlap_train"] == figures["overlap_test"] == 1
    assert figures["length_distance"] == figures["character_distance"] == 0
    assert figures["perplexity"] == pytest.approx(figures["perplexity_real"])
    other = metrics.measure(texts, texts, [text.upper()[::-1] + str(n) for n, text in enumerate(texts)])
    assert other["exact_copies"] == other["overlap_test"] == 0
    assert other["perplexity"] > 3 * figures["perplexity"]
    assert set(figures) == {figure.name for figure in metrics.FIGURES}


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_transforms_do_not_change_protected_spans_and_separators(kind: str) -> None:
    table = {"table": {"big": ["large"]}} if kind == "synonyms" else {}
    step = AUGMENTATIONS[kind](kind=kind, protect=r"ORDER-\d+", **table)
    text = f"user{codec.ROLE}my big ORDER-10 on 2024-03-01, ok?{codec.TURN}bot{codec.ROLE}it is here; big box 15"
    synthetic = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        parameters = step.draw(rng)
        synthetic.add(codec.decode(step.apply(codec.encode(text, 200), rng, **parameters)))
    assert len(synthetic) > 1 or kind == "synonyms"
    for other in synthetic:
        assert [c for c in other if c in codec.SEPARATORS] == [codec.ROLE, codec.TURN, codec.ROLE]
        assert "ORDER-10" in other
        assert other.startswith(f"user{codec.ROLE}")
        assert f"{codec.TURN}bot{codec.ROLE}" in other


def test_dates_stay_valid_and_numbers_keep_their_length() -> None:
    step = AUGMENTATIONS["numbers"](kind="numbers", share=1.0)
    for seed in range(50):
        synthetic = codec.decode(step.apply(codec.encode("on 12/05/2023 we paid 1500"), np.random.default_rng(seed)))
        date, paid = synthetic.split()[1], synthetic.split()[-1]
        first, second, year = date.split("/")
        assert (len(first), len(second), len(year), len(paid)) == (2, 2, 4, 4)
        assert 1 <= int(first) <= 12 and 1 <= int(second) <= 12 and paid[0] != "0"


def test_a_number_of_many_digits_keeps_its_length() -> None:
    step = AUGMENTATIONS["numbers"](kind="numbers")
    synthetic = codec.decode(step.apply(codec.encode("9" * 30), np.random.default_rng(0)))
    assert synthetic.startswith("9" * 12) and len(synthetic) == 30 and synthetic != "9" * 30


@pytest.mark.parametrize("word", ["x\x1fy", "\0", " "])
def test_a_synonym_with_control_characters_is_rejected(word: str) -> None:
    with pytest.raises(ValueError, match="must contain printable words"):
        AUGMENTATIONS["synonyms"](kind="synonyms", table={"big": [word]})


def test_an_invalid_pattern_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: x\nmodality: text\ndata: {source: .}\naugment: {steps: [{kind: swap, protect: '['}]}\n")
    outcome = genset("inspect", path)
    assert outcome.code == 2
    assert outcome.stderr == (
        f"genset: {path}:4:32: augment.steps[0].protect: invalid regular expression: unterminated character set at "
        "position 0\n"
    )


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a short run on the dialogues."""
    folder = tmp_path_factory.mktemp("dialogues")
    source = folder / "pairs.jsonl"
    lines = (DIALOGUES / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    source.write_text("\n".join(line for line in lines if '"trivia"' in line or '"emotion"' in line), encoding="utf-8")
    config = {
        "name": "talk",
        "modality": {"kind": "text", "label": "topic"},
        "data": {"source": str(source)},
        "model": {"family": "ae", "network": {"kind": "gru", "width": 32}, "latent_dim": 8},
        "train": {"steps": 80},
        "generate": {"per_class": 6, "near_copies": "keep", "wrong_labels": "keep"},
        "augment": {"copies": 1},
    }
    (folder / "c.yaml").write_text(json.dumps(config))
    outcome = genset("run", folder / "c.yaml", "--output", folder / "out", "--json")
    assert outcome.code == 0, outcome.stderr
    return folder


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_dialogues_are_written_in_their_original_columns(dialogues: Path) -> None:
    version = dialogues / "out/datasets/talk/latest"
    real = {(row["prompt"], row["response"]) for row in rows_of(dialogues / "pairs.jsonl")}
    parts = {split: rows_of(version / f"{split}.jsonl") for split in ("train", "validation", "test")}
    names = ["id", "prompt", "response", "label", "source", "origin", "transform", "seed", "model", "group"]
    for rows in parts.values():
        assert all(list(row) == names for row in rows)
        assert all(row["prompt"].strip() and row["response"].strip() for row in rows)
    written = {(r["prompt"], r["response"]) for rows in parts.values() for r in rows if r["source"] == "collected"}
    assert written <= real
    assert {row["source"] for row in parts["train"]} == {"collected", "generated", "augmented"}
    assert {row["source"] for row in parts["test"]} == {"collected"}
    assert sorted(p.name for p in version.iterdir() if p.is_dir()) == []


@pytest.mark.slow
def test_a_version_of_rows_can_be_loaded_split_and_evaluated(dialogues: Path) -> None:
    from datasets import load_dataset

    version = dialogues / "out/datasets/talk/latest"
    files = {split: str(version / f"{split}.jsonl") for split in ("train", "test")}
    loaded = load_dataset("json", data_files=files, cache_dir=str(dialogues / "cache"))
    assert loaded["train"].column_names[:3] == ["id", "prompt", "response"]
    out = ["--output", dialogues / "out", "--json"]
    resplit = genset("split", version, "--ratios", "0.5,0.25,0.25", "--name", "again", *out)
    assert resplit.code == 0, resplit.stderr
    evaluated = genset("inspect", version, "--against", version, *out)
    assert evaluated.code == 0, evaluated.stderr
    assert evaluated.json["figures"]["exact_copies"] >= 0
    assert evaluated.json["figures"]["real_acc"] > 0.5


@pytest.mark.slow
def test_a_text_from_the_command_line_is_varied(dialogues: Path) -> None:
    out = ["--output", dialogues / "out", "--json", "--near-copies", "keep", "--wrong-labels", "keep"]
    text = json.dumps({"prompt": "Are you sad?", "response": "No, I am happy."})
    rejected = genset("generate", "talk", "--like", "Are you sad?", *out)
    assert rejected.stderr == (
        "genset: Are you sad?: cannot be read: an item consists of prompt and response: write it as a JSON object with these "
        "keys\n  Give --like a file with one text, or the text itself.\n"
    )
    synthetic = genset("generate", "talk", "--like", text, "--label", "emotion", "-n", "4", "--name", "like", *out)
    assert synthetic.code == 0, synthetic.stderr
    rows = rows_of(dialogues / "out/datasets/like/latest/train.jsonl")
    assert len(rows) == 4
    assert {row["label"] for row in rows} == {"emotion"}
    assert all(json.loads(row["transform"])[0]["vary"] == 0.3 for row in rows)


@pytest.mark.slow
def test_the_temperature_of_one_command_is_recorded_and_changes_the_items(dialogues: Path) -> None:
    out = ["--output", dialogues / "out", "--json", "--near-copies", "keep", "--wrong-labels", "keep"]
    for name, extra in (("as-is", []), ("cold", ["generate.sampling.temperature=0.3"])):
        synthetic = genset("generate", "talk", *extra, "--per-class", "5", "--name", name, *out)
        assert synthetic.code == 0, synthetic.stderr
    plain, cold = (rows_of(dialogues / f"out/datasets/{name}/latest/train.jsonl") for name in ("as-is", "cold"))
    assert json.loads(cold[0]["transform"])[0]["sampling"] == {"temperature": 0.3}
    assert not {row["id"] for row in plain} & {row["id"] for row in cold}


@pytest.fixture(scope="module")
def untrained_gan() -> tuple[Text, Any]:
    """A modality that knows its tokens, and untrained networks with a decoder and a discriminator."""
    import keras

    from genset.models import FAMILIES

    keras.utils.set_random_seed(0)
    modality = Text(TextSettings(max_bytes=20)).fitted(
        codec.encode_all(["abc abd", "ab"] * 20, 20), np.zeros(40, np.int64)
    )
    rule = FAMILIES["gan"](kind="gan", space="items").for_modality(Text)
    return modality, rule.build(modality, modality.networks["gru"](kind="gru", width=8), 3, 2)


def test_tokens_drawn_for_a_discriminator_equal_those_of_the_exported_models(
    untrained_gan: tuple[Text, Any],
) -> None:
    modality, nets = untrained_gan
    rng = np.random.default_rng(0)
    z, label = rng.normal(0, 9, (30, 3)).astype(np.float32), np.eye(2, dtype=np.float32)[np.arange(30) % 2]
    noise = np.ones_like(modality.draw_noise(rng, 30)["exponential"])  # none: the likeliest token
    synthetic = nets.network.generate(nets, {"z": z, "label": label, "exponential": noise})
    models = {
        name: lambda *arrays, model=model: [np.array(out) for out in model(list(arrays))]
        for name, model in nets.network.exported(nets, modality).items()
    }
    cold = token_sampling.TokenSampling(temperature=0)
    expected = token_sampling.generate_tokens(
        models, z, label, [np.random.default_rng(n) for n in range(30)], synthetic.shape[1], cold
    )
    assert np.asarray(nets.network.items(synthetic)).tolist() == expected.tolist()
    assert set(np.unique(synthetic)) == {0, 1}
    assert len(np.unique(expected)) > 3


def test_gradients_of_a_discriminator_reach_a_generator_of_tokens(untrained_gan: tuple[Text, Any]) -> None:
    import tensorflow as tf

    modality, nets = untrained_gan
    rng = np.random.default_rng(0)
    label = tf.one_hot([0, 1, 0, 1], 2)
    z = tf.constant(rng.normal(size=(4, 3)), tf.float32)
    weights = nets["decoder"].trainable_variables
    with tf.GradientTape() as tape:
        synthetic = nets.network.generate(nets, {"z": z, "label": label, **modality.draw_noise(rng, 4)})
        score = nets["discriminator"]([synthetic, label])
    gradients = tape.gradient(score, weights)
    assert all(np.abs(np.asarray(tf.convert_to_tensor(gradient))).max() > 0 for gradient in gradients)


def test_noise_on_tokens_and_on_their_one_hot_rows_is_equal(untrained_gan: tuple[Text, Any]) -> None:
    modality, nets = untrained_gan
    ids = modality.to_tensor(codec.encode_all(["abc abd", "ab", "abd abc ab"], 20))
    drawn = modality.draw_perturbation(np.random.default_rng(1), 3, strong=True)
    rows = modality.perturb(nets.network.real(modality, ids), drawn)
    changed = np.asarray(modality.perturb(ids, drawn))
    assert (np.asarray(nets.network.items(rows)) == changed).all()
    assert (changed != ids).any()


def test_texts_within_one_word_of_a_known_text_are_near_copies() -> None:
    known = ["the cat sat on the mat", "Anna", "我喜欢这本书"]
    near = ["The cat sat on a mat", "the cat sat on mat", "the fat cat sat on the mat", "Anne", "我喜欢这本"]
    far = ["a cat sat on a mat", "on the mat the cat sat", "the cat", "Anneli", "我不喜欢那本书"]
    assert metrics.within_one_word([*near, *far], known).tolist() == [True] * 5 + [False] * 5


def test_a_vae_reports_how_much_its_code_tells() -> None:
    from genset.models.vae import VAE

    modality = Text(TextSettings())
    rows = {"kl_loss": 9.0, "reconstruction_loss": 27.0}
    assert VAE().notes(rows, modality) == (("information", "z holds 9.0 of the 36.0 nats of an item (25%)"),)
    ((kind, text),) = VAE().notes({"kl_loss": 0.5, "reconstruction_loss": 49.5}, modality)
    assert kind == "collapsed_codes"
    assert text.startswith("z holds 0.5 of the 50.0 nats of an item (1%)")


@pytest.mark.slow
def test_texts_on_a_model_page_differ_only_by_their_codes(dialogues: Path) -> None:
    root = Root(dialogues / "out")
    job = Job("inspect", root, Local(workers=1), Progress.silent())
    opened = ModelInsights.open(lookup(root, "models", "talk"), job)
    code = opened.sampled_codes()[1][:1]
    same = opened.decode(np.repeat(code, 9, axis=0), [opened.model.classes[0]] * 9)
    assert len(np.unique(same, axis=0)) == 1
