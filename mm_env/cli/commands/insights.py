"""`mm-env insights`: what the seed says of hedging, sentence by sentence, measured."""

from __future__ import annotations

from pathlib import Path

import click

from mm_env.cli.console import print_json, print_table, progress_bar
from mm_env.cli.options import Command, json_option, out_option, seed_option
from mm_env.cli.outputs import write_page


@click.command(cls=Command)
@click.option("--episodes", default=20_000, type=click.IntRange(400), help="Episodes to play in each market.")
@seed_option
@out_option()
@json_option
def insights(episodes: int, seed: int, out: Path | None, as_json: bool) -> None:
    """Put each sentence of the seed's takeaways to the test: figures, paired differences, and whether it holds.

    With --out, write insights.md there. It takes about half a minute.

    Example: mm-env insights --episodes 2000
    """
    from baselines.evaluation import insights as measured

    with progress_bar("playing", len(measured.plays())) as advance:
        found = measured.insights(episodes, seed, advance)
    if as_json:
        sentences = [
            {"sentence": sentence.text, "verdict": measured.verdict(findings), "rows": [f.to_dict() for f in findings]}
            for sentence, findings in found
        ]
        print_json({"episodes": episodes, "seed": seed, "sentences": sentences})
    else:
        for sentence, findings in found:
            click.echo(f"\n{sentence.text}\n{measured.verdict(findings)}\n")
            print_table(measured.HEADER, [finding.row() for finding in findings])
    if out is not None:
        write_page(out / "insights.md", measured.page(found, episodes, seed))
