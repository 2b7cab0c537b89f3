"""A hundred awkward files of the same four requests: each is read right, or refused by file, row, column and text."""

import gzip
import io
from typing import NamedTuple

import numpy as np
import pandas as pd

SIDES, MOVES, SIZES = [1, -1, 1, -1], [0.5, -0.25, 0.125, 0.0], [1, 2, 3, 1]
FRAME = pd.DataFrame({"sides": SIDES, "price_moves": MOVES, "sizes": SIZES})
PLAIN = "sides,price_moves,sizes\n1,0.5,1\n-1,-0.25,2\n1,0.125,3\n-1,0,1\n"
GERMAN = "sides;price_moves;sizes\n1;0,5;1\n-1;-0,25;2\n1;0,125;3\n-1;0;1\n"
NAMED = "sides,price_moves,{}\n1,0.5,1\n-1,-0.25,2\n1,0.125,3\n-1,0,1\n"


class Case(NamedTuple):
    """One file: what it is, its ending, its bytes or its data frame, how it is read, and what it is refused for."""

    what: str
    ending: str
    content: object
    options: dict = {}
    error: str = ""  # part of the message; nothing: read right


def cell(row, column, text):
    """The plain file with one cell replaced."""
    lines = [line.split(",") for line in PLAIN.splitlines()]
    lines[row - 1][column] = text
    return "\n".join(",".join(line) for line in lines) + "\n"


def coded(*sides):
    rows = zip(sides, MOVES, SIZES, strict=True)
    return "sides,price_moves,sizes\n" + "".join(f"{side},{move},{size}\n" for side, move, size in rows)


def timed(*times, name="time"):
    rows = zip(times, SIDES, MOVES, SIZES, strict=True)
    return f"{name},sides,price_moves,sizes\n" + "".join(f"{t},{s},{m},{v}\n" for t, s, m, v in rows)


def columnar(frame, kind="parquet"):
    file = io.BytesIO()
    getattr(frame, f"to_{kind}")(file)
    return file.getvalue()


def parquet(what, options=None, error="", **columns):
    """The plain table as Parquet, with some columns of another type."""
    return Case(f"Parquet of {what}", ".parquet", columnar(FRAME.assign(**columns)), options or {}, error)


def with_mid(**columns):
    return pd.DataFrame({"sides": [*SIDES, 1], "sizes": [*SIZES, 7], **columns}).to_csv(index=False)


MID = np.cumsum([100.0, *MOVES])

