import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("stable_baselines3")

from baselines.evaluation.gap import Gap
from benchmarks import learning
from benchmarks.learning import Result, _print_markets, _print_seeds, bootstrap_interval, main
from mm_env import MARKETS, market_params


def test_shares_are_of_two_gaps():
    assert Gap(threshold=1.0, rule=2.0, optimum=3.0).shares(2.5) == (0.75, 0.5)


def test_the_best_rule_lies_between_the_ends():
    gap = Gap.of(market_params("mm_env/AdverseSelection-v0"))
    assert gap.threshold < gap.rule < gap.optimum
    assert gap.shares(gap.rule)[1] == 0.0


def made(market, seed, gap):
    value = 2.5 + seed / 10
    return Result(market, "ppo", "", seed, value, *gap.shares(value), 100, 7.0, 6.0, 0.2, 0.02)


def test_both_tables_show_every_share(capsys):
    gap = Gap(1.0, 2.0, 3.0)
    results = [made(market, seed, gap) for market in MARKETS for seed in range(3)]
    _print_seeds(gap, results[:3])
    _print_markets(dict.fromkeys(MARKETS, gap), results)
    shown = capsys.readouterr().out
    assert f"interquartile mean of {len(MARKETS)} markets 0.600, interval 0.5" in shown
    assert all(figure in shown for figure in ("2.7000", "0.8500", "0.7000"))
    assert all(market.removeprefix("mm_env/") in shown for market in MARKETS)
    assert shown.count("2.6 ± 0.2") == len(MARKETS) + 1  # the mean of 2.5, 2.6 and 2.7, t quantile 4.3 at 2 degrees


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--market", "all", "--out", "charts"], "--out draws one market"),
        (["--held"], "--held prints the file of --results: name it"),
        (["--results", "some.csv", "--out", "charts"], "--out draws one market and one recipe, trained on the spot"),
        (["--market", "mm_env/Nothing-v0"], "no market 'mm_env/Nothing-v0'"),
        (["--seeds", "1"], "1 is not in the range"),
    ],
)
def test_what_cannot_be_run_is_refused_at_once(arguments, message):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code != 0
    assert message in f"{result.output}{result.exception}"


def test_an_interrupted_benchmark_goes_on_where_it_was(tmp_path, monkeypatch):
    trained = []

    def train(key, changes):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(key)
        return None, made(key[0], key[3], Gap(1.0, 2.0, 3.0))._replace(recipe=key[1], hyperparameters=key[2])

    monkeypatch.setattr(learning, "_train", train)
    arguments = ["--seeds", "2", "--recipe", "ppo", "--recipe", "plain_ppo", "--results", str(tmp_path / "r" / "a.csv")]
    assert CliRunner().invoke(main, arguments).exit_code == 1
    assert len(trained) == 3
    trained.clear()
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert [key[1:] for key in trained] == [("plain_ppo", trained[0][2], 1)]  # the last of four
    trained.clear()
    assert CliRunner().invoke(main, arguments).output == result.output
    assert trained == []
    shown = CliRunner().invoke(main, [*arguments, "--held", "--seed", "99"])
    assert shown.output == result.output  # of whatever seeds
    assert "0-1" in shown.output
    monkeypatch.setattr(learning, "_changes", lambda *_: {"n_timesteps": 7})  # of other settings nothing is taken
    nothing = CliRunner().invoke(main, [*arguments, "--held"])
    assert "holds nothing of these markets and recipes as they are set now" in nothing.output
    CliRunner().invoke(main, arguments)
    assert len(trained) == 3


def test_the_bootstrap_draws_seeds_within_each_market():
    # markets are not drawn: each keeps its weight
    assert bootstrap_interval([[0.9] * 5, [0.5] * 5]) == pytest.approx((0.7, 0.7))
    low, high = bootstrap_interval([[0.0, 1.0] * 10])
    assert low < 0.3 < 0.7 < high


def test_the_pairing_is_seen_in_the_variance_of_the_advantages():
    from benchmarks.advantages import AdvantageVariance
    from train import train_ppo

    spread = AdvantageVariance()
    train_ppo("mm_env/Imbalance-v0", total_timesteps=25600, eval_episodes=20, callback=spread, progress=False)
    unpaired, paired = spread.means()
    assert 0 < paired < unpaired / 2


def test_the_curve_shows_every_seed_their_mean_and_its_interval(monkeypatch, tmp_path):
    from types import SimpleNamespace

    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(learning, "_random_share", lambda _: 0.6)
    monkeypatch.setattr("mm_env.plotting.save_figure", lambda figure, _: figures.append(figure))
    shares = ([0.6, 0.8, 0.9], [0.7, 0.9, 0.92], [0.8, 0.85, 0.94])
    seconds = (np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 4.0]), np.array([0.0, 1.0, 3.0]))
    runs = [
        SimpleNamespace(curve=SimpleNamespace(seconds=each, share=np.array(share)))
        for each, share in zip(seconds, shares, strict=True)
    ]
    learning.draw(runs, [SimpleNamespace(steps=100, seconds=5.0)], Gap(1.0, 2.0, 3.0), tmp_path / "curve.png")
    assert isinstance(figures[0], Figure)
    axes = figures[0].axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert axes.get_xlabel().startswith("wall time")
    assert axes.get_xlim() == (0.0, 4.0)
    mean = lines["their mean, with 95 % interval"]  # as long as all of them were at it: until 2
    np.testing.assert_allclose(mean[[0, -1]], [0.7, (0.9 + 0.9 + 0.895) / 3])
    assert [text.get_text() for text in axes.get_legend().get_texts()][:2] == [
        "3 seeds",
        "their mean, with 95 % interval",
    ]
    low, high = axes.collections[0].get_datalim(axes.transData).intervaly
    assert low < min(np.mean(shares, axis=0)) < max(np.mean(shares, axis=0)) < high
