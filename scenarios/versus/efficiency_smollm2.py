"""The same as efficiency.py of all of SmolLM2-135M on 128 tokens, which takes longer than all other models together."""

from collections.abc import Iterator

from efficiency import model_pairings, print_efficiency
from versus_script import Pairing, show


def pairings() -> Iterator[Pairing]:
    """Yield both machines with the model; its metric is the next token that is likeliest."""
    return model_pairings("efficiency_smollm2", {"smollm2.onnx": ("smollm2_text.npz", "top-1")})


if __name__ == "__main__":
    show(__doc__, pairings, print_efficiency)
