"""The reference data beside the project (specifications and recordings of the originals), if it is at hand."""

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

DIRECTORY = Path(os.environ.get("REFERENCE_DIR", Path(__file__).parents[2] / "shared"))


def path(name: str) -> Path:
    """`name` below the reference directory; the calling test is skipped by name where it is absent."""
    found = DIRECTORY / name
    if not found.exists():
        pytest.skip(f"reference data is not at hand: REFERENCE_DIR/{name}")
    return found


@functools.cache
def _document(file: Path) -> Any:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        return json.loads(text)
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def document(name: str) -> Any:
    """A JSON or YAML document of the reference directory, read once per process; do not change it."""
    return _document(path(name))
