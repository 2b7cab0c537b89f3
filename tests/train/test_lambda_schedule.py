import pytest

pytest.importorskip("stable_baselines3")

from tests.train.test_ppo import ROLLOUT, TINY, TOTAL, Rates, interrupt, resumed, tiny  # noqa: F401
from train.hyperparameters.rl_zoo3 import in_zoo_terms
from train.hyperparams import check_hyperparameters, ppo_arguments


class Lambdas(Rates):
    """Those that the advantages so far were computed with."""

    def _on_rollout_end(self):
        self.seen.append(self.model.rollout_buffer.gae_lambda)

    def _on_rollout_start(self):
        pass


RISING = {**TINY, "gae_lambda": 0.9, "final_gae_lambda": 1.0, "settled": 0.5}


def test_lambda_rises_and_stays():
    lambdas = Lambdas()
    tiny(hyperparameters=RISING, callback=lambdas)
    assert lambdas.seen == pytest.approx([min(0.9 + 0.2 * ROLLOUT * k / TOTAL, 1.0) for k in range(10)])
    assert lambdas.seen[-1] == 1.0


def test_a_resumed_run_goes_on_in_the_schedule(tmp_path, interrupt):  # noqa: F811
    whole = tiny(hyperparameters=RISING)
    interrupt(55)
    with pytest.raises(KeyboardInterrupt):
        tiny(tmp_path, hyperparameters=RISING)
    assert (resumed(tmp_path).curve.results == whole.curve.results).all()


def test_it_is_translated_and_checked():
    assert ppo_arguments({"final_gae_lambda": 1.0, "settled": 0.5}) == {}
    entry = in_zoo_terms({"policy": "MlpPolicy", "gae_lambda": 0.9, "final_gae_lambda": 1.0, "settled": 0.5})
    assert entry["callback"] == [{"train.lambda_schedule.LambdaSchedule": {"start": 0.9, "end": 1.0, "until": 0.5}}]
    assert not {"final_gae_lambda", "settled"} & entry.keys()
    for name, value in (("final_gae_lambda", 1.1), ("settled", 0.0)):
        with pytest.raises(ValueError, match=f"{name} must be a number"):
            check_hyperparameters({name: value})
