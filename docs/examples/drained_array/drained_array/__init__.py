"""What this package adds to panacea_sim as files: pyproject.toml names each."""

from pathlib import Path

_FOLDER = Path(__file__).parent

HARDWARE = _FOLDER / "hardware.yaml"
DEVICE = _FOLDER / "device.yaml"
TABLE = _FOLDER / "table.yaml"
WORKLOAD = _FOLDER / "network.yaml"
