"""Question: how much does each piece of evidence weigh in saying which bodies a task needs?

    python experiments/context_weights.py REPO REPO ... [--cases 80]

Fits the logistic model of `krins.context.ranking` to commits of git repositories (see `commits.py`), and prints its
weights as they stand there, with each one's effect in standard deviations. Every commit weighs the same: its changed
units of code 1 in all, those of tests `TEST_WEIGHT`, and what it did not change `OTHERS_WEIGHT`. Fit on other
repositories than those that selection is measured on.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from commits import Case, cases
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from scipy.special import expit

from krins.context.evidence import EVIDENCE, Evidence
from krins.interfaces import FloatArray

TEST_WEIGHT = 0.3
OTHERS_WEIGHT = 20.0
RIDGE = 1.0
N_OTHERS = 3000
"""Unchanged units drawn from each commit."""


def sample(case: Case, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Evidence, labels and weights of a commit's units."""
    matrix = Evidence(case.task, case.graph, case.history).matrix()
    code, tests = sorted(case.gold_units), sorted(case.gold_tests)
    others = np.setdiff1d(np.arange(len(matrix)), [*code, *tests])
    others = rng.choice(others, min(N_OTHERS, len(others)), replace=False)
    units = np.concatenate([code, tests, others]).astype(int)
    parts = ((code, 1.0), (tests, TEST_WEIGHT), (others, OTHERS_WEIGHT))
    weights = np.concatenate([np.full(len(some), total / max(len(some), 1)) for some, total in parts])
    return matrix[units], (np.arange(len(units)) < len(code) + len(tests)).astype(float), weights


def fit(matrix: FloatArray, labels: FloatArray, weights: FloatArray) -> tuple[FloatArray, float]:
    """Weights and intercept of a logistic regression with a ridge on standardised columns."""
    mean, deviation = matrix.mean(axis=0), matrix.std(axis=0) + 1e-9
    columns = np.column_stack([(matrix - mean) / deviation, np.ones(len(matrix))])
    signs = 2 * labels - 1

    def loss(beta: FloatArray) -> tuple[float, FloatArray]:
        margins = signs * (columns @ beta)
        value = weights @ np.logaddexp(0, -margins) + RIDGE / 2 * beta[:-1] @ beta[:-1]
        gradient = columns.T @ (-weights * signs * expit(-margins))
        gradient[:-1] += RIDGE * beta[:-1]
        return float(value), gradient

    beta = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    scaled = beta[:-1] / deviation
    return scaled, float(beta[-1] - scaled @ mean)


@click.command()
@click.argument("repositories", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--cases", "n_cases", default=80, show_default=True, help="Commits of each repository.")
@click.option("--seed", default=0, show_default=True)
def main(repositories: tuple[Path, ...], n_cases: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = []
    for repository in repositories:
        found = [sample(case, rng) for case in cases(repository, n_cases)]
        click.echo(f"{repository}: {len(found)} commits", err=True)
        samples += found
    matrix, labels, weights = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    fitted, intercept = fit(matrix, labels, weights)
    table = Table(title=f"Weights from {len(samples)} commits of {len(repositories)} repositories")
    table.add_column("evidence")
    table.add_column("weight", justify="right")
    table.add_column("effect (sd)", justify="right")
    for name, weight, spread in zip(EVIDENCE, fitted, matrix.std(axis=0), strict=True):
        table.add_row(name, f"{weight:.2f}", f"{weight * spread:+.2f}")
    table.add_row("intercept", f"{intercept:.2f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()
