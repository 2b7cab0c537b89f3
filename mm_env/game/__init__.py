"""A page on which a visitor is the dealer, made for one market."""

from mm_env.game.page import game_page

__all__ = ["game_page"]
