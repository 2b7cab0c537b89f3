"""A hundred thousand random and hostile inputs: the right result or a clear `ValueError`, nothing else."""

import dataclasses
import math
import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner

from baselines.policies.random_policy import RandomPolicy
from mm_env import HedgingEnv, HedgingVectorEnv, MarketParams, Tape, play
from mm_env.cli.main import main

HOSTILE = [
    None, True, False, np.bool_(True), 0, 1, 2, 21, -1, 10**30, -(10**400), 0.5, -0.0, 1.0, 1e308, 5e-324,
    math.nan, math.inf, -math.inf, np.float32(0.25), np.float64("nan"), np.int8(-5), np.int64(3), np.uint64(2**64 - 1),
    np.array(3), np.array([1, 2]), np.array(math.nan), np.ma.masked, np.datetime64("2026-01-01"), complex(1, 2),
    Decimal(1), Fraction(1, 3), "", "10", "nan", "threshold", "units", b"1", [], [1], [[1]], (), {}, {1}, object(),
    range(3), int, len, ..., NotImplemented, "²", "\x00",
]  # fmt: skip
FIELDS = [field.name for field in dataclasses.fields(MarketParams)]
SHORT = MarketParams(num_trades=3)


def hostile_or_plain(rng: random.Random) -> object:
    plain = [rng.randint(-3, 200), rng.random(), rng.expovariate(0.1), 10.0 ** rng.randint(-300, 300)]
    return rng.choice([rng.choice(HOSTILE), rng.choice(plain)])


def assert_plays_right(params: MarketParams, tape: Tape | None = None) -> None:
    """The accounts of a short episode agree, to rounding of the amounts involved, and nothing is NaN."""
    played = play(RandomPolicy(params), params, 1, tape=tape)
    for name, values in played.arrays().items():
        chooses_units = name == "threshold" and params.hedge_action == "units"  # then there is no threshold
        assert np.isnan(values).all() if chooses_units else np.isfinite(values).all(), name
    parts = (played.spread_pnl + played.inventory_pnl - played.hedge_cost).sum(axis=1)
    amounts = (
        np.abs(played.price).max() * max(params.inventory_limit, 1) + np.abs(parts).max() + played.spread_pnl.sum()
    )
    assert np.abs(played.pnl - parts).max() <= 1e-12 * (1 + amounts) * params.num_trades
    assert (np.abs(played.inventory) <= params.inventory_limit).all()


@pytest.mark.slow
def test_parameters():
    rng = random.Random(0)
    accepted = 0
    for i in range(50_000):
        values = {name: hostile_or_plain(rng) for name in rng.sample(FIELDS, rng.randint(1, 3))}
        try:
            params = MarketParams.from_mapping(values)
        except ValueError as error:
            assert any(name in str(error) for name in values), error
            continue
        accepted += 1
        for name, value in values.items():
            held = getattr(params, name)
            assert type(held) in (int, float, bool, str, tuple, type(None))
            assert np.array_equal(held, value) or held == float(value)
        if i % 10 == 0 and params.inventory_limit < 1000:
            assert_plays_right(params.replace(num_trades=min(params.num_trades, 20)))
    assert 1000 < accepted < 49_000


@pytest.mark.slow
def test_actions_of_one():
    rng = random.Random(1)
    env = HedgingEnv(num_trades=3)
    env.reset(seed=0)
    accepted = 0
    for _ in range(15_000):
        action = rng.choice([hostile_or_plain(rng), rng.randint(-2, 23)])
        whole = isinstance(action, int | np.integer)
        if isinstance(action, np.ndarray):
            whole = action.shape == () and action.dtype.kind == "i"
        good = whole and 0 <= int(action) <= 20
        try:
            terminated = env.step(action)[2]
        except ValueError as error:
            assert not good, action
            assert "action must be a whole number from 0 to 20" in str(error)
            continue
        assert good, action
        accepted += 1
        if terminated:
            env.reset()
    assert accepted > 1000


