"""`python -m tidewatch.convert FILE.tide` writes FILE.json beside it."""

import json
import sys
from pathlib import Path


def convert(text):
    """A harbour in the old format, a name and lines with three numbers each, as JSON."""
    name, *lines = text.splitlines()
    numbers = [map(float, line.split()) for line in lines if line.strip()]
    waves = [dict(zip(("cm", "hours", "phase"), wave, strict=True)) for wave in numbers]
    return json.dumps({"name": name, "waves": waves}, indent=2)


if __name__ == "__main__":
    source = Path(sys.argv[1])
    source.with_suffix(".json").write_text(convert(source.read_text()))
