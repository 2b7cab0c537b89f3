"""The same bits with other instructions, of markets, lanes, scores and the solver: `python -m benchmarks.bits`.

Each row is a fresh process. NumPy is told by NPY_DISABLE_CPU_FEATURES which of its routines to leave aside, Numba by
NUMBA_CPU_NAME for which processor to compile, OpenBLAS by OPENBLAS_CORETYPE which of its kernels to take. A digest is
over every number of observations, rewards and infos, of totals of episodes, or of values and actions of the optimum.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

import click
import numpy as np

from baselines import make_policy, solve
from baselines.evaluation.scoring import play_totals
from baselines.solver import choice, choice_kernel, stages
from mm_env.envs.dealers_vector_env import DealersVectorEnv
from mm_env.envs.hedging_vector_env import HedgingVectorEnv
from mm_env.registration import MARKETS, market_params

_LANES = 60


def settings() -> dict[str, dict[str, str]]:
    """Environment variables by what is left to the processor."""
    from numpy._core import _multiarray_umath as umath

    offered = umath.__cpu_dispatch__
    widest = [name for name in offered if "512" in name or name == "X86_V4"]

    def without(features: list[str], processor: str) -> dict[str, str]:
        numba = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
        return {"NPY_DISABLE_CPU_FEATURES": " ".join(features), "OPENBLAS_CORETYPE": processor, **numba}

    return {
        "as it is": {},
        "without AVX-512": without(widest, "haswell"),
        "without AVX2": without(offered, "nehalem"),
    }


def digests(markets: list[str], steps: int, seed: int) -> dict[str, str]:
    """A digest of everything that is computed, by what computes it."""
    found = {}
    for compiled in (True, False):
        lanes = [_lanes(HedgingVectorEnv, steps, seed, compiled, market_params(name).to_dict()) for name in markets]
        found[f"lanes, {_by(compiled)}"] = _digest(lanes)
        found[f"dealers, {_by(compiled)}"] = _digest([_lanes(DealersVectorEnv, steps, seed, compiled, {})])
        found[f"scores, {_by(compiled)}"] = _digest([_totals(name, seed, compiled) for name in markets])
        stages.choice = choice_kernel if compiled else choice  # type: ignore[misc]
        optima = [solve(market_params(name, num_trades=10)) for name in markets]
        parts = [part.tobytes() for each in optima for part in (each.values, each.hedge_index, each.quote_index)]
        found[f"optimum, {_by(compiled)}"] = _digest(parts)
    return found


def _by(compiled: bool) -> str:
    return "machine code" if compiled else "NumPy"


def _lanes(kind: Any, steps: int, seed: int, compiled: bool, market: dict[str, Any]) -> bytes:
    env = kind(_LANES, compiled=compiled, **market)
    env.action_space.seed(seed)
    seen = [_all(env.reset(seed=seed))]
    seen += [_all(env.step(env.action_space.sample())) for _ in range(steps)]
    return b"".join(seen)


def _totals(market: str, seed: int, compiled: bool) -> bytes:
    totals = play_totals(make_policy("threshold:5", market_params(market)), market, _LANES, seed, compiled=compiled)
    return _all(vars(totals))


def _all(parts: Any) -> bytes:
    values = parts.values() if isinstance(parts, dict) else parts
    return b"".join(
        _all(value) if isinstance(value, dict | tuple) else np.ascontiguousarray(value).tobytes() for value in values
    )


def _digest(parts: list[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


@click.command(context_settings={"show_default": True})
@click.option("--market", "markets", multiple=True, default=tuple(MARKETS), help="Only this one; repeatable.")
@click.option("--steps", default=130, help="Of every lane: an episode and a part of the next.")
@click.option("--seed", default=0)
@click.option("--json", "as_json", is_flag=True, help="Print the digests of this process alone, as JSON.")
def main(markets: tuple[str, ...], steps: int, seed: int, as_json: bool) -> None:
    """Print a digest of what is computed, by machine code and by NumPy, with fewer and fewer instructions.

    Example: python -m benchmarks.bits --market mm_env/Hedging-v0
    """
    if as_json:
        click.echo(json.dumps(digests(list(markets), steps, seed)))
        return
    asked = [argument for market in markets for argument in ("--market", market)]
    command = [sys.executable, "-m", "benchmarks.bits", *asked, "--steps", str(steps), "--seed", str(seed), "--json"]
    found: dict[str, dict[str, str]] = {}
    for name, variables in settings().items():
        done = subprocess.run(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout)
        for what, digest in found[name].items():
            click.echo(f"{name:16} {what:22} {digest}")
    different = [
        what
        for what in ("lanes", "dealers", "scores", "optimum")
        if len({told[f"{what}, {_by(compiled)}"] for told in found.values() for compiled in (True, False)}) > 1
    ]
    if different:
        raise click.ClickException(f"not the same bits: {', '.join(different)}")
    click.echo("the same bits everywhere")


if __name__ == "__main__":
    main()
