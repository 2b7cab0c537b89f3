"""What is recorded: the fields, the manual and what `info` tells are one list, checked value by value."""

import re
from dataclasses import fields

import numpy as np
import pytest

import mm_env
from mm_env.envs.hedging_env import HedgingEnv
from mm_env.episodes import RECORDED, Episodes
from tests.markets import IDS


def test_fields_manual_and_table_name_the_same_quantities_in_the_same_order():
    names = [field.name for field in fields(Episodes)]
    manual = re.findall(r"^ {8}(\w+): ", Episodes.__doc__.partition("Attributes:")[2], flags=re.M)
    assert names == manual == ["params", *RECORDED]
    assert len(RECORDED) == 21


@pytest.mark.parametrize("market", IDS)
def test_info_tells_what_is_recorded(market):
    params = mm_env.market_params(market)
    env = HedgingEnv(**params.to_dict(), render_mode="ansi")
    env.reset(seed=3)
    env.action_space.seed(3)
    infos = [env.step(env.action_space.sample())[4] for _ in range(20)]
    episodes = env.episodes()
    assert ("order" in infos[0]) == (params.hedge_latency > 0)
    recorded = infos[0].keys() - {"cost"}
    assert recorded <= RECORDED.keys()
    assert [info["cost"] for info in infos] == (abs(episodes.inventory[0]) == params.inventory_limit).tolist()
    for name in recorded:
        told = np.array([info[name] for info in infos], dtype=float)
        np.testing.assert_array_equal(told, getattr(episodes, name)[0].astype(float), err_msg=name)


def test_the_manual_names_what_info_tells():
    manual = HedgingEnv.__doc__.partition("## Info")[2].partition("## ")[0]
    env = HedgingEnv(hedge_latency=1)
    env.reset(seed=3)
    info = env.step(0)[4]
    assert sorted(re.findall(r"`(\w+)`", manual)) == sorted(["hedge_latency", *info])
