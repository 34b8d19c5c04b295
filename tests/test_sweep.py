"""genset run --sweep: many runs in one command."""

from pathlib import Path

import pytest

from genset.cli.sweep import sweep_runs
from genset.errors import GensetError
from tests.helpers import config, digits, genset


def test_overrides_with_commas_give_every_combination_with_its_own_name() -> None:
    overrides = ["model.latent_dim=16,32", "train.steps=5", "model.family=ae,{kind: vae, kl_weight: 0.5}"]
    runs = sweep_runs("digits", overrides)
    assert [dict(each.values) for each in runs] == [
        {"model.latent_dim": dim, "model.family": family}
        for dim in ("16", "32")
        for family in ("ae", "{kind: vae, kl_weight: 0.5}")
    ]
    assert runs[1].overrides == (
        "model.latent_dim=16",
        "train.steps=5",
        "model.family={kind: vae, kl_weight: 0.5}",
        "name=digits-16-kind_vae_kl_weight_0.5",
    )
    lists = sweep_runs("digits", ["augment.steps=[flip, blur],[noise]", "name=other"])
    assert [dict(each.values) for each in lists] == [{"augment.steps": "[flip, blur]"}, {"augment.steps": "[noise]"}]
    assert [each.overrides[-1] for each in lists] == ["name=other-flip_blur", "name=other-noise"]
    signs = sweep_runs("digits", ["quality.gates=['a, b'],['c']", "seed=1,1"])
    assert [each.overrides[-1] for each in signs] == [
        "name=digits-a_b-1",
        "name=digits-a_b-1-2",
        "name=digits-c-1",
        "name=digits-c-1-2",
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.steps=5"], "--sweep: nothing to sweep: no override has alternatives\n  Write them with commas, such as "
         "model.latent_dim=16,32 model.family=ae,vae."),
        (["name=a,b"], "--sweep: name cannot vary: each run gets its own\n  Give one name, or none."),
    ],
)  # fmt: skip
def test_invalid_sweeps_are_errors(overrides: list[str], message: str) -> None:
    with pytest.raises(GensetError) as caught:
        sweep_runs("digits", overrides)
    assert str(caught.value) == message


def test_an_invalid_setting_of_any_run_is_reported_before_the_first_run(tmp_path: Path) -> None:
    path = config(tmp_path, digits(tmp_path / "digits", 12, "01"))
    outcome = genset("run", path, "--sweep", "model.family=ae,vea", "--output", tmp_path / "out")
    assert outcome.code == 2
    assert "model.family" in outcome.stderr
    assert "(did you mean `vae`?)" in outcome.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_every_combination_runs_and_failed_runs_are_reported(tmp_path: Path) -> None:
    path = config(tmp_path, digits(tmp_path / "digits", 12, "01"), train={"steps": 120})
    keep = "generate={per_class: 4, near_copies: keep, wrong_labels: keep}"
    gates = "quality.gates=[],['n_made >= 1']"
    options = ["--output", tmp_path / "out"]
    refused = genset("run", path, "--sweep", gates, "--dry-run", *options)
    assert (refused.code, refused.stderr) == (
        2,
        "genset: --sweep: --dry-run does not work with several runs\n  Leave --dry-run out.\n",
    )
    outcome = genset("run", path, "--sweep", keep, "quality.gates=[],['density >= 100']", "--json", *options)
    assert outcome.code == 1, outcome.stderr
    plain, gated = outcome.json["sweep"]
    assert (plain["exit_code"], gated["exit_code"]) == (0, 1)
    assert plain["settings"] == {"quality.gates": "[]"}
    assert plain["version"]["name"] == "digits-none"
    assert gated["failed_gates"]
    assert plain["figures"] == gated["figures"]
    again = genset("run", path, "--sweep", keep, "quality.gates=[],['density >= 100']", *options)
    assert again.code == 1
    head = next(line for line in again.stdout.splitlines() if "cas_ratio" in line)
    assert head.split() == ["gates", "cas_ratio", "lift", "label_ratio", "copies", "dataset", "fault"]
    assert "1 gate failed" in again.stdout
    assert f"next: genset inspect {gated['version']['path']} --against {plain['version']['path']}\n" in again.stdout
