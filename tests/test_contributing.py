"""What CONTRIBUTING promises: the tree that it draws, and the files that a usual change touches."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()

# A toy price process that the dealer observes: a signal of +1 or -1 at every step, by which the next move drifts.
SIGNAL = {
    "mm_env/market/params.py": (
        '    liquidate_at_end: bool = flag(False, "charge the cost of flattening the last inventory")\n',
        '    signal_drift: float = on_tape(real(0.0, "drift of a move towards the signal", "price units"))\n',
    ),
    "mm_env/market/random_streams.py": (
        '        "jump": params.jump_probability > 0,\n',
        '        "signal": params.signal_drift > 0,\n',
    ),
    "mm_env/market/exogenous_state.py": (
        "    deviation: Number = 0.0  # known mid less starting price, his own impact apart, price units\n",
        "    signal: Number = 0.0\n",
    ),
    "mm_env/market/flow.py": (
        "    observed = ObservedState(last_side, regime, known)\n",
        '    if "signal" in u:\n'
        '        signal = over.where(u["signal"] < 0.5, -1.0, 1.0)\n'
        "        change = change + params.signal_drift * signal\n"
        "        expected = expected + params.signal_drift * signal\n"
        "        observed = observed._replace(signal=signal)\n",
    ),
    "mm_env/market/transition_law.py": ("    endless = {\n", '        "signal_drift": "the toy",\n'),
    "mm_env/envs/observation.py": (
        "OBSERVATIONS = (\n",
        '    ObservationColumn("signal", "drift to come", -1.0, 1.0, lambda book, state, left, params: '
        "state.observed.signal, lambda params: params.signal_drift > 0),\n",
    ),
}

PLAY = """
import gymnasium as gym, numpy as np, mm_env
from baselines import make_policy
from baselines.solver.optimum import solve
from mm_env.market.transition_law import UnsolvableError
env = gym.make("mm_env/Hedging-v0", signal_drift=0.5)
assert "signal" in env.unwrapped.observation_names, env.unwrapped.observation_names
place = env.unwrapped.observation_names.index("signal")
lanes = gym.make_vec("mm_env/Hedging-v0", num_envs=3, vectorization_mode="vector_entry_point", signal_drift=0.5)
seen, _ = env.reset(seed=7)
rows, _ = lanes.reset(seed=7)
signals, moves, price = [], [], 100.0
for _ in range(100):
    np.testing.assert_array_equal(seen, rows[0])
    signals.append(seen[place])
    seen, reward, *_, info = env.step(10)
    rows, rewards, *_ = lanes.step(np.full(3, 10))
    assert reward == rewards[0]
    moves.append(info["price"] - price)
    price = info["price"]
assert set(signals) == {-1.0, 1.0}
drift = np.mean(np.array(signals) * moves)
assert abs(drift - 0.5) < 4 * 0.3 / 10, drift
on, off = mm_env.market_params(signal_drift=0.5), mm_env.market_params()
played = mm_env.play(make_policy("threshold", on), on, 3, seed=1)
assert abs(np.mean(played.inventory_pnl - played.unexpected_pnl)) > 0
try:
    solve(on)
except UnsolvableError as error:
    assert "signal_drift" in str(error)
else:
    raise AssertionError("solved without knowing the signal")
print(mm_env.play(make_policy("threshold", off), off, 3, seed=1).pnl.tolist())
"""


def test_an_observed_price_process_touches_the_files_that_are_listed(tmp_path):
    section = TEXT.partition("## Add a price process")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(mm_env/\S+\.py)`", section)) == set(SIGNAL)
    assert len(SIGNAL) <= 6
    for package in ("mm_env", "baselines"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (anchor, inserted) in SIGNAL.items():
        source = (tmp_path / name).read_text()
        assert source.count(anchor) == 1, f"{name}: where does this go now?"
        (tmp_path / name).write_text(source.replace(anchor, anchor + inserted))
    changed, same = (run(PLAY, tmp_path), run(BASE, ROOT))
    assert changed == same  # turned off, the process leaves the base market as it is, bit for bit


BASE = """
import mm_env
from baselines import make_policy
params = mm_env.market_params()
print(mm_env.play(make_policy("threshold", params), params, 3, seed=1).pnl.tolist())
"""


def run(code, folder):
    env = {**os.environ, "PYTHONPATH": str(folder)}
    ended = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=env)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_tree_is_the_house():
    """Every folder of the packages has a line in the plan, and every folder named there exists."""
    plan = TEXT.partition("```\n")[2].partition("```")[0]
    named = set(re.findall(r"^\s*([a-z_]+/)", plan, flags=re.M))
    folders = [
        path.parent
        for package in ("mm_env", "baselines", "train")
        for path in ROOT.joinpath(package).rglob("__init__.py")
    ]
    there = {f"{folder.name}/" for folder in folders}
    assert there <= named
    assert named - there <= {"tests/", "benchmarks/", "docs/", "hyperparameters/", "shipped/"}
    for folder in folders:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= 13, f"{folder} is full"


def test_the_numbers_of_files_are_counted():
    for heading, number in re.findall(r"^## (Add .*) \((\d+) files?\)$", TEXT, flags=re.M):
        section = TEXT.partition(f"## {heading} ({number} file")[2].partition("\n## ")[0]
        files = set(re.findall(r"`((?:mm_env|baselines|train)/\S+\.(?:py|yml))`|`(README\.md)`", section))
        assert len(files) == int(number), (heading, files)
        assert all((ROOT / (source or page)).exists() for source, page in files), heading
