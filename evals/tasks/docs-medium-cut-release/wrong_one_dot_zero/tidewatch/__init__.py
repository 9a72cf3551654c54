"""When the water is high."""

from tidewatch.harbours import Harbour, load_harbour

__all__ = ["Harbour", "load_harbour"]
__version__ = "1.0.0"
