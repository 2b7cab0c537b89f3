"""A recording played where clients may refuse: what it does not tell is drawn, given what it tells."""

import numpy as np
import pytest
from click.testing import CliRunner

from baselines import make_policy
from mm_env import MarketParams, Tape, play
from mm_env.cli.main import main

pd = pytest.importorskip("pandas")

MARKET = MarketParams(
    num_trades=20_000, tiers=[{"decay": 30.0}, {"logistic": (-3.0, 60.0)}], spread=0.02, inventory_limit=100_000
)


def recording(**columns):
    """Clients of two tiers with quotes and outcomes as the market has them."""
    random = np.random.default_rng(1)
    tier, quote = random.integers(0, 2, 20_000), random.choice([0.02, 0.05, 0.1], 20_000)
    chance = np.choose(tier, [kind.acceptance(quote, MARKET.spread) for kind in MARKET.tiers])
    frame = pd.DataFrame({"sides": random.choice([-1, 1], 20_000), "price_moves": random.normal(size=20_000)})
    told = {"tier": tier, "quote": quote, "accepted": random.random(20_000) < chance}
    return frame.assign(**{name: told.get(name) if values is None else values for name, values in columns.items()})


@pytest.mark.parametrize("told", [("tier",), ("tier", "quote", "accepted")])
def test_what_is_drawn_has_the_law_of_the_market(told):
    tape = Tape.read(recording(**dict.fromkeys(told))).with_reservations(MARKET, seed=3)
    reservation = tape.paths.reservation[:, 0]
    for number, kind in enumerate(MARKET.tiers):
        chosen = tape.paths.tier[:, 0] == number
        for distance in (0.01, 0.04, 0.07, 0.12):
            law = kind.acceptance(distance, MARKET.spread)
            error = np.sqrt(law * (1 - law) / chosen.sum())
            assert abs((reservation[chosen] >= distance).mean() - law) <= 4 * error


def test_the_recorded_quotes_have_the_recorded_outcomes():
    tape = Tape.read(recording(tier=None, quote=None, accepted=None)).with_reservations(MARKET, seed=3)
    np.testing.assert_array_equal(tape.paths.reservation[:, 0] >= tape.recording.quote[0], tape.recording.accepted[0])
    again = Tape.read(recording(tier=None, quote=None, accepted=None)).with_reservations(MARKET, seed=3)
    np.testing.assert_array_equal(again.paths.reservation, tape.paths.reservation)
    impossible = recording(tier=0, quote=0.01, accepted=False)  # below the spread everyone accepts
    refused = Tape.read(impossible).with_reservations(MARKET, seed=3)
    assert (refused.paths.reservation < 0.01).all()


def test_the_market_plays_it():
    tape = Tape.read(recording(tier=None)).with_reservations(MARKET)
    filled = play(make_policy("never", MARKET), MARKET, tape=tape).filled
    np.testing.assert_array_equal(filled[0], tape.paths.reservation[:, 0] >= MARKET.spread)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="of unknown tiers does not tell what tiers="):
        Tape.read(recording()).with_reservations(MARKET)
    with pytest.raises(ValueError, match="of 3 tiers does not tell"):
        Tape.read(recording(tier=[0, 1] * 9_999 + [2, 2])).with_reservations(MARKET)
    with pytest.raises(ValueError, match="the tape tells the widest quote"):
        Tape.read(recording(tier=None)).with_reservations(MARKET).with_reservations(MARKET)
    with pytest.raises(ValueError, match="the tape tells the widest quote"):
        Tape.draw(MARKET, 0, 1).with_reservations(MARKET)


def test_a_file_with_regimes_and_reservations_is_checked(tmp_path):
    path = tmp_path / "tape.csv"
    path.write_text("sides,price_moves,regime,reservation\n1,0.1,0,inf\n-1,0.2,1,-0.5\n")
    tape = Tape.read(path)
    assert (tape.paths.observed.regime[:, 0].tolist(), tape.paths.reservation[:, 0].tolist()) == (
        [0, 1],
        [np.inf, -0.5],
    )
    path.write_text("sides,price_moves,regime\n1,0.1,calm\n")
    with pytest.raises(ValueError, match="row 2, column 'regime': 'calm'"):
        Tape.read(path)
    path.write_text("sides,price_moves,reservation\n1,0.1,nan\n")
    with pytest.raises(ValueError, match=r"row 2, column 'reservation': missing \('nan'\)"):
        Tape.read(path)
    regimes = MarketParams(num_trades=2, volatility_regimes=(0.1, 0.2))
    with pytest.raises(ValueError, match=r"volatility_regimes=.* which of them the dealer saw"):
        play(make_policy("flat", regimes), regimes, tape=Tape.replay([1, 1], [0, 0]))


def test_the_command_says_what_it_draws(tmp_path):
    path, market = tmp_path / "tape.csv", tmp_path / "market.toml"
    recording(tier=None).head(200).to_csv(path, index=False)
    market.write_text("spread = 0.02\n[[tiers]]\ndecay = 30.0\n[[tiers]]\nlogistic = [-3.0, 60.0]\n")
    arguments = ["simulate", "--policy", "never", "--tape", str(path), "--market", str(market), "--json"]
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 0, run.output
    assert "each client takes is drawn from the market's law, seed 0" in run.stderr