@pytest.mark.slow
def test_actions_of_many():
    rng = random.Random(2)
    env = HedgingVectorEnv(3, num_trades=3)
    env.reset(seed=0)
    accepted = 0
    for _ in range(15_000):
        actions = rng.choice(
            [
                hostile_or_plain(rng),
                [rng.randint(-1, 22) for _ in range(rng.randint(1, 4))],
                [hostile_or_plain(rng) for _ in range(3)],
                np.array([rng.randint(0, 22) for _ in range(3)], dtype=rng.choice([np.int8, np.uint8, np.float64])),
            ]
        )
        try:
            env.step(actions)
        except ValueError as error:
            assert "actions must be" in str(error)
            continue
        accepted += 1
        array = np.asarray(actions)
        assert array.shape == (3,)
        assert array.dtype.kind in "iu"
        assert all(0 <= int(action) <= 20 for action in array)
    assert accepted > 1000


@pytest.mark.slow
def test_recorded_arrays():
    rng = random.Random(3)
    accepted = 0
    for _ in range(20_000):
        length = rng.choice([3, 3, 3, 2])
        sides = [rng.choice([-1, 0, 1, 1.0]) for _ in range(3)]
        moves = [rng.gauss(0, 1) for _ in range(length)]
        sizes = rng.choice([None, [rng.randint(1, 5) for _ in range(3)]])
        for values in (sides, moves, sizes):
            if values is not None and rng.random() < 0.25:
                values[rng.randrange(len(values))] = hostile_or_plain(rng)
        arguments = [rng.choice(HOSTILE) if rng.random() < 0.03 else values for values in (sides, moves, sizes)]
        try:
            tape = Tape.replay(*arguments)
        except ValueError as error:
            assert any(name in str(error) for name in ("sides", "price_moves", "sizes")), error
            continue
        accepted += 1
        params = SHORT.replace(num_trades=tape.num_trades)
        np.testing.assert_array_equal(
            tape.paths.side[:, 0], np.asarray(arguments[0], dtype=float).ravel()[: tape.num_trades]
        )
        assert_plays_right(params, tape)
    assert 5000 < accepted < 18_000


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_recorded_files(tmp_path, suffix):
    pd = pytest.importorskip("pandas")
    rng = random.Random(4)
    good = pd.DataFrame({"sides": [1, -1, 0], "price_moves": [0.1, -0.2, 0.3], "sizes": [1, 2, 1]})
    path = tmp_path / f"tape{suffix}"
    good.to_csv(path, index=False) if suffix == ".csv" else good.to_parquet(path)
    whole = path.read_bytes()
    for i in range(600):
        damaged = bytearray(whole)
        for _ in range(rng.randint(0, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if rng.random() < 0.4:
            damaged = damaged[: rng.randrange(len(damaged))]
        path.write_bytes(rng.randbytes(rng.randint(0, 80)) if i % 20 == 0 else damaged)
        try:
            tape = Tape.read(path)
        except ValueError as error:
            assert path.name in str(error)
            continue
        assert_plays_right(SHORT.replace(num_trades=tape.num_trades), tape)


def rounds(few, many):
    """So many in the usual suite, so many in the slow one."""
    return pytest.mark.parametrize("number", [few, pytest.param(many, marks=pytest.mark.slow)])


def tried(change):
    """What it returns, or the message of the `ValueError` by which it is refused."""
    try:
        return change()
    except ValueError as error:
        assert str(error)
        return str(error)


@rounds(200, 15_000)
def test_changes_of_a_living_market(number):
    """Options of a reset, attributes: refused by a `ValueError`, or one environment and the lanes become the same."""
    rng = random.Random(5)
    one, many = HedgingEnv(num_trades=3), HedgingVectorEnv(2, num_trades=3)
    accepted = 0
    for _ in range(number):
        changes = {name: hostile_or_plain(rng) for name in rng.sample(FIELDS, rng.randint(1, 2))}
        ends = [
            tried(lambda env=env, changes=changes: env.reset(options={"params": changes})[0]) for env in (one, many)
        ]
        refused = [end for end in ends if isinstance(end, str)]
        assert refused in ([], [ends[0]] * 2)
        assert one.params == many.params
        accepted += not refused
        tried(lambda: one.reset(options=hostile_or_plain(rng)))
        tried(lambda: one.reset(options={hostile_name(rng): hostile_or_plain(rng)}))
        named = {hostile_name(rng): hostile_or_plain(rng)}
        for env in (one, many):
            tried(lambda env=env, named=named: env.reset(options={"params": named}))
        tried(lambda: many.reset(options={"reset_mask": hostile_or_plain(rng)}))
        one.params = many.params = one.params.replace(num_trades=3)
        for env in (one, many):  # what waits for a reset is in messages too
            env.reset()
    assert number / 50 < accepted < number * 0.98


def hostile_name(rng):
    name = rng.choice([rng.choice(FIELDS), "params", "nonsense", "spraed", "", "__class__"])
    return name if rng.random() < 0.9 else rng.choice([1, None, ()])


@rounds(200, 20_000)
def test_attributes_of_vectors_and_dealers(number):
    """What `set_attr` takes is what is played, in every kind of vector; everything else is refused."""
    from baselines.dealer_vs_rules import DealerVsRulesEnv, DealerVsRulesVectorEnv

    rng = random.Random(7)
    vectors = [HedgingVectorEnv(2, num_trades=3), DealerVsRulesVectorEnv(2, num_trades=3)]
    try:
        from train import SB3VecEnv
    except ImportError:
        pass
    else:
        vectors.append(SB3VecEnv(SHORT, 2))
    accepted = 0
    for _ in range(number):
        env, name, value = rng.choice(vectors), rng.choice([*FIELDS, "params", "spraed"]), hostile_or_plain(rng)
        lanes = getattr(env, "lanes", env)
        before = lanes.params
        told = tried(lambda env=env, name=name, value=value: env.set_attr(name, value))
        if told is not None:
            assert any(known in told for known in (*FIELDS, "num_dealers", name)), told
            assert lanes.params == before
            continue
        accepted += 1
        assert name in FIELDS
        held = getattr(lanes.params, name)
        wanted = value[0] if isinstance(value, list | tuple) else value
        assert held == wanted or np.array_equal(held, wanted) or held == float(wanted)
        if not isinstance(refused := tried(env.reset), str):
            observations = refused if env is not lanes else refused[0]
            assert not np.isnan(observations).any()
        lanes.params = lanes.params.replace(num_trades=3)
    assert accepted > number / 100
    dealer = DealerVsRulesEnv(num_trades=3)
    for _ in range(number // 20):
        tried(lambda: dealer.reset(options={"params": {rng.choice(FIELDS): hostile_or_plain(rng)}}))
        tried(lambda: dealer.reset(options={hostile_name(rng): hostile_or_plain(rng)}))


@rounds(200, 20_000)
def test_recordings_with_anything_in_them(number):
    rng = random.Random(6)
    for _ in range(number):
        values = [hostile_or_plain(rng) for _ in range(2)]
        moves = rng.choice([np.ma.array([1, 1], mask=[False, True]), values, np.array(values, dtype=object), values[0]])
        try:
            tape = Tape.replay([1, -1], moves)
        except ValueError:
            continue
        assert np.isfinite(tape.paths.change).all()
        assert np.array_equal(tape.paths.change[:, 0], np.asarray(moves, dtype=float))


@rounds(200, 5_000)
def test_what_is_no_tape_is_not_replayed(number):
    """Wherever a tape is taken, what is none, or none of this market, is refused; what is one is played."""
    rng = random.Random(8)
    rule = RandomPolicy(SHORT)
    three, four = Tape.replay([1, -1, 0], [0.1, 0.2, 0.3]), Tape.replay([1, -1, 0, 1], [0.1, 0.2, 0.3, 0.4])
    drawn = Tape.draw(SHORT.replace(spread=0.5), 0, 2)
    doors = [
        lambda tape: play(rule, SHORT, 1, tape=tape).params,
        lambda tape: HedgingEnv(num_trades=3, tape=tape).params,
        lambda tape: HedgingVectorEnv(2, num_trades=3, tape=tape).params,
    ]
    for _ in range(number):
        tape = rng.choice([three, four, drawn, hostile_or_plain(rng)])
        told = tried(lambda tape=tape: rng.choice(doors)(tape))
        assert isinstance(told, str) == (tape is not three and tape is not None), tape


WORDS = [
    "", " ", "-", "--", "nan", "inf", "-inf", "-1", "0", "1", "1e400", "0x10", "1_000", "²", "\x00", "null", "none",
    "[]", "{}", "[1,", "[" * 5000, "{" * 5000, "9" * 5000, "a" * 5000, "~", "/dev/null/x",
    "mm_env/", "mm_env/Hedging-v0", "mm_env/DealerVsRules-v0", "mm_env/Latenci", "%s", "{0}", "never", "optimal",
    "threshold", "threshold:", "threshold:-1", "threshold:1:nan", "threshold:3:0.03", "threshold:10:", "glft:x",
    "linear-skew:1e400", "band:1:2:3", "best-band", "spread=", "=", "==", "spread", "spread=0.1", "spraed=1", "self=1",
    "market=1", "num_trades=0", "num_dealers=2", "num_dealers=nan", "quote_levels=2", "tick=0.01", "tiers=[{}]",
    'tiers=[{"decay":1e400}]', "tiers=" + "[" * 5000, "hedge_latency=20", "volatility_regimes=[0.1,NaN]", "cls=1",
    "hedge_levels=2", "continuous=true", "hedge_action=units", "hedge_action=band", "reward=expected", "\udcff",
]  # fmt: skip
OPTIONS = {
    name: [option for parameter in command.params for option in parameter.opts if option != "--help"]
    for name, command in main.commands.items()
}


TAKES_FILES = ("inspect", "export", "calibrate")
SLOW = (
    "baselines.replications.registry.replicate",
    "baselines.evaluation.insights.insights",
    "baselines.benchmark.run._computed",
    "baselines.benchmark.robust._placed",
)


def unasked():
    raise ValueError("this takes minutes")


@rounds(150, 5_000)
def test_commands(number, tmp_path, monkeypatch):
    """Any words after any command: done, or a message and exit code 1 or 2; never a traceback, nor NaN in JSON."""
    monkeypatch.chdir(tmp_path)
    for slow in SLOW:
        monkeypatch.setattr(slow, lambda *arguments, **named: unasked())
    (tmp_path / "trades.csv").write_text("sides,price_moves\n1,0.1\n-1,0.2\n0,0.3\n")
    (tmp_path / "folder").mkdir()
    words = [*WORDS, "trades.csv", "folder"]
    rng, codes = random.Random(10), set()
    small = ["--set", "num_trades=3", "--set", "inventory_limit=4", "--set", "hedge_latency=1"]
    for _ in range(number):
        name = rng.choice([name for name in OPTIONS if name != "train"])  # asked in a test of its own
        arguments = [name, *rng.choices(words, k=name in TAKES_FILES)]
        for _ in range(rng.randint(0, 4)):
            arguments += [rng.choice(OPTIONS[name]), *rng.choices(words, k=rng.choice([0, 1, 1, 1, 2]))]
        if "--set" in OPTIONS[name]:
            arguments += small
        if "--episodes" in OPTIONS[name]:
            arguments += ["--episodes", "2"]
        ended = CliRunner().invoke(main, arguments)
        codes.add(ended.exit_code)
        assert ended.exception is None or isinstance(ended.exception, SystemExit), (arguments, ended.exc_info)
        assert ended.exit_code in (0, 1, 2), arguments
        assert ended.exit_code == 0 or "Error: " in ended.stderr, arguments
        assert "Traceback" not in ended.output
        assert "NaN" not in ended.stdout or "NaN" in " ".join(arguments)
    assert codes == {0, 1, 2}


@rounds(50, 500)
def test_training_is_asked_for_in_any_words(number, tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3")
    from train import ppo

    monkeypatch.chdir(tmp_path)

    def trained(plan, folder, *_):
        raise ValueError(f"as planned in {folder}")

    monkeypatch.setattr(ppo, "_train", trained)
    rng = random.Random(10)
    for i in range(number):
        arguments = ["train"]
        for _ in range(rng.randint(0, 3)):
            arguments += [rng.choice(OPTIONS["train"]), *rng.choices(WORDS, k=rng.choice([0, 1, 1, 2]))]
        ended = CliRunner().invoke(main, [*arguments, "--out", f"run-{i}"])
        assert isinstance(ended.exception, SystemExit), (arguments, ended.exc_info)
        assert ended.exit_code in (0, 1, 2), arguments  # 0: --help
        assert ended.exit_code == 0 or "Error: " in ended.stderr, arguments
