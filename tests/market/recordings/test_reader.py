import re
import warnings
from pathlib import Path

import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

import pandas as pd

from mm_env import MarketParams, Tape
from mm_env.market.recordings.recording import TapeWarning
from mm_env.market.tape import check_tape
from tests.market.recordings.awkward import CASES, FRAME, MOVES, SIDES, SIZES, page


def written(case, folder):
    path = folder / f"trades{case.ending}"
    path.write_bytes(case.content.encode() if isinstance(case.content, str) else case.content)
    return path


def numbers(tape):
    return [tape.paths.side[:, 0].tolist(), tape.paths.change[:, 0].tolist(), tape.paths.size[:, 0].tolist()]


def test_there_are_a_hundred_of_them():
    assert len(CASES) >= 100
    assert len({case.what for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_an_awkward_file_is_read_right_or_refused_by_its_place(case, tmp_path):
    path = written(case, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TapeWarning)
        if case.error:
            with pytest.raises(ValueError, match=re.escape(case.error)) as refused:
                Tape.read(path, **case.options)
            assert str(path) in str(refused.value) or "columns:" in str(refused.value)
        else:
            assert numbers(Tape.read(path, **case.options)) == [SIDES, MOVES, SIZES]


@pytest.mark.parametrize("kind", ["pandas", "indexed", "arrow", "interchange"])
def test_data_frames(kind):
    import pyarrow as pa

    class Foreign:
        def __dataframe__(self, nan_as_null=False, allow_copy=True):
            return pa.table(FRAME).__dataframe__(nan_as_null, allow_copy)

    frames = {"pandas": FRAME, "indexed": FRAME.set_index(["sizes", "sides"]), "arrow": pa.table(FRAME)}
    assert numbers(Tape.read(frames.get(kind, Foreign()))) == [SIDES, MOVES, SIZES]
    with pytest.raises(ValueError, match="from a path or a data frame, got list"):
        Tape.read([1, 2])
    with pytest.raises(ValueError, match="data frame, row 3, column 'sizes': missing"):
        Tape.read(FRAME.assign(sizes=[1, 2, None, 1]))


def test_the_move_of_a_request_is_the_next_mid_less_its_own_and_the_last_request_is_left_out():
    mids = pd.DataFrame({"episode": [0, 0, 0, 1, 1, 1], "sides": [1, -1, 1, -1, -1, 1], "mid": [9, 10, 8, 50, 40, 45]})
    tape = Tape.read(mids)
    assert tape.paths.side.T.tolist() == [[1, -1], [-1, -1]]
    assert tape.paths.change.T.tolist() == [[1, -2], [-10, 5]]


def test_rows_in_descending_time_are_refused_and_sorted_if_asked_for():
    ascending = FRAME.assign(time=[1.0, 2.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="row 2, column 'time': '2.0': earlier than the row before; sort=True"):
        Tape.read(ascending[::-1])
    stable = ascending.iloc[[3, 1, 2, 0]].reset_index(drop=True)
    assert numbers(Tape.read(stable, sort=True)) == [SIDES, MOVES, SIZES]  # those of one time as they stand


def test_each_episode_has_its_own_order_in_time():
    frame = pd.DataFrame({"episode": ["b", "b", "a", "a"], "time": [8, 9, 1, 2], "sides": [1, 1, -1, -1], "mid": 1.0})
    with pytest.warns(TapeWarning, match="the mid never moves"):
        assert Tape.read(frame).paths.side.T.tolist() == [[1], [-1]]
    assert Tape.read(frame.drop(columns="mid").assign(price_moves=[1, 2, 3, 4])).recording.episodes == ("b", "a")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.assign(venue="A", id=[1, 2, 3, 4]), "columns not used: 'venue', 'id'"),
        (pd.concat([FRAME.assign(time=1), FRAME.assign(time=1)[:1]]), "1 of 5 rows repeat another one in every column"),
        (FRAME.assign(sides=1), "not a single client sells among 4 rows: 4 do the other"),
        (FRAME.assign(sides=[-1, 0, 0, -1]), "not a single client buys among 4 rows: 2 do the other"),
        (FRAME.assign(price_moves=0), "the mid never moves: all 4"),
    ],
)
def test_what_may_be_wrong_is_warned_of_with_its_number(frame, message):
    with pytest.warns(TapeWarning) as caught:
        Tape.read(frame.reset_index(drop=True))
    assert [message in str(warning.message) for warning in caught] == [True]


def test_sizes_that_the_cap_forbids_are_warned_of():
    market = MarketParams(num_trades=4, inventory_limit=2)
    with pytest.warns(
        TapeWarning, match="1 of 4 requests can never be filled: they ask for up to 5 units, inventory_lim"
    ):
        check_tape(Tape.replay([1, -1, 1, 1], [0] * 4, [1, 4, 5, 3]), market)
    with pytest.warns(TapeWarning, match="3 of 3 requests can never be filled"):
        check_tape(Tape.replay([1, -1, 0, 1], [0] * 4, [3, 4, 1, 3]), market)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_tape(Tape.replay([1, -1, 0, 1], [0] * 4, [2, 4, 9, 3]), market)


def test_what_else_a_file_tells_is_kept():
    tape = Tape.read(
        FRAME.assign(tier=["gold", "silver", "gold", "bronze"], quote=0.05, accepted=["yes", "no", "y", "n"])
    )
    assert tape.recording.tiers == ("bronze", "gold", "silver")
    assert tape.recording.accepted.tolist() == [[True, False, True, False]]
    assert tape.recording.quote.tolist() == [[0.05] * 4]
    assert tape.paths.tier[:, 0].tolist() == [1, 2, 1, 0]
    assert Tape.read(FRAME.assign(tier=[10, 9, 10, 9])).recording.tiers == ("9", "10")
    check_tape(tape, MarketParams(num_trades=4, tiers=({}, {}, {})))
    with pytest.raises(ValueError, match="does not tell what tiers"):
        check_tape(tape, MarketParams(num_trades=4, tiers=({}, {})))
    with pytest.raises(ValueError, match="does not tell what tiers"):
        check_tape(Tape.replay(SIDES, MOVES), MarketParams(num_trades=4, tiers=({}, {})))


def test_a_column_can_be_declined():
    frame = FRAME.rename(columns={"sizes": "qty"})
    with pytest.warns(TapeWarning, match="not used: 'qty'"):
        assert set(Tape.read(frame, columns={"sizes": None}).paths.size[:, 0]) == {1.0}


@pytest.mark.parametrize("option", [{"true": "yes"}, {"decimal": "x"}])
def test_bad_options(option):
    with pytest.raises(ValueError, match="must be"):
        Tape.read(FRAME, **option)


def test_the_docs_tell_which_is_read_and_which_refused():
    assert (Path(__file__).parents[3] / "docs" / "awkward-files.md").read_text() == page()
