import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback

from train import train_ppo
from train.algorithms import train_algorithm
from train.dealer import train_dealer
from train.runs.callbacks import callback_list

SMALL = {"n_envs": 8, "n_steps": 10, "batch_size": 40}


class Count(BaseCallback):
    steps = 0

    def _on_step(self):
        self.steps += 1
        return True


def learners():
    short = {"total_timesteps": 80}
    quick = {"hyperparameters": {**SMALL, "n_epochs": 1}, "progress": False, **short}
    yield lambda callback: train_ppo(
        env_kwargs={"num_trades": 10}, eval_episodes=10, eval_freq=80, callback=callback, **quick
    )
    yield lambda callback: train_dealer("mm_env/Dealers-v0", ["threshold:3"] * 2, callback=callback, **quick)
    yield lambda callback: train_algorithm("a2c", callback=callback, arguments={"n_envs": 8, "n_steps": 10}, **short)


@pytest.mark.parametrize("learn", list(learners()))
def test_every_form_that_stable_baselines3_takes(learn):
    one, listed, called = Count(), CallbackList([Count()]), []
    learn([one, listed, lambda given, _: called.append(given["self"]) or True])
    assert one.steps == listed.callbacks[0].steps == len(called) == 10


def test_one_or_none():
    one = Count()
    assert callback_list(None) == []
    assert callback_list(one) == [one]
    assert [type(each) for each in callback_list(lambda *_: True)] == [ConvertCallback]


@pytest.mark.parametrize("callback", ["progress", [Count(), 3]])
def test_what_cannot_be_called_is_refused(callback):
    with pytest.raises(ValueError, match="callback must be"):
        callback_list(callback)
