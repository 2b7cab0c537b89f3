"""Window: frames on the screen, as they come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_env.extras import needed_for

_WIDEST, _HIGHEST = 1440, 1152  # of a window, pixels


class Window:
    """One window for the process, made by pygame as those of Gymnasium's own environments are.

    Raises:
        MissingExtraError: pygame is not installed.
    """

    def __init__(self, title: str, fps: int) -> None:
        with needed_for("windows"):
            import pygame
        self._pygame: Any = pygame
        self._title, self._fps = title, fps
        self._surface: Any = None
        self._clock = pygame.time.Clock()

    def show(self, frames: Sequence[NDArray[np.uint8]]) -> None:
        """Show the pictures side by side, and wait until the next one is due."""
        picture = tiled(frames)
        height, width = picture.shape[:2]
        shrink = min(1.0, _WIDEST / width, _HIGHEST / height)
        size = (round(width * shrink), round(height * shrink))
        if self._surface is None or self._surface.get_size() != size:
            self._pygame.init()
            self._pygame.display.set_caption(self._title)
            self._surface = self._pygame.display.set_mode(size)
        image = self._pygame.image.frombuffer(picture.tobytes(), (width, height), "RGB")
        self._surface.blit(image if shrink == 1.0 else self._pygame.transform.smoothscale(image, size), (0, 0))
        self._pygame.event.pump()
        self._pygame.display.flip()
        self.wait()

    def wait(self) -> None:
        """Until the next picture is due."""
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Close the window."""
        if self._surface is not None:
            self._surface = None
            self._pygame.display.quit()


def tiled(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures of one shape in a square of rows and columns; white where there is none.

    Example:
        >>> tiled([np.zeros((2, 3, 3), np.uint8)] * 3).shape
        (4, 6, 3)
    """
    columns = math.isqrt(len(frames) - 1) + 1
    rows = -(-len(frames) // columns)
    height, width = frames[0].shape[:2]
    whole = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for place, frame in enumerate(frames):
        row, column = divmod(place, columns)
        whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = frame
    return whole
