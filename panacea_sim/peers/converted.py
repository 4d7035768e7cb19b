"""What a file of another simulator became, and what of it did not carry over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from panacea_sim.hardware.yaml_file import write_mapping

__all__ = ["Converted"]


@dataclass(frozen=True)
class Converted:
    """The content of a hardware file or of a network file, and a remark for each thing that is not the same in it."""

    kind: Literal["hardware", "network"]
    source: str
    content: Mapping[str, Any]
    remarks: tuple[str, ...]

    def write(self, file: TextIO) -> None:
        """Write the file, with the remarks as comments."""
        file.write(f"# {self.kind} made of a file of {self.source}. Not the same here:\n")
        file.writelines(f"# - {remark}\n" for remark in self.remarks)
        write_mapping(dict(self.content), file)
