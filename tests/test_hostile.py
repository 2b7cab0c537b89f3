"""A hundred thousand random and hostile inputs: the right result or a clear `ValueError`, nothing else."""

import dataclasses
import math
import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from baselines.policies.random_policy import RandomPolicy
from mm_env import HedgingEnv, HedgingVectorEnv, MarketParams, Tape, play

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
        assert np.isfinite(values).all(), name
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


@pytest.mark.slow
def test_changes_of_a_living_market():
    """Options of a reset, attributes: refused by a `ValueError`, or one environment and the lanes become the same."""
    rng = random.Random(5)
    one, many = HedgingEnv(num_trades=3), HedgingVectorEnv(2, num_trades=3)
    accepted = 0

    def tried(change):
        try:
            return change()
        except ValueError as error:
            return str(error)

    for _ in range(5_000):
        changes = {name: hostile_or_plain(rng) for name in rng.sample(FIELDS, rng.randint(1, 2))}
        ends = [
            tried(lambda env=env, changes=changes: env.reset(options={"params": changes})[0]) for env in (one, many)
        ]
        refused = [end for end in ends if isinstance(end, str)]
        assert refused in ([], [ends[0]] * 2)
        assert one.params == many.params
        accepted += not refused
        tried(lambda: one.reset(options=hostile_or_plain(rng)))
        tried(lambda: many.set_attr(rng.choice(FIELDS), hostile_or_plain(rng)))
        one.params = many.params = one.params.replace(num_trades=3)
    assert 100 < accepted < 4_900


@pytest.mark.slow
def test_recordings_with_anything_in_them():
    rng = random.Random(6)
    for _ in range(5_000):
        values = [hostile_or_plain(rng) for _ in range(2)]
        moves = rng.choice([np.ma.array([1, 1], mask=[False, True]), values, np.array(values, dtype=object), values[0]])
        try:
            tape = Tape.replay([1, -1], moves)
        except ValueError:
            continue
        assert np.isfinite(tape.paths.change).all()
        assert np.array_equal(tape.paths.change[:, 0], np.asarray(moves, dtype=float))
