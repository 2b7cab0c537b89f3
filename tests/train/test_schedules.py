import pytest

pytest.importorskip("stable_baselines3")

from tests.train.test_ppo import ROLLOUT, TINY, TOTAL, Rates, interrupt, resumed, tiny  # noqa: F401
from train.hyperparameters.rl_zoo3 import in_zoo_terms
from train.hyperparams import check_hyperparameters, ppo_arguments, ppo_callbacks


class Weights(Rates):
    """The weights of the entropy that the updates so far were made with."""

    def _on_rollout_start(self):
        if self.num_timesteps:
            self.seen.append(self.model.ent_coef)


FALLING = {**TINY, "ent_coef": "lin_0.1"}
RISING = {**TINY, "gae_lambda": 0.9, "final_gae_lambda": 1.0, "settled": 0.5}


def test_the_weight_of_the_entropy_falls_to_zero():
    weights = Weights()
    run = tiny(hyperparameters=FALLING, callback=weights)
    assert weights.seen == pytest.approx([0.1 * (1 - ROLLOUT * k / TOTAL) for k in range(1, 10)])
    assert run.model.ent_coef == 0.0


def test_it_may_be_zero_before_the_end():
    weights = Weights()
    tiny(hyperparameters={**FALLING, "settled": 0.5}, callback=weights)
    assert weights.seen == pytest.approx([0.1 * max(1 - 2 * ROLLOUT * k / TOTAL, 0.0) for k in range(1, 10)])


def test_a_number_stays():
    weights = Weights()
    tiny(hyperparameters={**TINY, "ent_coef": 0.1}, callback=weights)
    assert set(weights.seen) == {0.1}
    assert ppo_callbacks({"ent_coef": 0.1}) == ppo_callbacks({}) == []


def test_it_is_translated_and_checked():
    assert ppo_arguments({"ent_coef": "lin_0.02"})["ent_coef"] == 0.02
    entry = in_zoo_terms({"policy": "MlpPolicy", "ent_coef": "lin_0.02"})
    assert entry["ent_coef"] == 0.02
    assert entry["callback"] == [{"train.schedules.EntropySchedule": {"start": 0.02, "until": 1.0}}]
    for value in ("lin_-1", "lin_x", -0.1, "0.1"):
        with pytest.raises(ValueError, match="ent_coef must be a number of at least 0, or 'lin_<number>'"):
            check_hyperparameters({"ent_coef": value})


class Lambdas(Rates):
    """Those that the advantages so far were computed with."""

    def _on_rollout_end(self):
        self.seen.append(self.model.rollout_buffer.gae_lambda)

    def _on_rollout_start(self):
        pass


def test_lambda_rises_and_stays():
    lambdas = Lambdas()
    tiny(hyperparameters=RISING, callback=lambdas)
    assert lambdas.seen == pytest.approx([min(0.9 + 0.2 * ROLLOUT * k / TOTAL, 1.0) for k in range(10)])
    assert lambdas.seen[-1] == 1.0


@pytest.mark.parametrize("scheduled", [FALLING, RISING], ids=["entropy", "lambda"])
def test_a_resumed_run_goes_on_in_the_schedule(tmp_path, interrupt, scheduled):  # noqa: F811
    whole = tiny(hyperparameters=scheduled)
    interrupt(55)
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path, hyperparameters=scheduled)
    assert (resumed(tmp_path).curve.results == whole.curve.results).all()


def test_lambda_is_translated_and_checked():
    assert ppo_arguments({"final_gae_lambda": 1.0, "settled": 0.5}) == {}
    entry = in_zoo_terms({"policy": "MlpPolicy", "gae_lambda": 0.9, "final_gae_lambda": 1.0, "settled": 0.5})
    assert entry["callback"] == [{"train.schedules.LambdaSchedule": {"start": 0.9, "end": 1.0, "until": 0.5}}]
    assert not {"final_gae_lambda", "settled"} & entry.keys()
    for name, value in (("final_gae_lambda", 1.1), ("settled", 0.0)):
        with pytest.raises(ValueError, match=f"{name} must be a number"):
            check_hyperparameters({name: value})
