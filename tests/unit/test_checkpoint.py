"""A checkpoint belongs to exactly one training."""

from pathlib import Path

import numpy as np

from genset.models import checkpoint
from genset.models.checkpoint import TrainingState
from genset.models.schedule import TrainingPlan


def test_a_loaded_checkpoint_equals_the_saved_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    state = TrainingState(step=7, history=[{"step": 3.0}], notes=[], tuned_values=[0.5])
    groups = {"weights": [np.arange(3.0), np.eye(2, dtype=np.float32)], "empty": []}
    checkpoint.save(path, "key", TrainingPlan(()), state, groups)
    found = checkpoint.load(path, "key")
    assert found and found.plan == TrainingPlan(()) and found.state == state
    assert {name: [each.tolist() for each in group] for name, group in found.groups.items()} == {
        "weights": [[0.0, 1.0, 2.0], [[1.0, 0.0], [0.0, 1.0]]],
        "empty": [],
    }
    assert found.groups["weights"][1].dtype == np.float32


def test_another_training_and_a_missing_file_have_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    assert checkpoint.load(path, "key") is None
    checkpoint.save(path, "key", TrainingPlan(()), TrainingState(), {})
    assert checkpoint.load(path, "other") is None


def test_equal_trainings_have_equal_checkpoints(tmp_path: Path) -> None:
    for name in ("one", "two"):
        checkpoint.save(tmp_path / name, "key", TrainingPlan(()), TrainingState(step=2), {"w": [np.ones(4)]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_next_stage_begins_at_its_first_step_and_keeps_the_history() -> None:
    state = TrainingState(
        stage=0, step=40, earlier_steps=10, best_score=0.3, best_step=20, history=[{"step": 1.0}], stage_ended=True
    )
    following = state.next_stage()
    assert (following.stage, following.step, following.earlier_steps) == (1, 0, 50)
    assert (following.best_score, following.best_step, following.stage_ended) == (float("inf"), 0, False)
    assert following.history is state.history
