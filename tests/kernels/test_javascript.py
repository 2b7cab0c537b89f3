"""The law in JavaScript is the law: the same numbers to the last bit, in every market."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from mm_env import Tape, market_params
from mm_env.envs.action import hedge_levels, quote_levels
from mm_env.game.page import law_source
from mm_env.kernels.javascript import PRELUDE, javascript
from mm_env.kernels.scalar_kernel import FLOATS
from mm_env.kernels.tracing import TraceOps
from mm_env.market import dynamics
from mm_env.market.dynamics import Decision
from tests.markets import IDS

NODE = shutil.which("node")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
READ = 'const tapes = JSON.parse(require("fs").readFileSync(0, "utf8"));'
DRIVER = """
const played = tapes.map(({ book, steps }) => steps.map(([request, decision, move]) => {
  const [step, reward] = law(book, request, decision, move);
  book = step[0];
  return [step, reward];
}));
"""
TELL = "console.log(JSON.stringify(played));"
DIGEST = """
let digest = 2166136261;  // FNV-1a of the bits of every number
for (const byte of new Uint8Array(new Float64Array(played.flat(Infinity).map(Number)).buffer))
  digest = Math.imul(digest ^ byte, 16777619);
"""


def run(source, given):
    ended = subprocess.run([NODE, "-e", source], input=json.dumps(given), capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


def numbers(tree):
    """Nested tuples as nested lists of floats; flags are 0 and 1, as in JavaScript."""
    return [numbers(part) for part in tree] if isinstance(tree, list | tuple) else float(tree)


def tapes_of(market, episodes):
    """Books, requests, random decisions and moves of some tapes, and every step and reward by the law in floats."""
    params, generator = market_params(market), np.random.default_rng(7)
    reward = dynamics.REWARDS["realised" if params.drift_is_hidden else "expected"]
    given, expected = [], []
    for episode in range(episodes):
        requests, _, moves = Tape.draw(params, 3, 1, episode).episode(0, params)
        levels = (generator.choice(of(params), len(moves)).tolist() for of in (quote_levels, hedge_levels))
        decisions = [Decision(distance, threshold, None) for distance, threshold in zip(*levels, strict=True)]
        book = dynamics.initial_book(params)
        steps = list(zip(requests, decisions, moves, strict=True))
        given.append({"book": book, "steps": steps})
        expected.append([])
        for request, decision, move in steps:
            played = dynamics.rewarded_step(book, request, decision, move, reward, params, FLOATS)
            book = played[0].book
            expected[-1].append(played)
    return PRELUDE + law_source(params), given, expected


def compare_tapes(market, episodes):
    law, given, expected = tapes_of(market, episodes)
    assert numbers(run(READ + law + DRIVER + TELL, given)) == numbers(expected)


@pytest.mark.skipif(NODE is None, reason="needs Node.js")
@pytest.mark.parametrize("market", IDS)
def test_twenty_tapes_are_the_same_to_the_last_bit(market):
    compare_tapes(market, 20)


@pytest.mark.slow
@pytest.mark.skipif(NODE is None, reason="needs Node.js")
@pytest.mark.parametrize("market", IDS)
def test_a_thousand_tapes_are_the_same_to_the_last_bit(market):
    compare_tapes(market, 1000)


@pytest.mark.slow
@pytest.mark.skipif(NODE is None or BROWSER is None, reason="needs Node.js and Chromium")
def test_chromium_finds_the_bits_that_node_finds_on_a_thousand_tapes(tmp_path):
    """In the market of the site's front page."""
    law, given, _ = tapes_of("mm_env/DynamicSpread-v0", 1000)
    node = run(READ + law + DRIVER + DIGEST + "console.log(digest);", given)
    script = (
        f"const tapes = {json.dumps(given)};{law}{DRIVER}{DIGEST}document.body.textContent = `digest ${{digest}}.`;"
    )
    (tmp_path / "tapes.html").write_text(f"<body><script>{script}</script></body>", encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [BROWSER, *options, (tmp_path / "tapes.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    assert f"digest {node}." in shown


def test_the_lines_are_those_of_the_tracer():
    source = javascript("f", lambda a, b: (TraceOps.maximum(a[0], 0.5) * b[0], b[1]), ((1.0,), (2.0, True)))
    assert source.splitlines() == [
        "function f(a0, a1) {",
        "  const x0 = a0[0];",
        "  const x1 = a1[0];",
        "  const x2 = a1[1];",
        "  const t0 = maximum(x0, 0.5);",
        "  const t1 = t0 * x1;",
        "  return [t1, x2];",
        "}",
    ]
