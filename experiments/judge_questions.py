"""Does asking a judge both ways, is it right and is it wrong, rank better than asking one way?

    python experiments/judge_questions.py TASKS --base-url http://127.0.0.1:8080/v1 --model NAME

TASKS is a folder of tasks with a reference and wrong changes beside each. A model is asked about every change as
`krins.pipeline.judging.judge` asks, without gates, and a second time whether there is a fault in it. Shown: of the
pairs of a right and a wrong change to one task, the share that P(yes) of each question and their mean rank as it should
(a tie is one half), with a 95% interval over tasks; the area under the curve over all changes; and the mean of P(right)
over right and wrong changes, which tells how far a question leans.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from judge_injection import open_model

from krins.domain import Change, Scope
from krins.interfaces import FloatArray, Model
from krins.pipeline.judging.judge import IS_RIGHT, Shown, probability_of_yes, show
from krins.pipeline.tasks import CodingTask, load_folder, load_tree
from krins.statistics.clustered import clustered_interval

IS_WRONG = """Is there a fault in the change: does it fail to do what the task asks for, go wrong in some case, or
break something else?"""


def changes_of(coding: CodingTask, folder: Path) -> Iterator[tuple[bool, Change]]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and (path.name == "reference" or path.name.startswith("wrong_")):
            after = {**coding.tree, **load_tree(path)}
            yield path.name == "reference", Change(coding.tree, after, "")


async def ask(model: Model, shown: Shown) -> tuple[float, float] | None:
    """P(right) by either question; None where the model gives none."""
    right = await probability_of_yes(model, shown, IS_RIGHT, Scope(), [])
    wrong = await probability_of_yes(model, shown, IS_WRONG, Scope(), [])
    return None if right is None or wrong is None else (right, 1 - wrong)


def pair_share(right: FloatArray, wrong: FloatArray) -> float:
    difference = right[:, None] - wrong[None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def report(found: Mapping[str, list[tuple[bool, float, float]]]) -> None:
    click.echo(f"{sum(map(len, found.values()))} changes to {len(found)} tasks")
    scores = {
        "is it right": lambda row: row[1],
        "is it wrong": lambda row: row[2],
        "mean of both": lambda row: (row[1] + row[2]) / 2,
    }
    for name, score in scores.items():
        by_task = [
            tuple(np.array([score(row) for row in rows if row[0] is is_right]) for is_right in (True, False))
            for rows in found.values()
        ]
        pairs = np.array([pair_share(right, wrong) for right, wrong in by_task if len(right) and len(wrong)])
        share = clustered_interval(pairs, np.arange(len(pairs)))
        right, wrong = (np.concatenate([task[side] for task in by_task]) for side in (0, 1))
        click.echo(
            f"{name:13} pairs {share.mean:.3f} [{share.low or 0:.3f}, {share.high or 1:.3f}]  "
            f"AUC {pair_share(right, wrong):.3f}  mean P(right): right {right.mean():.3f}, wrong {wrong.mean():.3f}"
        )


async def measured(model: Model, tasks: Path, max_chars: int) -> tuple[dict[str, list[tuple[bool, float, float]]], int]:
    found: dict[str, list[tuple[bool, float, float]]] = {}
    n_unanswered = 0
    for coding in load_folder(tasks):
        rows = found.setdefault(coding.task.task_id, [])
        for is_right, change in changes_of(coding, tasks / coding.task.task_id):
            scores = await ask(model, show(coding.task, change, (), max_chars))
            if scores is None:
                n_unanswered += 1
            else:
                rows.append((is_right, *scores))
                click.echo(f"{coding.task.task_id} {is_right} {scores[0]:.4f} {scores[1]:.4f}", err=True)
    return {task_id: rows for task_id, rows in found.items() if rows}, n_unanswered


@click.command(help=__doc__)
@click.argument("tasks", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--base-url", required=True)
@click.option("--model", "name", required=True)
@click.option("--max-chars", default=6_000, show_default=True, help="Of a diff.")
def main(tasks: Path, base_url: str, name: str, max_chars: int) -> None:
    found, n_unanswered = asyncio.run(measured(open_model(name, base_url), tasks, max_chars))
    click.echo(f"{name}: {n_unanswered} changes without an answer")
    report(found)


if __name__ == "__main__":
    main()
