"""`mm-env train --market mm_env/DealerVsRules-v0`: one dealer among rivals with rules, and their league."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mm_env.cli.console import print_json, progress_bar
from mm_env.cli.tables import print_league
from mm_env.registration import dealers_params

_EPISODES = 2_000  # of the league, each played from every seat


def train_among_rivals(market: str, seed: int, run_dir: Path, asked: dict[str, Any], as_json: bool) -> None:
    """Train a dealer against the rivals that the id comes with, save it, and print what each of them earns."""
    from baselines.dealer_vs_rules import RIVALS
    from baselines.evaluation.league import league
    from baselines.policies.registry import make_policy
    from train.dealer import train_dealer
    from train.policies.saved_policy import NAME, save_policy

    if (run_dir / f"{NAME}.json").exists():
        raise ValueError(f"{run_dir} holds a policy already: name another folder")
    changes = asked.pop("env_kwargs") or {}
    params = dealers_params(market, **{"num_dealers": len(RIVALS) + 1, **changes})
    policy = train_dealer(params, RIVALS, seed=seed, **asked)
    save_policy(policy, run_dir)
    click.echo(f"the policy is in {run_dir}: mm-env compete --policy {run_dir}", err=True)
    seats = {str(run_dir): policy, **{rival: make_policy(rival, params) for rival in RIVALS}}
    with progress_bar("playing", _EPISODES * len(seats)) as advance:
        found = league(seats, params, _EPISODES, seed, advance)
    if as_json:
        print_json(found.to_dict())
    else:
        print_league(found)
