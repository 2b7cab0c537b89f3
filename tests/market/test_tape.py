import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_env import MarketParams, Tape
from mm_env.market.random_streams import _JUMP
from mm_env.market.tape import EpisodeSource
from tests.markets import market_parameters


def same(a: Tape, b: Tape) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.paths.flattened(), b.paths.flattened(), strict=True))


@given(params=market_parameters(), seed=st.integers(0, 2**70), start=st.integers(0, 90), number=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_any_episode_can_be_reached_at_once(params, seed, start, number):
    whole = Tape.draw(params, seed, start + number)
    assert same(whole.columns(slice(start, None)), Tape.draw(params, seed, number, start))


def test_a_block_is_numpys_own_jump():
    params = MarketParams(num_trades=64)
    block = EpisodeSource(params, [7]).draw([0], [3])
    reference = np.random.Generator(np.random.PCG64DXSM(7).jumped(3))
    normal = reference.standard_normal(block.paths.change.size, dtype=np.float32)
    np.testing.assert_array_equal(block.paths.change.T.ravel(), 0.3 * normal.astype(np.float64))
    sides = reference.bit_generator.random_raw(block.paths.side.size // 8).view(np.uint8) < 128
    np.testing.assert_array_equal(block.paths.side.T.ravel(), np.where(sides, 1.0, -1.0))
    assert _JUMP % 2 == 1


@pytest.mark.parametrize("probability", [0.0, 1e-3, 0.3, 0.5, 0.75, 0.999, 1.0])
def test_sides_come_with_their_probability(probability):
    sides = Tape.draw(MarketParams(buy_probability=probability), 8, 10_000).paths.side
    error = np.sqrt(probability * (1 - probability) / sides.size)
    assert abs((sides == 1).mean() - probability) <= 4 * error


def test_seeds_and_episodes_are_different_markets():
    params = MarketParams()
    a, b = Tape.draw(params, 0, 50), Tape.draw(params, 1, 50)
    moves = np.concatenate([a.paths.change, b.paths.change], axis=1)
    assert len(np.unique(moves)) == moves.size
    correlation = np.corrcoef(moves.T)
    assert np.abs(correlation - np.eye(100)).max() < 0.5  # 100 trades each: 5 standard errors


def test_a_mechanism_that_is_turned_off_leaves_the_rest_as_it_is():
    plain = Tape.draw(MarketParams(), 3, 40)
    sparse = Tape.draw(MarketParams(arrival_probability=0.999999), 3, 40)
    np.testing.assert_array_equal(plain.paths.change, sparse.paths.change)
    came = sparse.paths.side != 0
    np.testing.assert_array_equal(plain.paths.side[came], sparse.paths.side[came])


class TestReplay:
    def test_shapes(self):
        assert Tape.replay([1, -1], [0.1, 0.2]).paths.side.shape == (2, 1)
        assert Tape.replay([[1, -1], [1, 1], [0, 1]], np.zeros((3, 2))).paths.side.shape == (2, 3)

    @pytest.mark.parametrize(
        ("sides", "moves", "sizes", "message"),
        [
            ([1, 2], [0, 0], None, "sides must be -1, 0 or 1, got 2.0 at episode 0, trade 1"),
            ([1, 1], [0, np.nan], None, "price_moves must be finite, got nan"),
            ([1, 1], [0, 1e10], None, "price_moves must be at most"),
            ([1, 1], [0], None, "price_moves must have the shape of sides"),
            ([1, 1], [0, 0], [1, 1.5], "sizes must be whole numbers"),
            ([1, 1], [0, 0], [0, 1], "sizes must be whole numbers"),
            ([], [], None, "sides must have shape"),
            (["1", "1"], [0, 0], None, "sides must be numbers"),
            ([[1, 1], [1]], [0, 0], None, "sides must be numbers"),
            ([1, None], [0, 0], None, "sides must be numbers"),
            ([True, False], [0, 0], None, "sides must be numbers"),
            (1, 0, None, "sides must have shape"),
            (np.ones((1, 1, 1)), [0], None, "sides must have shape"),
        ],
    )
    def test_bad_recordings_are_named(self, sides, moves, sizes, message):
        with pytest.raises(ValueError, match=message):
            Tape.replay(sides, moves, sizes)

    def test_what_is_recorded_of_nobody_does_not_matter(self):
        tape = Tape.replay([1, 0, 0], [0, 0, 0], [2, 0, np.nan])
        assert tape.paths.size[:, 0].tolist() == [2, 1, 1]

    @pytest.mark.parametrize("suffix", [".csv", ".parquet"])
    def test_files(self, tmp_path, suffix):
        pd = pytest.importorskip("pandas")
        table = pd.DataFrame({"sides": [1, -1, 1, 1], "price_moves": [0.1, 0.2, -0.3, 0.0], "sizes": [1, 2, 3, 1]})
        path = tmp_path / f"tape{suffix}"
        write = {".csv": lambda t: t.to_csv(path, index=False), ".parquet": lambda t: t.to_parquet(path)}[suffix]
        write(table)
        assert same(Tape.read(path), Tape.replay(table.sides, table.price_moves, table.sizes))
        write(table.assign(episode=["a", "a", "b", "b"]))
        split = Tape.read(path)
        assert (split.num_trades, split.num_episodes) == (2, 2)
        assert split.paths.size[:, 1].tolist() == [3.0, 1.0]
        write(table.assign(episode=["a", "b", "b", "b"]))
        with pytest.raises(ValueError, match="episodes differ in length"):
            Tape.read(path)
        write(table.drop(columns="sides"))
        with pytest.raises(ValueError, match="no column 'sides'"):
            Tape.read(path)
        path.write_bytes(b"\x00\xff PAR1 nonsense")
        with pytest.raises(ValueError, match=r"tape\.(csv|parquet)"):
            Tape.read(path)

    def test_no_such_file(self, tmp_path):
        pytest.importorskip("pandas")
        with pytest.raises(ValueError, match="cannot be read"):
            Tape.read(tmp_path / "none.csv")
        with pytest.raises(ValueError, match="is a .csv or a .parquet"):
            Tape.read(tmp_path / "tape.xls")


MASKED = np.ma.array([1, -1, 1], mask=[False, True, False])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sides", MASKED),
        ("sides", [1, np.ma.masked, 1]),
        ("sides", [MASKED, MASKED]),
        ("sides", np.ma.array([1, -1, 1], mask=True)),
        ("sides", np.ma.array([1, -1, 1], mask=[False, True, False], dtype=object)),
        ("sides", np.array([1, -1, None], dtype=object)),
        ("price_moves", np.ma.array([0.1, 0.2, 0.3], mask=[False, False, True])),
        ("sizes", np.ma.array([1, 2, 3], mask=[False, True, False])),
    ],
)
def test_what_a_mask_hides_is_refused(name, value):
    shape = (2, 3) if isinstance(value, list) and np.ma.isMA(value[0]) else (3,)
    arguments = {"sides": np.ones(shape), "price_moves": np.zeros(shape), name: value}
    with pytest.raises(ValueError, match=f"{name} must be (shown: a mask hides some|finite|numbers), got"):
        Tape.replay(**arguments)


def test_a_mask_that_hides_nothing_that_matters_is_no_matter():
    shown = np.ma.array([1, -1, 0], mask=False)
    sizes = np.ma.array([2, 3, 9], mask=[False, False, True])  # nobody came to ask for it
    assert Tape.replay(shown, [0.1, 0.2, 0.3], sizes).paths.size[:, 0].tolist() == [2, 3, 1]


@pytest.mark.parametrize("missing", [True, False])
def test_nullable_columns(missing):
    pandas = pytest.importorskip("pandas")
    sides = pandas.Series([1, -1, None if missing else 1], dtype="Int64")
    if missing:
        with pytest.raises(ValueError, match="sides must be"):
            Tape.replay(sides, [0.1, 0.2, 0.3])
    else:
        assert Tape.replay(sides, [0.1, 0.2, 0.3]).paths.side[:, 0].tolist() == [1, -1, 1]
