"""CheckpointCallback: progress and checkpoints, so that an interrupted run goes on as if nothing had been."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from tqdm import tqdm

from train.runs.checkpoints import save_checkpoint
from train.runs.random_state import RandomState


class CheckpointCallback(BaseCallback):
    """A callback that acts between updates, when the model has learned from all the steps that it counts.

    Args:
        model: As it was made, or restored.
        folder: Of the run; None: keep nothing.
        total: Steps of the whole run.
        interval: Steps between checkpoints.
        progress: Show a progress bar, on a terminal.
        state: Where the random numbers of a resumed run stand.

    Attributes:
        learned: Steps learned from.
    """

    def __init__(
        self,
        model: PPO,
        folder: Path | None,
        total: int,
        interval: int,
        progress: bool,
        state: RandomState | None = None,
    ) -> None:
        super().__init__()
        self.model: PPO = model
        self.learned = self._saved = model.num_timesteps
        self._folder, self._interval = folder, interval
        self._resumed, self._state = state, state
        self._before_update: dict[str, Any] | None = None
        # tqdm's None: show it on a terminal only
        self._bar = tqdm(total=total, initial=self.learned, unit="step", disable=None if progress else True)

    def save_checkpoint(self) -> None:
        """Keep the model, unless it has learned nothing since it was kept; of an update under way, as it was before."""
        if self._folder is not None and self.learned != self._saved:
            if self._before_update is not None:
                self.model.set_parameters(self._before_update)
            save_checkpoint(self.model, self._folder, self.learned, self._state)
            self._saved = self.learned

    def close(self) -> None:
        """Leave the progress bar as it stands."""
        self._bar.close()

    def _between_updates(self, due: bool) -> None:
        """What else is done there; `due` once an interval."""

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._before_update = copy.deepcopy(self.model.get_parameters())

    def _on_rollout_start(self) -> None:
        self._before_update = None
        if self._resumed is not None:
            self._resumed.apply(self.model)
            self._resumed = None
        before, self.learned = self.learned, self.model.num_timesteps
        self._bar.update(self.learned - before)
        due = self.learned // self._interval > before // self._interval
        self._between_updates(due)
        self._state = RandomState.of(self.model)  # an evaluation of an OrdinalPolicy moves it
        if due:
            self.save_checkpoint()

    def _on_training_end(self) -> None:
        self._before_update = None
        self._state = None  # a run that is prolonged has another schedule, and draws anew
        self.learned = self.model.num_timesteps
        self.save_checkpoint()
