"""The config: every fault at once with its line, overrides, and a resolved form that reads back to itself."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from genset.config import loading
from genset.config.json_schema import config_schema
from genset.config.yaml_reader import ConfigError

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
GOOD = "name: digits\nmodality: image\ndata: {source: here}\n"

BROKEN = {
    "unknown key": ("nmae: x\n", ["4:1: nmae: unknown key (did you mean `name`?)"]),
    "unknown key in a section": ("train: {second: 5}\n", ["4:9: train.second: unknown key (did you mean `seconds`?)"]),
    "unknown key in a kind": (
        "model:\n  family: {kind: vae, kl_wieght: 2}\n",
        ["5:23: model.family.kl_wieght: unknown key (did you mean `kl_weight`?)"],
    ),
    "unknown family": (
        "model: {family: vea}\n",
        ["4:9: model.family: must be one of vae, ae, gan; got 'vea' (did you mean `vae`?)"],
    ),
    "unknown network": ("model: {network: lstm}\n", ["4:9: model.network: must be one of conv, mlp; got 'lstm'"]),
    "unknown step": (
        "augment:\n  steps: [flip, {kind: spin}]\n",
        [
            "5:17: augment.steps[1]: must be one of flip, flip_vertical, rotate, shift, zoom, affine, perspectiv"
            "e, random_resized_crop, elastic, brightness, contrast, gamma, hue, saturation, posterise, invert, "
            "blur, sharpen, noise, jpeg, erase, mixup, cutmix, latent_mix, rand_augment, trivial_augment, one_of, some_of, all_of; "
            "got 'spin'"
        ],
    ),
    "faults inside of steps that choose among steps": (
        "augment:\n  steps:\n    - one_of: [flip, {kind: rotate, degres: 5}]\n    - {some_of: [flip, blur], count: 5}\n"
        "    - {some_of: [flip, blur], count: [2, 1]}\n    - {kind: flip, not_for: [6]}\n    - {one_of: []}\n",
        [
            "6:37: augment.steps[0].one_of[1].degres: unknown key (did you mean `degrees`?)",
            "7:7: augment.steps[1]: count: cannot choose 5 of 2 steps",
            "8:7: augment.steps[2]: count: the minimum (2) must not be above the maximum (1)",
            '9:30: augment.steps[3].not_for[0]: must be text, got 6: write "6"',
            "10:8: augment.steps[4].one_of: must not be empty",
        ],
    ),
    "a step that is nearly one": (
        "augment: {steps: [{one_off: [flip]}]}\n",
        [
            "4:19: augment.steps[0]: must be one of flip, flip_vertical, rotate, shift, zoom, affine, perspectiv"
            "e, random_resized_crop, elastic, brightness, contrast, gamma, hue, saturation, posterise, invert, "
            "blur, sharpen, noise, jpeg, erase, mixup, cutmix, latent_mix, rand_augment, trivial_augment, one_of, some_of, all_of; "
            "got 'one_off' (did you mean `one_of`?)"
        ],
    ),
    "shrinking to nothing": ("balance: {shrink: true}\n", ["4:1: balance: shrink needs a target: set balance.target"]),
    "wrong type": ("seed: abc\n", ["4:1: seed: must be a whole number, got 'abc'"]),
    "a boolean is no number": ("seed: true\n", ["4:1: seed: must be a whole number, got true"]),
    "text for a list": ("split: {ratios: 0.8}\n", ["4:9: split.ratios: must be a list, got 0.8"]),
    "ratios that do not add up": (
        "split: {ratios: [0.5, 0.1, 0.1]}\n",
        ["4:9: split.ratios: must add up to 1, adds up to 0.7"],
    ),
    "two ratios": ("split: {ratios: [0.8, 0.2]}\n", ["4:9: split.ratios[2]: the list is too short: it has 2 values"]),
    "a renamed key": ("split: {by: [side]}\n", ["4:9: split.by: this key is now called 'stratify'"]),
    "a renamed key of balance": (
        "balance: {target: max, most_copies: 5}\n",
        ["4:24: balance.most_copies: this key is now called 'max_copies'"],
    ),
    "no training fraction": (
        "split: {ratios: [0, 0.5, 0.5]}\n",
        ["4:9: split.ratios: the training fraction must not be 0"],
    ),
    "two budgets": (
        "train: {steps: 3, epochs: 2}\n",
        ["4:1: train: give one of seconds, steps and epochs, not steps and epochs"],
    ),
    "another budget than was planned": (
        "train: {steps: 90, step_plan: [[[0, 100], [50, 70]]]}\n",
        ["4:1: train: step_plan has 70 steps in total: set steps to 70, or remove step_plan"],
    ),
    "plans out of order": (
        "train: {steps: 70, step_plan: [[[0, 40], [50, 70]]]}\n",
        ["4:1: train: step_plan: each stage needs its plans in order, the first from step 0, each before the end"],
    ),
    "a budget of nothing": ("train: {seconds: 0}\n", ["4:9: train.seconds: must be greater than 0, got 0"]),
    "YAML's no": ("augment: {copies: no}\n", ["4:11: augment.copies: must be a whole number, got 'no'"]),
    "a group that is no pattern": (
        "clean: {}\nquality: {gates: [cas >> 1]}\n",
        [
            "5:19: quality.gates[0]: must be FIGURE OPERATOR NUMBER, such as `cas_ratio >= 0.9`; operators: >= <= == > <; "
            "got 'cas >> 1'"
        ],
    ),
    "unknown figure": (
        "quality: {gates: [cas_rato >= 1]}\n",
        [
            "4:19: quality.gates[0]: no such figure: 'cas_rato' (did you mean `cas_ratio`?); use one of real_acc, cas, "
            "cas_ratio, both_acc, augmented_acc, lift, lift_low, lift_high, label_acc, label_ratio, frechet, frechet_floor, "
            "frechet_ratio, kernel_distance, precision, recall, density, coverage, vendi, vendi_ratio, distinct, copies, "
            "dcr_share, authenticity, c_t, mia_auc, mia_tpr, label_ratio_ceiling, frechet_ratio_ceiling, coverage_ceiling"
        ],
    ),
    "an alias of itself": ("generate: &a [*a]\n", ["1:1: nested too deeply"]),
    "a kind that is a list": (
        "model: {family: {kind: [vae]}}\n",
        ["4:9: model.family: must be one of vae, ae, gan; got a list"],
    ),
    "an old prior": ("model: {prior: kernel}\n", ["4:9: model.prior: 'kernel' is now called 'kde'"]),
    "old keys of a model": (
        "model: {family: {kind: gan, anchor: 1.0, perturb: true}}\n",
        [
            "4:29: model.family.anchor: this key is now called 'reconstruction_weight'",
            "4:42: model.family.perturb: this key is now called 'diff_augment'",
        ],
    ),
    "old keys of autoencoders": (
        "model: {family: {kind: ae, perturb: true}}\n",
        ["4:28: model.family.perturb: this key is now called 'diff_augment'"],
    ),
    "old keys of a training": (
        "train: {steps: 5, revised: [[[0, 5]]], evaluations: [3]}\n",
        [
            "4:19: train.revised: this key is now called 'step_plan'",
            "4:40: train.evaluations: this key is now called 'validations'",
        ],
    ),
    "not finite": ("train: {seconds: 1e999}\n", ["4:9: train.seconds: must be a finite number, got inf"]),
    "balance": (
        "balance: {target: most}\n",
        ["4:11: balance.target: must be max, median, a whole number, or a whole number for each label, got 'most'"],
    ),
    "engine": ("engine: spark\n", ["4:1: engine: must be one of local, ray; got 'spark'"]),
    "a section that is none": ("train: fast\n", ["4:1: train: must be a section with keys, got 'fast'"]),
    "several at once": (
        "seed: -1\nmodel: {latent_dim: 0}\noutput: {fromat: folder}\n",
        [
            "4:1: seed: must be at least 0, got -1",
            "5:9: model.latent_dim: must be at least 1, got 0",
            "6:10: output.fromat: unknown key (did you mean `format`?)",
        ],
    ),
}


@pytest.mark.parametrize("text, faults", BROKEN.values(), ids=BROKEN.keys())
def test_every_fault_has_its_place_and_its_cure(tmp_path: Path, text: str, faults: list[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD + text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        loading.load(path)
    assert str(error.value).splitlines() == [f"{path}:{fault}" for fault in faults]


IMAGE_KEYS = {
    "shift": {"share": "max_shift"},
    "zoom": {"share": "max_zoom"},
    "affine": {"zoom": "max_zoom", "shift": "max_shift"},
    "perspective": {"share": "max_shift"},
    "random_resized_crop": {"share": "max_crop"},
    "elastic": {"share": "max_shift", "smooth": "sigma"},
    "brightness": {"share": "max_change"},
    "contrast": {"share": "max_change"},
    "gamma": {"share": "max_change"},
    "saturation": {"share": "max_change"},
    "blur": {"pixels": "sigma"},
    "sharpen": {"share": "max_amount"},
    "noise": {"share": "std"},
    "jpeg": {"lowest": "min_quality"},
    "erase": {"share": "max_side"},
}
SOUND_KEYS = {
    "gain": {"decibels": "max_gain_db"},
    "time_stretch": {"share": "max_stretch"},
    "noise": {"quietest": "max_snr_db", "loudest": "min_snr_db"},
    "filter": {"what": "type", "lowest": "min_hz", "highest": "max_hz"},
    "reverb": {"longest": "max_rt60_seconds"},
    "clipping": {"share": "min_threshold"},
    "lossy_codec": {"bits": "min_bits", "share": "min_rate"},
    "spec_augment": {"bands": "frequency_mask", "moments": "time_mask"},
    "mix": {"quietest": "max_snr_db", "loudest": "min_snr_db"},
}
TEXT_KEYS = {"latent_mix": {"share": "max_share"}}


@pytest.mark.parametrize(
    ("modality", "kind", "old", "new"),
    [
        (modality, kind, old, new)
        for modality, kinds in (("image", IMAGE_KEYS), ("sound", SOUND_KEYS), ("text", TEXT_KEYS))
        for kind, keys in kinds.items()
        for old, new in keys.items()
    ],
)
def test_an_old_key_of_a_transform_is_answered_with_the_new_one(
    tmp_path: Path, modality: str, kind: str, old: str, new: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        f"name: a\nmodality: {modality}\ndata: {{source: b}}\naugment: {{steps: [{{kind: {kind}, {old}: 1}}]}}\n"
    )
    with pytest.raises(ConfigError) as error:
        loading.load(path)
    (fault,) = str(error.value).splitlines()
    assert fault.endswith(f": augment.steps[0].{old}: this key is now called {new!r}")


@pytest.mark.parametrize(
    ("modality", "section", "fault"),
    [
        (
            "image",
            "augment: {steps: [crop_resize]}",
            "augment.steps[0]: 'crop_resize' is now called 'random_resized_crop'",
        ),
        ("sound", "augment: {steps: [degrade]}", "augment.steps[0]: 'degrade' is now called 'lossy_codec'"),
        ("sound", "augment: {steps: [mask]}", "augment.steps[0]: 'mask' is now called 'spec_augment'"),
        ("{kind: sound, lengths: own}", "", "modality.lengths: 'own' is now called 'variable'"),
        ("{kind: sound, lengths: equal}", "", "modality.lengths: 'equal' is now called 'fixed'"),
        (
            "sound",
            "generate: {sampling: {quietest_peak: -9}}",
            "generate.sampling.quietest_peak: this key is now called 'min_peak_db'",
        ),
        (
            "sound",
            "generate: {sampling: {loudest_peak: -9}}",
            "generate.sampling.loudest_peak: this key is now called 'max_peak_db'",
        ),
        ("{kind: text, longest_text: 9}", "", "modality.longest_text: this key is now called 'max_characters'"),
        ("{kind: text, length: 9}", "", "modality.length: this key is now called 'max_bytes'"),
        ("{kind: text, vocabulary: 99}", "", "modality.vocabulary: this key is now called 'vocabulary_size'"),
        ("{kind: text, longest: 9}", "", "modality.longest: this key is now called 'max_tokens'"),
        (
            "text",
            "generate: {sampling: {longest: 9}}",
            "generate.sampling.longest: this key is now called 'max_tokens'",
        ),
    ],
)
def test_old_words_of_a_modality_are_answered_with_the_new_ones(
    tmp_path: Path, modality: str, section: str, fault: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"name: a\nmodality: {modality}\ndata: {{source: b}}\n{section}\n")
    with pytest.raises(ConfigError) as error:
        loading.load(path)
    (line,) = str(error.value).splitlines()
    assert line.endswith(f": {fault}")


def test_required_keys_and_an_unknown_modality_are_reported_together(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("modality: imagge\ndata: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        loading.load(path)
    assert str(error.value).splitlines() == [
        f"{path}:1:1: modality: must be one of image, text, sound; got 'imagge' (did you mean `image`?)",
        f"{path}:1:1: name: required key is missing: add it",
        f"{path}:2:1: data.source: required key is missing: add it",
    ]


def test_a_fault_of_an_override_names_the_override(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        loading.load(path, ["train.steps=many"])
    assert str(error.value) == "train.steps=many: train.steps: must be a whole number, got 'many'"


@pytest.mark.parametrize("path", CONFIGS, ids=[path.name for path in CONFIGS])
def test_every_shipped_config_is_valid_and_reads_back_to_itself(path: Path, tmp_path: Path) -> None:
    loaded = loading.load(path)
    assert all(Path(source).is_dir() for source in loaded.data.source)
    resolved = tmp_path / "config.yaml"
    resolved.write_text(loading.dump(loaded), encoding="utf-8")
    assert loading.load(resolved) == loaded
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=../docs/config.schema.json\n")
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), config_schema())


@pytest.mark.parametrize("name", ["08", "1e3", "0x1f", "1_000", "12.5", "on", "null", "2026-11-23"])
def test_a_config_that_was_written_reads_to_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f'name: "{name}"\nmodality: image\ndata: {{source: "{name}"}}\n')
    first = loading.load(path)
    path.write_text(loading.dump(first))
    assert loading.load(path) == first


@pytest.mark.parametrize("section, valid", [
    ({"augment": {"steps": [{"one_of": [{"kind": "rotate", "degrees": 5, "only_for": ["7"]}, "flip"]}]}}, True),
    ({"augment": {"steps": [{"kind": "one_of", "one_of": [{"kind": "rotate", "degres": 5}]}]}}, False),
    ({"augment": {"steps": [{"kind": "flip", "p": 2}]}}, False),
    ({"augment": {"steps": [{"kind": "flip", "not_for": [7]}]}}, False),
    ({"model": {"family": {"kind": "gan", "space": "items"}}}, True),
    ({"model": {"family": {"kind": "gan", "spice": "items"}}}, False),
])  # fmt: skip
def test_the_schema_that_is_written_once_still_refuses_what_is_wrong(section: dict[str, object], valid: bool) -> None:
    values = {"name": "a", "modality": {"kind": "image"}, "data": {"source": ["x"]}, **section}
    assert jsonschema.Draft202012Validator(config_schema()).is_valid(values) == valid


def test_the_schema_in_docs_is_the_one_of_the_code() -> None:
    written = json.loads((ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8"))
    assert written == config_schema(), "run: python docs/generate.py"


def test_paths_start_at_the_config_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD + "output: {root: made}\n", encoding="utf-8")
    loaded = loading.load(path)
    assert (loaded.data.source, loaded.output.root) == ([str(tmp_path / "here")], str(tmp_path / "made"))
