"""All linear layers of OPT-2.7B on 2048 tokens: 32 blocks of 6 matrix products, 39.3 million tile tasks.

Run it with `--trace off`: the whole trace of so many tasks fills a disk.
"""

from panacea_sim import MaskedLayer, Scenario, run_script

HIDDEN, FFN, BLOCKS, TOKENS = 2560, 10240, 32, 2048
PROJECTIONS = {  # name in the block: rows and columns of the weight
    "q": (HIDDEN, HIDDEN),
    "k": (HIDDEN, HIDDEN),
    "v": (HIDDEN, HIDDEN),
    "out": (HIDDEN, HIDDEN),
    "fc1": (FFN, HIDDEN),
    "fc2": (HIDDEN, FFN),
}
# Measured on SmolLM2-135M, not on OPT: means over its linear layers with weight scales for each channel, zero-point
# manipulation and distribution-based slicing. They stand in for OPT's own, which nobody has published layer by layer.
RHO_W, RHO_X = 0.028, 0.960


def opt(blocks: int = BLOCKS, tokens: int = TOKENS) -> Scenario:
    """Return the first `blocks` blocks on `tokens` tokens; every layer has masks of its own."""
    layers = [
        MaskedLayer(f"block{block}.{name}", M, K, tokens, RHO_W, RHO_X, seed=len(PROJECTIONS) * block + place)
        for block in range(blocks)
        for place, (name, (M, K)) in enumerate(PROJECTIONS.items())
    ]
    return Scenario(
        "opt_2_7b_prefill",
        layer=tuple(layers),
        values=False,
        schedule="barrier",
        description=f"OPT-2.7B, {tokens} tokens: all linear layers of {blocks} blocks, with measured densities",
    )


scenario = opt()

if __name__ == "__main__":
    run_script()
