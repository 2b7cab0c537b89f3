"""Without an extra: every door that needs it names it with the line that installs it; the rest goes on."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mm_env.extras import EXTRAS, MissingExtraError, needed_for

ROOT = Path(__file__).parents[1]
SAVED = ROOT / "tests" / "train" / "data" / "run_before_packages"

DOORS = {  # what is missing, and the code that needs it
    "stable_baselines3": [
        "from train import train_ppo",
        "from train import SB3VecEnv",
        "from train.ppo import train_ppo",
        "from train.dealer import train_dealer",
        "mm('train', '--steps', '1', '--out', 'run')",
        "mm('compare', '--ppo', '--episodes', '2')",
        f"mm('simulate', '--policy', {str(SAVED / 'best_model.zip')!r}, '--trust-pickle', '--episodes', '2')",
    ],
    "torch": ["from train import train_ppo", "mm('train', '--out', 'run')"],
    "yaml": ["from train import train_ppo", "mm('train', '--out', 'run')"],
    "tqdm": ["from train import train_ppo", "from train.dealer import train_dealer"],
    "tensorboard": ["mm('train', '--steps', '1', '--out', 'run')"],
    "safetensors": [
        f"from train import load_policy; load_policy({str(SAVED)!r})",
        f"mm('simulate', '--policy', {str(SAVED)!r}, '--episodes', '2')",
        f"mm('compete', '--policy', 'flat', '--policy', {str(SAVED)!r}, '--episodes', '2')",
    ],
    "matplotlib": [
        "import mm_env.plotting",
        "env = gym.make('mm_env/Hedging-v0', render_mode='rgb_array'); env.reset(); env.render()",
        *(f"mm({name!r}, '--out', 'out')" for name in ("simulate", "compare", "solve", "compete")),
    ],
    "pygame": ["env = gym.make('mm_env/Hedging-v0', render_mode='human'); env.reset()"],
    "pandas": [
        "mm_env.play(lambda seen: np.zeros(len(seen), int), 'mm_env/Hedging-v0', 2).to_dataframe()",
        "mm_env.Tape.read('tape.csv')",
        "mm('simulate', '--tape', 'tape.csv')",
        "mm('simulate', '--out', 'out')",
    ],
    "plotly": ["mm('benchmark', '--policies', 'never', '--html', 'out')"],
    "pyarrow": [
        "mm_env.play(lambda seen: np.zeros(len(seen), int), 'mm_env/Hedging-v0', 2).save('steps.parquet')",
        "mm_env.Tape.read('tape.parquet')",
        "mm('simulate', '--tape', 'tape.parquet')",
    ],
    "pettingzoo": ["import mm_env.parallel_env", "from mm_env.envs.dealers_env import DealersEnv"],
    "numba": ["gym.make_vec('mm_env/Hedging-v0', 2, vectorization_mode='vector_entry_point', compiled=True)"],
    "sb3_contrib": ["mm('train', '--algo', 'tqc', '--set', 'continuous=true', '--out', 'run')"],
    "statsmodels": ["from baselines.calibration.price_moves import fit_moves; fit_moves(np.arange(100.0)[None], 2)"],
    "wandb": ["mm('train', '--track', 'wandb', '--out', 'run')"],
    "h5py": ["mm('dataset', '--episodes', '2', '--out', 'out')"],
    "minari": ["mm('dataset', '--episodes', '2', '--out', 'out')"],
    "mlflow": ["mm('train', '--track', 'mlflow', '--out', 'run')"],
    "onnx": [f"mm('export', {str(SAVED)!r}, '--onnx', 'out.onnx')"],
    "onnxruntime": ["open('p.onnx', 'wb').close(); mm('simulate', '--policy', 'p.onnx', '--episodes', '2')"],
    "ray": ["from train.rllib_dealers import train_dealers; train_dealers(mm_env.DealersParams(num_dealers=2))"],
}

ASK = """
import sys
import gymnasium as gym, numpy as np, mm_env
from click.testing import CliRunner
from mm_env.cli.main import main

def mm(*arguments):
    ended = CliRunner().invoke(main, arguments)
    raise ImportError(ended.output) if ended.exit_code == 1 else AssertionError((ended.exit_code, ended.output))

sys.modules[sys.argv[1]] = None
for door in sys.argv[2:]:
    for name in [name for name in sys.modules if name.startswith(("train.", "mm_env.plotting")) or name == "train"]:
        del sys.modules[name]
    try:
        exec(door)
    except ImportError as error:
        print(" ".join(str(error).split()))
    else:
        print("let through:", door)
"""


@pytest.mark.parametrize("missing", DOORS)
def test_every_door_names_the_extra_that_is_missing(missing, tmp_path):
    for tool in {"stable_baselines3", "torch", "pandas", "pyarrow", "pettingzoo", "tensorboard", "safetensors"}:
        if missing != "ray":
            pytest.importorskip(tool)
    run = subprocess.run(
        [sys.executable, "-c", ASK, missing, *DOORS[missing]],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    told = run.stdout.splitlines()
    assert len(told) == len(DOORS[missing])
    for door, message in zip(DOORS[missing], told, strict=True):
        assert f"pip install 'mm_env[{EXTRAS[missing]}]'" in message, (door, message)
    assert not (tmp_path / "out").exists()  # nothing was begun


def test_the_extras_are_those_of_the_package():
    assert set(DOORS) == set(EXTRAS)
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    packages = {"yaml": "pyyaml", "stable_baselines3": "stable-baselines3", "sb3_contrib": "sb3-contrib"}
    for module, extra in EXTRAS.items():
        assert any(line.startswith(packages.get(module, module)) for line in offered[extra]), module


def test_a_module_of_no_extra_is_not_hidden():
    with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere'"), needed_for("nothing"):
        import nowhere  # noqa: F401
    with pytest.raises(MissingExtraError, match="inner need torch"), needed_for("outer"), needed_for("inner"):
        raise ModuleNotFoundError(name="torch.nn")
