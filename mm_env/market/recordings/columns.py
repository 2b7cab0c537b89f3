"""Columns: which column of a table is what, found by name or told, never guessed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Role(NamedTuple):
    """What a column can be: its meaning, the names it is taken by, and those that only look like it."""

    meaning: str
    names: tuple[str, ...] = ()  # beside the role's own
    resembling: tuple[str, ...] = ()


ROLES: Mapping[str, Role] = {
    "sides": Role(
        "the client's side: +1 or buy, -1 or sell, 0 nobody came",
        ("side",),
        ("direction", "dir", "buysell", "bs", "clientside", "buyorsell", "isbuy", "action", "way"),
    ),
    "sizes": Role(
        "units of the request, whole numbers",
        (),
        ("size", "qty", "quantity", "quantities", "volume", "vol", "amount", "notional", "units", "lots", "nominal"),
    ),
    "request": Role("signed units: above 0 the client buys, below he sells; instead of sides and sizes"),
    "price_moves": Role(
        "move of the mid after the request, price units",
        ("price_move",),
        ("move", "moves", "pricechange", "change", "return", "returns", "pricemovement", "delta"),
    ),
    "mid": Role(
        "the mid at the request, before the move that follows; instead of price_moves",
        ("mid_price",),
        ("price", "mids", "midquote", "fairprice", "fair"),
    ),
    "bid": Role("the best bid at the request; with ask, instead of mid", ("bid_price",), ("bestbid",)),
    "ask": Role("the best ask at the request; with bid, instead of mid", ("ask_price",), ("bestask", "offer")),
    "episode": Role(
        "which episode a row belongs to",
        (),
        ("episodes", "day", "date", "tradedate", "session", "sessions", "sessionid", "episodeid", "tradingday"),
    ),
    "time": Role(
        "when the request came: numbers, ISO 8601 or HH:MM:SS",
        ("timestamp", "datetime"),
        ("times", "ts", "timestamps", "transacttime", "tradetime", "eventtime"),
    ),
    "accepted": Role("whether the client accepted the quote", (), ("acceptance", "won", "isaccepted", "done")),
    "quote": Role("distance of the quote from the mid, price units", (), ("quotes", "quoted", "quotedistance")),
    "reservation": Role("the widest quote that the client would have accepted, distance from the mid; inf: any"),
    "regime": Role("index of the volatility regime, from 0"),
    "tier": Role("the client's tier", (), ("tiers", "clienttier", "segment")),
}
_INSTEAD = {"sides": "request", "sizes": "request", "price_moves": "mid", "mid": "price_moves"}  # does for the other


def assign_columns(
    names: Sequence[str], told: Mapping[str, str | None], where: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The column of every role that has one, and the columns that are left over.

    Args:
        names: Of the table's columns.
        told: The column of a role, by name; None: the role is to have none, whatever is there.
        where: The table, for messages.

    Raises:
        ValueError: A name twice, a role or a column that is not there, a column that resembles one of a role that
            has none, or no sides or price moves.
    """
    _check_told(names, told, where)
    taken = {role: column for role, column in told.items() if column is not None}
    for role, entry in ROLES.items():
        known = {plain(role), *map(plain, entry.names)}
        found = [name for name in names if plain(name) in known and name not in taken.values()]
        if role in told or not found:
            continue
        if len(found) > 1:
            raise ValueError(f"{where}: columns {_listed(found)} may all be {role}; {_how(role, found[0])}")
        taken[role] = found[0]
    for better, others in (("price_moves", ("mid", "bid", "ask")), ("mid", ("bid", "ask"))):
        for role in others:
            if better in taken and role not in told:
                taken.pop(role, None)
    _check_needed(names, taken, where)
    left = tuple(name for name in names if name not in taken.values())
    for role, entry in ROLES.items():
        spared = role in taken or role in told or _INSTEAD.get(role) in taken or role in ("mid", "bid", "ask")
        resembling = [] if spared else [name for name in left if plain(name) in entry.resembling]
        if resembling:
            raise ValueError(
                f"{where}: column {resembling[0]!r} looks like {role} ({entry.meaning}) but is not taken by that name; "
                f"{_how(role, resembling[0])}; to go without, columns={{{role!r}: None}} or --column {role}="
            )
    return taken, left


def plain(name: str) -> str:
    """A name without case, spaces and punctuation.

    Example:
        >>> plain("Price moves"), plain("price_moves")
        ('pricemoves', 'pricemoves')
    """
    return "".join(c for c in name.casefold() if c.isalnum())


def _check_told(names: Sequence[str], told: Mapping[str, str | None], where: str) -> None:
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ValueError(f"{where}: two columns are named {twice[0]!r}")
    for role, column in told.items():
        if role not in ROLES:
            raise ValueError(f"columns: {role!r} is nothing that a column can be; known: {', '.join(ROLES)}")
        if column is not None and column not in names:
            raise ValueError(f"{where}: no column {column!r} for {role}; found {_listed(names)}")


def _check_needed(names: Sequence[str], taken: Mapping[str, str], where: str) -> None:
    """Raise `ValueError` unless there are sides and price moves, each told once."""
    for choices in (("sides", "request"), ("sizes", "request"), ("price_moves", "mid", "bid")):
        several = [taken[role] for role in choices if role in taken]
        if len(several) > 1:
            raise ValueError(
                f"{where}: columns {_listed(several)} tell the same; decline one with columns={{...: None}}"
            )
        if not several and choices[0] != "sizes":
            near = [name for role in choices for name in names if plain(name) in ROLES[role].resembling]
            role = next((role for role in choices for name in near[:1] if plain(name) in ROLES[role].resembling), "")
            hint = f"; column {near[0]!r} looks like {role}: {_how(role, near[0])}" if near else ""
            meaning = f"{choices[0]} ({ROLES[choices[0]].meaning}), or {' or '.join(choices[1:])}"
            raise ValueError(f"{where}: no column '{choices[0]}': {meaning}; found {_listed(names)}{hint}")
    if ("bid" in taken) != ("ask" in taken) and not {"mid", "price_moves"} & taken.keys():
        raise ValueError(f"{where}: bid and ask stand for the mid together, found only one of them")


def _how(role: str, column: str) -> str:
    return f"to take it, columns={{{role!r}: {column!r}}} or --column {shlex.quote(f'{role}={column}')}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
