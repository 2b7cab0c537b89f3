"""Moving pictures: frames as a GIF, or as MP4 where ffmpeg is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mm_env.atomic_write import replacing
from mm_env.episodes import Episodes
from mm_env.plotting.episode_chart import episode_film, one_episode
from mm_env.plotting.style import check

MOVIES = (".gif", ".mp4")
Frame = NDArray[np.uint8]


def episode_frames(episodes: Episodes, index: int = 0, title: str | None = None, every: int = 1) -> Iterator[Frame]:
    """The charts of one episode as it is played: a frame before the first trade, and one after each.

    Args:
        episodes: Played episodes.
        index: Which of them, from 0.
        title: What was played, above the charts.
        every: Trades from one frame to the next; the last trade has a frame in any case.

    Raises:
        ValueError: Not `Episodes`, or no episode of that number.
    """
    run = one_episode(episodes, index)
    film = episode_film(run.params, title)
    return (film.frame(run.first_trades(steps)) for steps in chain(range(0, run.num_trades, every), [run.num_trades]))


def save_movie(frames: Iterable[Frame], path: str | Path, fps: float = 10.0) -> None:
    """Write frames as .gif or .mp4, whole or not at all; a GIF runs for ever, and rests on its last frame.

    Args:
        frames: RGB pixels, all of one shape (height, width, 3).
        path: Where to. MP4 needs ffmpeg, on the path or of `imageio-ffmpeg`.
        fps: Frames a second.

    Raises:
        ValueError: Another ending, no frames, or no ffmpeg.
    """
    path = Path(path)
    check_movie(path)
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"{path}: no frames")
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    with replacing(path) as temporary:
        write(first, pictures, temporary, fps)


def check_movie(path: Path) -> None:
    """Raise `ValueError` where no moving picture can be written to a path: another ending, or no ffmpeg."""
    check(path.suffix.lower() in MOVIES, f"{path}: moving pictures are saved as {', '.join(MOVIES)}")
    if path.suffix.lower() == ".mp4":
        ffmpeg()


def _write_gif(first: Frame, others: Iterator[Frame], path: Path, fps: float) -> None:
    from PIL import Image  # comes with Matplotlib

    frames = [first, *others]
    colours = Image.fromarray(frames[-1]).quantize(64)  # the last frame holds all that is drawn
    images = [Image.fromarray(frame).quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames]
    each = 1000 / fps
    durations = [round(each)] * (len(images) - 1) + [2000]
    images[0].save(path, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False)


def _write_mp4(first: Frame, others: Iterator[Frame], path: Path, fps: float) -> None:
    size = f"{first.shape[1]}x{first.shape[0]}"
    read = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(fps), "-i", "-"]
    wrote = ["-an", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4", str(path)]
    command = [ffmpeg(), "-y", "-loglevel", "error", *read, *wrote]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        for frame in chain([first], others):
            process.stdin.write(frame.tobytes())
        process.stdin.close()
        told = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise ValueError(f"ffmpeg could not write the video: {told}")


def ffmpeg() -> str:
    """The ffmpeg on the path, or that of `imageio-ffmpeg`.

    Raises:
        ValueError: Neither.
    """
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError as error:
        raise ValueError(
            "MP4 needs ffmpeg: install it, or pip install 'mm_env[render]'; a GIF needs neither"
        ) from error
    return str(get_ffmpeg_exe())
