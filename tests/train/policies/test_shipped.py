"""Policies that come with the package: small, worth what their cards say, read without PyTorch, refused elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import train
from baselines import policy_value
from mm_env import market_params
from train import load_policy

FOLDER = Path(train.__file__).parent / "shipped" / "ppo"
NAMES = sorted(path.name for path in FOLDER.iterdir())


def test_they_are_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 200_000
    assert len(NAMES) == 9


@pytest.mark.parametrize("name", [name for name in NAMES if "FX" not in name])
def test_they_are_worth_what_their_cards_say(name):
    policy = load_policy("ppo", f"mm_env/{name}")
    seed = policy.training["seed"]
    (told,) = re.findall(rf"^\| \*\*{seed}\*\* \|.*\| \*\*([\d.]+)\*\* \| \*\*[-\d.]+\*\* \|$", card(name), flags=re.M)
    assert policy_value(policy, f"mm_env/{name}") == pytest.approx(float(told), abs=1e-6)


def card(name):
    return (FOLDER / name / "README.md").read_text()


def test_no_torch_is_imported():
    code = "import sys, train; train.load_policy('ppo', 'mm_env/Hedging-v0'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_another_market_is_refused():
    changed = market_params("mm_env/Hedging-v0", hedge_cost_per_unit=0.02)
    with pytest.raises(ValueError, match="not for this one: train your own"):
        load_policy("ppo", changed)
    with pytest.raises(ValueError, match="name one"):
        load_policy("ppo")
    assert load_policy("ppo", market_params("mm_env/Hedging-v0", hedge_threshold=5)).env == "mm_env/Hedging-v0"
