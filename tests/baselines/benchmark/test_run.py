"""Running a benchmark: the same results whatever the workers, and after being killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from baselines import make_policy
from baselines.benchmark.run import benchmark

COMMAND = [sys.executable, "-m", "mm_env", "benchmark", "--policies", "never,band:5:1:3,best-band,optimal"]
MARKETS = ["--market", "mm_env/TicketFee-v0", "--market", "mm_env/Hedging-v0"]


def run(folder, *more):
    return subprocess.run([*COMMAND, *MARKETS, "--out", folder, *more], capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder, "--workers", "1")
    return (folder / "results.json").read_bytes()


def test_workers_change_nothing(undisturbed, tmp_path):
    run(tmp_path, "--workers", "3")
    assert (tmp_path / "results.json").read_bytes() == undisturbed
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "results.csv",
        "results.json",
        "results.md",
        "seconds.csv",
    ]


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(undisturbed, tmp_path):
    """kill -9 at ten random moments, then --resume: the same file, and no worker is left behind."""
    draw = random.Random(3)
    for _ in range(10):
        begun = subprocess.Popen(
            [*COMMAND, *MARKETS, "--out", tmp_path, "--resume", "--workers", "2"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(draw.uniform(0.5, 6.0))
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        for _ in range(600):  # a worker that was only starting ends once it has started
            if not alive(begun.pid):
                break
            time.sleep(0.1)
        assert not alive(begun.pid)
    run(tmp_path, "--resume", "--workers", "2")
    assert (tmp_path / "results.json").read_bytes() == undisturbed


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_was_done_is_kept_and_what_changed_is_not(tmp_path):
    """A task that is done is not done again; another number of episodes, or another file, is another task."""
    asked = []

    def load(source, params, seed):
        asked.append(source)
        return make_policy(source, params, seed)

    markets = ["mm_env/TicketFee-v0"]
    first, _ = benchmark(["never", "flat"], load, "v1", markets, folder=tmp_path)
    again, _ = benchmark(["never", "flat"], load, "v1", markets, folder=tmp_path)
    assert asked == ["never", "flat"]
    assert first == again
    benchmark(["never", "band:5:1"], load, "v1", markets, folder=tmp_path)
    assert asked == ["never", "flat", "band:5:1"]


@pytest.mark.parametrize(
    ("sources", "markets", "reason"),
    [
        (["never"], ["mm_env/Dealers-v0"], "is not in suite 'v1'"),
        (["never", "never=flat"], ["mm_env/TicketFee-v0"], "names of their own"),
        ([], ["mm_env/TicketFee-v0"], "be some"),
        (["nobody"], ["mm_env/TicketFee-v0"], "no policy 'nobody'"),
    ],
)
def test_what_is_not_there_is_refused(sources, markets, reason):
    with pytest.raises(ValueError, match=reason):
        benchmark(sources, make_policy, "v1", markets)


def test_an_unknown_suite_is_refused():
    with pytest.raises(ValueError, match="no suite 'v9'; suites are v1"):
        benchmark(["never"], make_policy, "v9")


def test_an_agent_that_gives_bad_actions_is_named():
    with pytest.raises(ValueError, match=r"bad in mm_env/TicketFee-v0: actions must be"):
        benchmark(["bad"], lambda source, params, seed: lambda seen: [99] * len(seen), "v1", ["mm_env/TicketFee-v0"])


def test_json_tells_the_same(undisturbed):
    done = subprocess.run([*COMMAND, *MARKETS, "--workers", "1", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(undisturbed)
