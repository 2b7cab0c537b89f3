"""EXPERIMENTS: the published experiments by name, how they are run, and the page of what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from baselines.reference_check import HEADER, STANDARD_ERRORS, ReferenceCheck
from baselines.replications import avellaneda_stoikov, cartea_jaimungal, fx_desk, linear_quadratic, winners_curse
from baselines.replications.experiment import Experiment
from mm_env.market.validation import suggestion
from mm_env.pools.worker_pool import in_order
from mm_env.readable import markdown_rows

EXPERIMENTS: Mapping[str, Experiment] = {
    "avellaneda-stoikov": avellaneda_stoikov.EXPERIMENT,
    "cartea-jaimungal": cartea_jaimungal.EXPERIMENT,
    "barzykin-bergault-gueant": fx_desk.EXPERIMENT,
    "bergault-bodor-gueant": linear_quadratic.AS_CLIENTS_COME,
    "nutz-webster-zhao": linear_quadratic.IN_RUNS,
    "winners-curse": winners_curse.EXPERIMENT,
}


def replicate(
    names: Sequence[str],
    episodes: int,
    seed: int = 0,
    advance: Callable[[int], None] = lambda parts: None,
    workers: int = 1,
) -> dict[str, list[ReferenceCheck]]:
    """The figures of some experiments of `EXPERIMENTS`.

    Args:
        names: Which.
        episodes: To play for what is simulated, at least 2.
        seed: Of the episodes.
        advance: Told of each part that is done.
        workers: Processes, a part each at a time: the same figures for any number.

    Raises:
        ValueError: No such experiment.

    Example:
        >>> replicate(["black-scholes"], episodes=100)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        ValueError: no experiment 'black-scholes'; known: ...
    """
    for name in names:
        if name not in EXPERIMENTS:
            raise ValueError(f"no experiment {name!r}; {suggestion(name, list(EXPERIMENTS))}")
    found: dict[str, list[ReferenceCheck]] = {name: [] for name in names}
    parts = [(name, place) for name in found for place in range(len(EXPERIMENTS[name].parts))]
    play = partial(_figures, episodes=episodes, seed=seed)
    for (name, _), figures in zip(parts, in_order(play, parts, workers), strict=True):
        found[name] += figures
        advance(1)
    return found


def _figures(part: tuple[str, int], episodes: int, seed: int) -> list[ReferenceCheck]:
    name, place = part
    return EXPERIMENTS[name].parts[place](episodes, seed)


def page(found: Mapping[str, Sequence[ReferenceCheck]], episodes: int, seed: int) -> str:
    """A page in Markdown of what `replicate` found."""
    lines = [
        "# Published experiments, replicated",
        "",
        f"Written by `mm-env replicate --episodes {episodes} --seed {seed} --out docs`. A figure agrees if it is "
        f"within {STANDARD_ERRORS:g} standard errors of its reference or, where nothing is sampled, within what is "
        "allowed. Intervals are 95 %.",
    ]
    for name, figures in found.items():
        experiment = EXPERIMENTS[name]
        lines += ["", f"## {experiment.title}", "", f"{experiment.source}.", "", experiment.setting, ""]
        lines += markdown_rows(HEADER, [figure.row() for figure in figures])
    return "\n".join(lines) + "\n"
