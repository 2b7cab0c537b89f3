"""Jobs on a Ray cluster: `make test-rllib`. Without Ray only addresses are checked."""

import os
import secrets
import socket
import time

import pytest

from mm_env.pools.ray_pool import _check_answers as check_answers
from mm_env.pools.ray_pool import on_cluster

JOBS = list(range(12))


@pytest.mark.parametrize("address", ["nowhere", ":6379", "localhost:", "localhost:x", "ray://localhost"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError, match="HOST:PORT, ray://HOST:PORT, auto or local, got"):
        check_answers(address)


def test_an_address_that_nobody_answers_is_an_error_within_seconds():
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        begun = time.monotonic()
        with pytest.raises(ValueError, match="no Ray cluster answers at 127.0.0.1:"):
            check_answers(f"127.0.0.1:{taken.getsockname()[1]}")
    assert time.monotonic() - begun < 6


@pytest.fixture(scope="module")
def cluster():
    """Two machines of one core each, simulated."""
    with pytest.MonkeyPatch.context() as patch:  # Ray reads its token once, and leaves none in the home folder
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        pytest.importorskip("ray")
        from ray.cluster_utils import Cluster

        machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        machines.add_node(num_cpus=1)
        yield machines
        machines.shutdown()


def slow_square(job):
    time.sleep(0.5)
    return job**2, os.environ.get("RAY_NODE_ID", ""), os.getcwd()


def refuse(job):
    raise ValueError(f"bad job {job}")


def test_a_lost_machine_changes_nothing(cluster):
    """One of two is killed after the third of twelve jobs."""
    second = cluster.worker_nodes
    found = {}
    for job, (square, _, folder) in on_cluster(slow_square, JOBS, cluster.address):
        found[job] = square
        assert folder == os.getcwd()
        if len(found) == 3:
            cluster.remove_node(next(iter(second)), allow_graceful=False)
    assert found == {job: job**2 for job in JOBS}


def test_an_error_is_the_one_that_was_raised(cluster):
    with pytest.raises(ValueError, match="^bad job 0$"):
        list(on_cluster(refuse, [0], cluster.address))


def test_the_cluster_of_this_machine_is_missed_where_there_is_none(cluster):
    with pytest.raises(ValueError, match="no Ray cluster can be joined at 'ray://127.0.0.1:1'|no Ray cluster answers"):
        list(on_cluster(abs, [1], "127.0.0.1:1"))
