"""The notebooks: committed without outputs, executed here from both folders that a person opens them from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from krins.runs.store import Store
from krins.studies.compare import compare
from krins.studies.what_if import parse_router, what_if

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_PNG = "image/png"


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_clean_and_short(path: Path) -> None:
    book = read(path)
    nbformat.validate(book)
    assert 8 <= len(book.cells) <= 14
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert "Decision" in code[-1].source


def execute(name: str, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Outputs of all its cells, run in `folder` with its state in `home`."""
    for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(home.parent / variable.lower()))
    monkeypatch.setenv("KRINS_HOME", str(home))
    book = read(ROOT / "notebooks" / f"{name}.ipynb")
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    return outputs


def decision(outputs: list[Any]) -> str:
    said = [
        match for output in outputs for match in re.findall(r"^Decision: .*$", output.get("text", ""), re.MULTILINE)
    ]
    assert len(said) == 1
    return str(said[0])


def n_pictures(outputs: list[Any]) -> int:
    return sum(_PNG in output.get("data", {}) for output in outputs)


def test_compare_routers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    outputs = execute("compare_routers", ROOT, home, monkeypatch)
    assert n_pictures(outputs) == 3
    assert decision(outputs) == f"Decision: {compare(home, ['latest']).claim}"


def test_read_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = execute("read_history", ROOT / "notebooks", tmp_path / "home", monkeypatch)
    assert n_pictures(outputs) == 2
    assert len(Store(tmp_path / "home").run_ids()) == 3
    learners = {"epsilon-greedy", "epsilon-greedy-decaying", "thompson", "ucb1", "imed"}
    assert any(learner in decision(outputs) for learner in learners)


def test_what_if(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = execute("what_if", ROOT / "notebooks", tmp_path / "home", monkeypatch)
    assert n_pictures(outputs) == 1
    said = decision(outputs)
    home, best = tmp_path / "home", said.split(" best in truth?")[0].rpartition("Is ")[2]
    found = what_if(home, "latest", parse_router(best), "random")
    estimate = next(one for one in found.quality.estimates if one.name == "DR")
    is_sure = estimate.low is not None and estimate.low > found.quality.logged
    assert (f"serve {best} instead of random" in said) == is_sure
    assert ("gather more" in said) != is_sure
