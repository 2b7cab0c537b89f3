"""One dealer among rivals with rules: an ordinary Gymnasium id; and what is best against them."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from baselines import POLICIES, make_policy, rival, solve
from baselines.evaluation.scores import objective
from baselines.evaluation.totals import Totals
from baselines.policies.threshold import ThresholdPolicy
from baselines.solver.best_response import best_response, exploitability, response_value
from mm_env import DealersParams, market_params, play_dealers
from mm_env.envs.action import encode_action
from mm_env.envs.dealers_market import DEALERS_DEFAULTS
from mm_env.envs.observation import decode_observation, observation_names, observation_space
from tests.envs.test_hedging_vector_env import assert_play_alike
from tests.markets import WINDOWLESS

ID = "mm_env/DealerVsRules-v0"


class TestEnvironment:
    def test_gymnasium_accepts_it(self):
        check_env(gym.make(ID).unwrapped, skip_render_check=WINDOWLESS)

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_stable_baselines3_accepts_it(self):
        pytest.importorskip("stable_baselines3.common.env_checker").check_env(gym.make(ID).unwrapped, warn=True)

    @pytest.mark.parametrize(
        "changes",
        [
            {"rivals": ["threshold:2"]},
            {"rivals": ["linear-skew", "glft:3", "band:4:2"], "hedge_latency": 1},
            {"rivals": ["avellaneda-stoikov", "cartea-jaimungal"], "continuous": True, "risk_aversion": 0.1},
            {"rivals": ["threshold:1", "linear-skew:0.01"], "hedge_action": "units", "flow_persistence": 0.5},
            {"rivals": ["linear-skew"], "mean_reversion": 0.1, "volatility_regimes": (0.1, 0.4)},
        ],
    )
    @pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
    def test_the_vector_is_gymnasiums_own_of_singles(self, mode, changes):
        short = {"num_trades": 7, "transparent": True, **changes}
        single = SyncVectorEnv([lambda: gym.make(ID, **short)] * 4, autoreset_mode=mode)
        ours = gym.make_vec(ID, num_envs=4, vectorization_mode="vector_entry_point", autoreset_mode=mode, **short)
        assert single.observation_space == ours.observation_space
        assert_play_alike(single, ours, 20)

    def test_what_is_wrong_is_refused(self):
        with pytest.raises(ValueError, match="rivals must be a list"):
            gym.make(ID, rivals="threshold:3")
        with pytest.raises(ValueError, match="rivals must be a list"):
            gym.make(ID, rivals=[])
        with pytest.raises(ValueError, match="rivals must be a list"):
            gym.make(ID, rivals=None)
        with pytest.raises(ValueError, match="policy must be callable"):
            gym.make(ID, rivals=[3])
        with pytest.raises(ValueError, match="has rivals"):
            market_params(ID)
        with pytest.raises(ValueError, match="no policy 'thresold'"):
            gym.make(ID, rivals=["thresold"])
        with pytest.raises(ValueError, match="rivals must be 4 for num_dealers=5, got 2"):
            gym.make(ID, num_dealers=5)
        env = gym.make(ID)
        env.reset(seed=0)
        with pytest.raises(ValueError, match="action must have shape"):
            env.step(3)


@pytest.mark.parametrize("rivals", [["threshold:3", "threshold:10"], ["linear-skew", "threshold:3"]])
@pytest.mark.parametrize("changes", [{}, {"transparent": True, "hedge_latency": 1, "view_noise": 0.01}])
def test_a_step_is_the_same_recorded_or_not_and_where_the_law_runs_as_it_stands(rivals, changes):
    arguments = {"num_trades": 9, "rivals": rivals, **changes}
    plain = gym.make(ID, **arguments)
    for others in ({"render_mode": "ansi"}, {"compiled": False}, {"compiled": False, "render_mode": "ansi"}):
        twin = gym.make(ID, **arguments, **others)
        assert_play_alike(SyncVectorEnv([lambda: plain]), SyncVectorEnv([lambda env=twin: env]), 20)


def test_rivals_who_react_are_asked_at_every_step():
    params = two(num_trades=7)
    reacting = Reacting(params, ["won", "best_quote"])
    short = {"num_trades": 7, "inventory_limit": 6, "rivals": [reacting]}
    assert_play_alike(SyncVectorEnv([lambda: gym.make(ID, **short)] * 4), gym.make_vec(ID, num_envs=4, **short), 20)


def test_what_is_remembered_of_rivals_is_bounded_and_changes_nothing(monkeypatch):
    short = {"num_trades": 7, "rivals": ["linear-skew"]}
    monkeypatch.setattr(rival, "_MOST_KNOWN", 20)
    forgetful = gym.make(ID, **short)
    assert_play_alike(SyncVectorEnv([lambda: forgetful]), gym.make_vec(ID, num_envs=1, **short), 100)
    (seat,) = forgetful.unwrapped._seats
    assert 0 < len(seat._known) * 7 <= 20 + 7


@pytest.mark.parametrize("name", POLICIES)
def test_a_rule_that_minds_no_rival_looks_at_none(name):
    params = two(transparent=True)
    try:
        rule = make_policy(name, params)
    except ValueError:  # what the solver does not take
        return
    if getattr(rule, "minds_rivals", True):
        return
    columns = [observation_names(params).index(column) for column in ("won", "best_quote", "rival_1")]
    seen = np.stack([observation_space(params).sample() for _ in range(200)])
    other = seen.copy()
    other[:, columns] = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    np.testing.assert_array_equal(rule(seen), rule(other))


def test_rivals_who_draw_begin_anew_with_a_seed():
    env = gym.make(ID, rivals=["random"])

    def played():
        env.reset(seed=3)
        return [env.step([3, 4])[1] for _ in range(50)]

    assert played() == played()


class Skew:
    """Quotes that depend on inventory, so that a rival's best answer does."""

    def __init__(self, params):
        self.params = params

    def __call__(self, observations):
        view = decode_observation(observations, self.params)
        return encode_action(4, observations, self.params, 0.02 - view.request.side * view.inventory * 0.01)


