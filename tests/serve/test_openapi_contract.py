"""The whole service against its own document."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.serve.conftest import RunningService
from tests.serve.contract import contract_failures
from tests.serve.openapi_check import check_document, unused_schemas


def _document(service: RunningService) -> Any:
    request = urllib.request.Request(
        f"{service.url}/openapi.json", headers={"Authorization": f"Bearer {service.admin_key}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_the_document_of_the_service_is_openapi_with_examples_that_hold(service: RunningService) -> None:
    document = _document(service)
    assert check_document(document) > 0
    assert not unused_schemas(document)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                assert "example" in content, f"{method} {path} has no example"


def test_the_service_keeps_to_its_document(service: RunningService, tmp_path: Path) -> None:
    failures = contract_failures(service.url, service.admin_key, tmp_path)
    assert not failures, failures
