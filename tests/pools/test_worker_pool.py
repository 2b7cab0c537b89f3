"""Jobs on several processes: the same results, in order or as they come, and an end when one fails."""

import time

import pytest

from mm_env.pools.worker_pool import at_once, in_order


def waited(seconds):
    if seconds < 0:
        raise OSError(f"cannot wait {seconds} s")
    time.sleep(seconds)
    return seconds * 2


def test_two_workers_give_what_one_gives_and_read_jobs_as_they_are_free():
    seconds, read = [0.4, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0], []
    jobs = (read.append(each) or each for each in seconds)
    results = in_order(waited, jobs, 2)
    assert next(results) == 0.8
    assert len(read) < len(seconds) + 1
    assert [0.8, *results] == list(in_order(waited, seconds, 1)) == [2 * each for each in seconds]


def test_as_they_come_the_quick_do_not_wait_and_a_failure_ends_all():
    begun = []
    jobs = (begun.append(each) or each for each in [0.5, 0.0, -1.0, *[0.0] * 1000])
    results = at_once(waited, jobs, 2)
    with pytest.raises(OSError, match=r"cannot wait -1\.0 s"):
        list(results)
    assert len(begun) < 20


@pytest.mark.parametrize("workers", [0, 1.5, True])
def test_a_bad_number_of_workers_is_refused_at_once(workers):
    with pytest.raises(ValueError, match="workers must be a whole number of at least 1"):
        at_once(waited, [], workers)


def test_a_function_that_cannot_be_sent_is_refused_at_once():
    with pytest.raises(ValueError, match="several workers need what pickle can send"):
        at_once(lambda job: job, [1], 2)
