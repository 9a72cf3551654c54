"""When the water is high."""

from tidewatch.harbours import Harbour, load_harbour

__all__ = ["Harbour", "load_harbour"]
__version__ = "0.10.0"