DIALECTS = [
    Case("commas", ".csv", PLAIN),
    Case("semicolons", ".csv", PLAIN.replace(",", ";")),
    Case("tabs, .csv", ".csv", PLAIN.replace(",", "\t")),
    Case("tabs, .tsv", ".tsv", PLAIN.replace(",", "\t")),
    Case("bars, .txt", ".txt", PLAIN.replace(",", "|")),
    Case("spaces", ".txt", PLAIN.replace(",", "  ")),
    Case("a separator that is told", ".csv", PLAIN.replace(",", ":"), {"separator": ":"}),
    Case("a separator that nobody knows", ".csv", PLAIN.replace(",", ":"), {}, "no column 'sides'"),
    Case("spaces after commas", ".csv", PLAIN.replace(",", ", ")),
    Case("everything quoted", ".csv", "\n".join('"' + line.replace(",", '","') + '"' for line in PLAIN.split())),
    Case("lines end with CR LF", ".csv", PLAIN.replace("\n", "\r\n")),
    Case("lines end with CR", ".csv", PLAIN.replace("\n", "\r")),
    Case("no newline at the end", ".csv", PLAIN.rstrip()),
    Case("blank lines at the end", ".csv", PLAIN + "\n\n"),
    Case("blank lines between", ".csv", PLAIN.replace("\n", "\n\n")),
    Case("blank lines before", ".csv", "\n\n" + PLAIN),
    Case(
        "a bad cell after blank lines", ".csv", PLAIN.replace("\n", "\n\n").replace("0.125", "x"), {}, "row 7, column"
    ),
    Case("separators at the end of every line", ".csv", PLAIN.replace("\n", ",\n")),
    Case("decimal commas", ".csv", GERMAN),
    Case("decimal commas, told", ".csv", GERMAN, {"decimal": ","}),
    Case(
        "decimal commas in quotes",
        ".csv",
        PLAIN.replace("0.5", '"0,5"').replace("-0.25", '"-0,25"').replace("0.125", '"0,125"'),
    ),
    Case(
        "commas that may part thousands",
        ".csv",
        "sides;price_moves\n1;1,000\n-1;2,500\n",
        {},
        "row 2, column 'price_moves': '1,000'",
    ),
    Case(
        "both marks",
        ".csv",
        GERMAN.replace("0,125", "1.000,125"),
        {"decimal": ","},
        "row 4, column 'price_moves': '1.000,125'",
    ),
    Case("decimal commas, told otherwise", ".csv", GERMAN, {"decimal": "."}, "row 2, column 'price_moves': '0,5'"),
    Case("gzip", ".csv.gz", gzip.compress(PLAIN.encode())),
    Case("gzip, .tsv", ".tsv.gz", gzip.compress(PLAIN.replace(",", "\t").encode())),
    Case("gzip that is cut off", ".csv.gz", gzip.compress(PLAIN.encode())[:-12], {}, "cannot be read as csv"),
    Case("no gzip at all", ".csv.gz", PLAIN, {}, "cannot be read as csv"),
    Case("a byte order mark", ".csv", b"\xef\xbb\xbf" + PLAIN.encode()),
    Case("UTF-16", ".csv", PLAIN.encode("utf-16")),
    Case(
        "another encoding, told",
        ".csv",
        (NAMED.format("stück")).encode("cp1252"),
        {"encoding": "cp1252", "columns": {"sizes": "stück"}},
    ),
    Case("another encoding, not told", ".csv", (NAMED.format("stück")).encode("cp1252"), {}, "not UTF-8"),
    Case("NUL in a cell", ".csv", cell(3, 1, "-0.25\x00"), {}, "row 3, column 'price_moves'"),
    Case("a quote that never ends", ".csv", cell(3, 1, '"-0.25'), {}, "cannot be read as csv"),
    Case("empty", ".csv", "", {}, "cannot be read as csv"),
    Case("a header alone", ".csv", "sides,price_moves\n", {}, "no rows"),
    Case("no header", ".csv", PLAIN.partition("\n")[2], {}, "row 1: no header"),
    Case("bytes", ".csv", bytes(range(256)), {}, "not UTF-8"),
    Case("a workbook", ".xlsx", b"PK", {}, "a tape is a .csv or a .parquet file"),
    Case("JSON", ".json", "[]", {}, "a tape is a .csv or a .parquet file"),
]
NAMES = [
    Case("capitals", ".csv", PLAIN.replace("sides", "SIDES").replace("price_moves", "Price_Moves")),
    Case("spaces in names", ".csv", PLAIN.replace("price_moves", " Price moves ")),
    Case("punctuation in names", ".csv", PLAIN.replace("price_moves", "price-moves")),
    Case("side, in the singular", ".csv", PLAIN.replace("sides", "Side")),
    *(
        Case(f"{name} instead of sizes", ".csv", NAMED.format(name), {}, f"column {name!r} looks like sizes")
        for name in ("size", "qty", "Quantity", "volume", "Notional")
    ),
    Case("qty, told", ".csv", NAMED.format("qty"), {"columns": {"sizes": "qty"}}),
    Case(
        "a name that is not there",
        ".csv",
        NAMED.format("qty"),
        {"columns": {"sizes": "qqty"}},
        "no column 'qqty' for sizes",
    ),
    Case("nothing that a column can be", ".csv", PLAIN, {"columns": {"seizes": "sizes"}}, "'seizes' is nothing that a"),
    *(
        Case(
            f"{name} beside them",
            ".csv",
            NAMED.format(f"sizes,{name}").replace("\n", ",a\n").replace(",a", "", 1),
            {},
            f"{name!r} looks like episode",
        )
        for name in ("episodes", "day", "Date", "session")
    ),
    Case("direction", ".csv", PLAIN.replace("sides", "direction"), {}, "no column 'sides'"),
    Case("direction, told", ".csv", PLAIN.replace("sides", "direction"), {"columns": {"sides": "direction"}}),
    Case("returns", ".csv", PLAIN.replace("price_moves", "return"), {}, "'return' looks like price_moves"),
    Case("a price", ".csv", PLAIN.replace("price_moves", "price"), {}, "'price' looks like mid"),
    Case("two columns of one name", ".csv", PLAIN.replace("sizes", "sides"), {}, "two columns are named 'sides'"),
    Case("two columns that may be sides", ".csv", PLAIN.replace("sizes", "Side"), {}, "may all be sides"),
    Case("no price", ".csv", "sides\n1\n-1\n", {}, "no column 'price_moves'"),
    Case(
        "something left over",
        ".csv",
        "venue,sides,price_moves,sizes\n" + "".join(f"A,{line}\n" for line in PLAIN.split()[1:]),
    ),
]
CELLS = [
    Case("a row wider than the header", ".csv", PLAIN.replace("-0.25,2", "-0.25,2,9"), {}, "row 3"),
    Case("a first row wider than the header", ".csv", PLAIN.replace("0.5,1", "0.5,1,9"), {}, "row 2"),
    Case("every row wider than the header", ".csv", PLAIN.replace("\n", ",9\n").replace(",9", "", 1), {}, "row 2"),
    Case("a row too short", ".csv", PLAIN.replace("-0.25,2", "-0.25"), {}, "row 3, column 'sizes': missing ('')"),
    *(
        Case(f"{text!r} as a move", ".csv", cell(4, 1, text), {}, f"row 4, column 'price_moves': {told}")
        for text, told in {
            "": "missing ('')",
            "NA": "missing ('NA')",
            "nan": "missing ('nan')",
            "null": "missing ('null')",
            "inf": "'inf'",
            "\N{MINUS SIGN}0.25": "'\N{MINUS SIGN}0.25'",
            "1e10": "'1e10'",
            "0.1.2": "'0.1.2'",
            "$0.10": "'$0.10'",
            "5%": "'5%'",
            "#REF!": "'#REF!'",
            "1_0": "'1_0'",
        }.items()
    ),
    *(
        Case(f"{text!r} as a size", ".csv", cell(4, 2, text), {}, f"row 4, column 'sizes': {told}")
        for text, told in {
            "0": "'0'",
            "-3": "'-3'",
            "1.5": "'1.5'",
            "2000000": "'2000000'",
            "three": "'three'",
            "": "missing",
        }.items()
    ),
    Case("a size as 3.0", ".csv", cell(4, 2, "3.0")),
    Case("a size as 3e0", ".csv", cell(4, 2, "3e0")),
    Case("a repeated header", ".csv", PLAIN + PLAIN, {}, "row 6, column 'sides': 'sides'"),
    Case(
        "a total row", ".csv", PLAIN + "Total,0.375,7\n", {}, "row 6, column 'sides': 'Total': a total is not a request"
    ),
    Case(
        "a total row, named elsewhere",
        ".csv",
        timed(1, 2, 3, 4) + "Sum,0,0.375,7\n",
        {},
        "'Sum': a total is not a request",
    ),
    Case("a footer", ".csv", PLAIN + "4 rows\n", {}, "row 6, column 'sides': '4 rows'"),
]
CODINGS = [
    *(
        Case(f"sides {buy}/{sell}", ".csv", coded(buy, sell, buy, sell))
        for buy, sell in (
            ("+1", "-1"),
            ("1.0", "-1.0"),
            ("buy", "sell"),
            ("BUY", "SELL"),
            ("B", "S"),
            ("Bought", "sold"),
        )
    ),
    Case("sides of two codings", ".csv", coded("1", "sell", "buy", "S")),
    Case("true and false", ".csv", coded("True", "False", "True", "False"), {}, "row 2, column 'sides': 'True'"),
    Case("true and false, told", ".csv", coded("True", "False", "True", "False"), {"true": "buy"}),
    Case("true and false, the other way", ".csv", coded("false", "true", "false", "true"), {"true": "sell"}),
    Case("FIX codes", ".csv", coded("1", "2", "1", "2"), {}, "row 3, column 'sides': '2'"),
    Case("bid and ask as sides", ".csv", coded("ask", "bid", "ask", "bid"), {}, "row 2, column 'sides': 'ask'"),
    Case("a missing side", ".csv", coded("1", "", "1", "-1"), {}, "row 3, column 'sides': missing ('')"),
    Case("signed requests", ".csv", "request,price_move\n1,0.5\n-2,-0.25\n3,0.125\n-1,0\n"),
    Case("mids", ".csv", with_mid(mid=MID)),
    Case("bids and asks", ".csv", with_mid(bid=MID - 0.25, ask=MID + 0.25)),
    Case("a bid above the ask", ".csv", with_mid(bid=MID + 0.25, ask=MID - 0.25), {}, "row 2, column 'bid'"),
    Case("a bid alone", ".csv", with_mid(bid=MID), {}, "bid and ask stand for the mid together"),
    Case("one mid", ".csv", "sides,mid\n1,100\n", {}, "need two requests"),
]
ORDERS = [
    Case("times", ".csv", timed(1, 2, 2, 3)),
    Case("dates and times", ".csv", timed(*(f"2024-05-31 09:30:0{i}" for i in range(4)), name="Timestamp")),
    Case("times with zones", ".csv", timed(*(f"2024-05-31T09:30:0{i}+02:00" for i in range(4)))),
    Case("times of day", ".csv", timed("9:30:00", "9:30:00.5", "10:00:00", "10:01:00")),
    Case(
        "American dates",
        ".csv",
        timed(*(f"5/31/2024 9:30:0{i}" for i in range(4))),
        {},
        "row 2, column 'time': '5/31/2024 9:30:00': not a time",
    ),
    Case(
        "time runs backwards",
        ".csv",
        timed(1, 2, 1.5, 3),
        {},
        "row 4, column 'time': '1.5': earlier than the row before",
    ),
    Case(
        "midnight",
        ".csv",
        timed("23:59:58", "23:59:59", "00:00:01", "00:00:02"),
        {},
        "row 4, column 'time': '00:00:01'",
    ),
    Case("a missing time", ".csv", timed(1, 2, "", 4), {}, "row 4, column 'time': missing"),
    Case(
        "time runs backwards, sorted",
        ".csv",
        "\n".join([PLAIN.split()[0] + ",time", *(f"{row},{4 - i}" for i, row in enumerate(PLAIN.split()[:0:-1]))]),
        {"sort": True},
    ),
    Case(
        "episodes that differ in length",
        ".csv",
        "episode,sides,price_moves\na,1,0\na,-1,0\nb,1,0\n",
        {},
        "episodes differ in length: [1, 2]",
    ),
    Case(
        "a missing episode", ".csv", "episode,sides,price_moves\na,1,0\n,-1,0\n", {}, "row 3, column 'episode': missing"
    ),
]
TYPES = [
    Case("Parquet", ".parquet", columnar(FRAME)),
    Case("Feather", ".feather", columnar(FRAME, "feather")),
    Case("Parquet with an index", ".parquet", columnar(FRAME.set_index("sides"))),
    Case("Parquet of text", ".parquet", columnar(FRAME.astype(str))),
    Case("Parquet that is none", ".parquet", "PAR1", {}, "cannot be read as parquet"),
    parquet("32 bits", sides=np.array(SIDES, np.int8), price_moves=np.array(MOVES, np.float32)),
    parquet("categories", sides=pd.Categorical(["buy", "sell", "buy", "sell"])),
    parquet("nullable numbers", sizes=pd.array(SIZES, "Int64")),
    parquet("nulls", error="row 2, column 'sizes': missing", sizes=pd.array([1, None, 3, 1], "Int64")),
    parquet("NaNs", error="row 2, column 'price_moves': missing", price_moves=[0.5, np.nan, 0, 0]),
    parquet("booleans", error="row 1, column 'sides': 'True'", sides=[True, False, True, False]),
    parquet("booleans, told", {"true": "buy"}, sides=[True, False, True, False]),
    parquet("times", time=pd.date_range("2024-01-01", periods=4, tz="UTC")),
    parquet("times backwards", error="row 2, column 'time': '2024-01-03", time=pd.date_range("2024", periods=4)[::-1]),
]
CASES = [*DIALECTS, *NAMES, *CELLS, *CODINGS, *ORDERS, *TYPES]


def page() -> str:
    """The table in docs/awkward-files.md: `python -m tests.market.recordings.awkward > docs/awkward-files.md`."""
    rows = [f"| {case.what} | {case.ending} | {_outcome(case)} |".replace("\\|", "") for case in CASES]
    intro = (
        "# Awkward files",
        "",
        "Each holds the same four requests, is made by `tests/market/recordings/awkward.py` and read by a test. What",
        "is quoted is part of the error. [Your own trades](your-own-trades.md) tells how files are read.",
        "",
        "| file | ending | outcome |",
        "|---|---|---|",
    )
    return "\n".join([*intro, *rows]) + "\n"


def _outcome(case: Case) -> str:
    told = ", ".join(f"{name}={value!r}" for name, value in case.options.items())
    return (f"refused: `{case.error}`" if case.error else "read") + (f" with `{told}`" if told else "")


if __name__ == "__main__":
    print(page(), end="")
