"""Screen: what `render` shows of episodes under way, as pictures or in a window, made when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mm_env.plotting import Film
    from mm_env.plotting.window import Window


MOST_SHOWN = 9  # lanes side by side in a window


class Screen:
    """Draws episodes of one market with one film, and shows them where the mode is "human".

    Args:
        make_film: Of the market; called when the first picture is asked for.
        title: Of the window.
        fps: Frames a second of the window.
    """

    def __init__(self, make_film: Callable[[], Film], title: str, fps: int) -> None:
        self._make_film = make_film
        self._title, self._fps = title, fps
        self._film: Film | None = None
        self._window: Window | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What a copy takes along: neither pixels nor the window."""
        return {**self.__dict__, "_film": None, "_window": None}

    def clear(self) -> None:
        """The market is another one: draw a new film."""
        self._film = None

    def pictures(self, played: Sequence[Any]) -> tuple[NDArray[np.uint8], ...]:
        """A picture of each episode."""
        if self._film is None:
            self._film = self._make_film()
        return tuple(map(self._film.frame, played))

    def show(self, played: Sequence[Any]) -> None:
        """Show a picture of each episode in a window."""
        from mm_env.plotting.window import Window

        if self._window is None:
            self._window = Window(self._title, self._fps)
        self._window.show(self.pictures(played))

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None
