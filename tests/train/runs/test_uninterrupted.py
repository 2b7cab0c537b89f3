"""Ctrl-C waits for what cannot bear it."""

import signal
import threading

import pytest

from train.runs.checkpoints import save_model
from train.runs.uninterrupted import uninterrupted


@pytest.fixture(autouse=True)
def _as_in_a_shell():
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@uninterrupted()
def interrupt(done):
    signal.raise_signal(signal.SIGINT)
    done.append(True)


def test_an_interrupt_waits_and_comes():
    done = []
    with pytest.raises(KeyboardInterrupt):
        interrupt(done)
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_one_nothing_comes_and_what_is_ignored_stays_ignored():
    with uninterrupted():
        pass
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_have_no_part_in_it():
    done = []

    def block():
        with uninterrupted():
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


class Model:
    """Is interrupted while it is written, as PyTorch cannot be."""

    def save(self, path):
        signal.raise_signal(signal.SIGINT)
        path.write_bytes(b"whole")


def test_a_model_is_written_whole_first(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        save_model(Model(), tmp_path / "model.zip")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]
