"""What passes between the parts of the service."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from serve import interfaces
from serve.learning import records


@pytest.mark.parametrize(
    ("told", "record"), [(interfaces.DecisionMade, records.Decided), (interfaces.Answered, records.Answered)]
)
def test_the_journal_keeps_all_that_replicas_tell(told: Any, record: Any) -> None:
    kept = {name: field.annotation for name, field in record.model_fields.items() if name != "kind"}
    assert kept == get_type_hints(told)
