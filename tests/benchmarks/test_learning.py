import pytest
from click.testing import CliRunner

pytest.importorskip("stable_baselines3")

from baselines.evaluation.gap import Gap
from benchmarks.learning import Result, _print_markets, _print_seeds, main
from mm_env import MARKETS, market_params


def test_shares_are_of_two_gaps():
    assert Gap(threshold=1.0, rule=2.0, optimum=3.0).shares(2.5) == (0.75, 0.5)


def test_the_best_rule_lies_between_the_ends():
    gap = Gap.of(market_params("mm_env/AdverseSelection-v0"))
    assert gap.threshold < gap.rule < gap.optimum
    assert gap.shares(gap.rule)[1] == 0.0


def test_both_tables_show_every_share(capsys):
    gap = Gap(1.0, 2.0, 3.0)
    results = [Result(seed, 2.5 + seed / 10, *gap.shares(2.5 + seed / 10), steps=100, seconds=7.0) for seed in range(3)]
    _print_seeds(gap, results)
    _print_markets(dict.fromkeys(MARKETS, gap), dict.fromkeys(MARKETS, results))
    shown = capsys.readouterr().out
    assert all(figure in shown for figure in ("2.7000", "0.8500", "0.7000"))
    assert all(market.removeprefix("mm_env/") in shown for market in MARKETS)
    assert shown.count("2.6 ± 0.2") == len(MARKETS) + 1  # the mean of 2.5, 2.6 and 2.7, t quantile 4.3 at 2 degrees


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--market", "all", "--out", "charts"], "--out draws one market"),
        (["--market", "mm_env/Nothing-v0"], "no market 'mm_env/Nothing-v0'"),
        (["--seeds", "1"], "1 is not in the range"),
    ],
)
def test_what_cannot_be_run_is_refused_at_once(arguments, message):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code != 0
    assert message in f"{result.output}{result.exception}"