def two(**changes):
    return DealersParams.from_mapping(
        {**DEALERS_DEFAULTS, "num_dealers": 2, "inventory_limit": 6, "num_trades": 30, **changes}
    )


CASES = {
    "a fixed quote": (two(inventory_limit=20), lambda p: [ThresholdPolicy(3, p, 0.03)]),
    "equal fixed quotes": (
        two(inventory_limit=20, num_dealers=4),
        lambda p: [ThresholdPolicy(k, p, 0.03) for k in (0, 2, 5)],
    ),
    "unequal fixed quotes, the tightest last": (
        two(inventory_limit=20, num_dealers=4),
        lambda p: [ThresholdPolicy(k, p, quote) for k, quote in ((0, 0.05), (2, 0.04), (5, 0.03))],
    ),
    "a rival with a cap": (two(transparent=True), lambda p: [ThresholdPolicy(6, p, 0.02)]),
    "a rival who skews": (two(transparent=True), lambda p: [Skew(p)]),
    "runs, sizes and missing clients": (
        two(
            transparent=True,
            flow_persistence=0.5,
            arrival_probability=0.9,
            tiers=[{"decay": 30.0, "sizes": [1, 2]}],
            num_trades=12,
        ),
        lambda p: [Skew(p)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_best_response_proved_by_play(case):
    params, make = CASES[case]
    rivals = make(params)
    best = best_response(params, rivals)
    assert response_value(best, params, rivals) == pytest.approx(best.value, rel=1e-12)
    played = objective(Totals.of(play_dealers([best, *rivals], params, 4000, seed=7)[0]))
    assert abs(played.value - best.value) <= 4 * played.standard_error
    for other in (make_policy("threshold:2", params), ThresholdPolicy(3, params, 0.03), make_policy("never", params)):
        assert response_value(other, params, rivals) <= best.value + 1e-12


def test_the_value_of_a_rule_among_rivals_proved_by_play():
    params = two(transparent=True)
    rule, rival = ThresholdPolicy(2, params, 0.03), Skew(params)
    played = objective(Totals.of(play_dealers([rule, rival], params, 6000, seed=8)[0]))
    assert abs(played.value - response_value(rule, params, [rival])) <= 4 * played.standard_error


def test_a_rival_whom_nobody_wants_leaves_the_market_to_one():
    params = two(inventory_limit=20, num_trades=100)
    best = best_response(params, [ThresholdPolicy(3, params, 0.15)])
    assert best.value == pytest.approx(solve(params.alone()).value, rel=1e-3)


def test_no_rule_is_an_equilibrium_here():
    params = two(transparent=True)
    assert exploitability(ThresholdPolicy(3, params, 0.04), params) > 0.1


class Remembers:
    """Quotes by its inventory, and hedges everything if the trade that it was asked about before was an earlier one."""

    def __init__(self, params):
        self.params, self.now, self.before = params, 0.0, 0.0

    def __call__(self, observations):
        seen = dict(zip(observation_names(self.params), observations.T, strict=True))
        if seen["time_left"][0] != self.now:
            self.now, self.before = seen["time_left"][0], self.now
        kept = 0 if self.before > self.now else self.params.inventory_limit
        quotes = np.where(seen["inventory"] > 0, 0.02, 0.04)
        return encode_action(np.full(len(observations), kept), observations, self.params, quotes)


class Reacting(Skew):
    """Quotes 0.06 after a win, or after a quote above 0.05, or when a rival is long; and 0.02 otherwise."""

    def __init__(self, params, reacts):
        super().__init__(params)
        self.reacts = reacts

    def __call__(self, observations):
        observed = decode_observation(observations, self.params).observed
        reasons = {"won": observed.won == 1, "best_quote": observed.best_quote > 0.05}
        reasons["rival_1"] = np.zeros(len(observations)) if not observed.rivals else observed.rivals[0] > 3
        wide = np.any([reasons[name] for name in self.reacts], axis=0)
        return encode_action(4, observations, self.params, np.where(wide, 0.06, 0.02))


class LateHour(Skew):
    """Quotes the same but in the middle of the episode."""

    def __call__(self, observations):
        left = decode_observation(observations, self.params).trades_left
        return encode_action(1, observations, self.params, np.where(left == 15, 0.06, 0.02))


class TestWhatIsNotAFunctionOfTheState:
    @pytest.mark.parametrize("transparent", [False, True])
    @pytest.mark.parametrize("reacts", [["won"], ["best_quote"], ["won", "best_quote"]])
    def test_rivals_who_react_to_the_last_trade_are_refused_by_name(self, transparent, reacts):
        params = two(transparent=transparent)
        with pytest.raises(ValueError, match=f"dealer_1 reacts to {' and '.join(reacts)}, which"):
            best_response(params, [Reacting(params, reacts)])
        with pytest.raises(ValueError, match="reacts to"):
            exploitability(Reacting(params, reacts), two(transparent=transparent))

    def test_so_is_a_policy_that_is_valued(self):
        params = two(transparent=True)
        with pytest.raises(ValueError, match="dealer_0 reacts to won, which"):
            response_value(Reacting(params, ["won"]), params, [Skew(params)])
        with pytest.raises(ValueError, match="dealer_0 reacts to rival_1, which"):  # of rivals without a state
            response_value(Reacting(params, ["rival_1"]), params, [ThresholdPolicy(0, params, 0.03)])
        assert response_value(Reacting(params, ["rival_1"]), params, [Skew(params)])

    def test_who_quotes_otherwise_once_does_not_quote_always_the_same(self):
        with pytest.raises(ValueError, match="transparent=False"):
            best_response(two(), [LateHour(two())])
        params = two(transparent=True)
        best = best_response(params, [LateHour(params)])
        played = objective(Totals.of(play_dealers([best, LateHour(params)], params, 4000, seed=7)[0]))
        assert abs(played.value - best.value) <= 4 * played.standard_error

    def test_who_mind_each_other_are_not_without_a_state(self):
        params = two(num_dealers=3, transparent=True)
        with pytest.raises(ValueError, match="num_dealers=3, transparent=True"):
            best_response(params, [ThresholdPolicy(0, params, 0.03), Reacting(params, ["rival_1"])])

    def test_who_draws_is_refused(self):
        params = two(transparent=True)
        for value in (best_response, lambda p, rivals: exploitability(rivals[0], p)):
            with pytest.raises(ValueError, match="asked twice about the same"):
                value(params, [make_policy("random", params)])

    def test_who_remembers_is_refused(self):
        """As the programme goes, backwards in time, each is a function of what it is asked; as an episode goes, not."""
        params = two(transparent=True)
        with pytest.raises(ValueError, match="once it has seen other trades"):
            best_response(params, [Remembers(params)])
        with pytest.raises(ValueError, match="once it has seen other trades"):
            response_value(Remembers(params), params, [Reacting(params, ["rival_1"])])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"view_noise": 0.1}, "view_noise=0.1"),
        ({"hedge_latency": 1}, "hedge_latency=1"),
        ({"hedge_action": "units"}, "hedge_action='units'"),
        ({"mean_reversion": 0.1}, "mean_reversion=0.1"),
        ({}, "transparent=False"),
        ({"num_dealers": 1}, "rivals must be num_dealers - 1"),
        ({"continuous": True}, "continuous=True"),
    ],
)
def test_what_cannot_be_solved_is_refused_by_name(changes, message):
    params = two(**changes)
    with pytest.raises(ValueError, match=message):
        best_response(params, [Skew(params)])
