"""Two blocks of a small transformer whose layers run alone or overlap: what that wins, and what takes it away again."""

from dataclasses import replace

from panacea_sim import MaskedLayer, Scenario, Study, run_script
from panacea_sim.workload.link import Link

HIDDEN, FFN, HEADS, BLOCKS = 256, 1024, 4, 2
HEAD = HIDDEN // HEADS
SCHEDULES = {  # name of a case: its schedule and settings
    "barrier": ("barrier", {}),
    "overlap": ("overlap", {}),
    "overlap_weights_last": ("overlap", {"w_dma_priority": 1}),
}


def shapes(tokens: int) -> dict[str, tuple[int, int, int]]:
    """Return M, K and the repeats of each layer of a block; attention has a repeat for each head."""
    return {
        "qkv": (3 * HIDDEN, HIDDEN, 1),
        "qk": (tokens, HEAD, HEADS),
        "pv": (HEAD, tokens, HEADS),
        "out": (HIDDEN, HIDDEN, 1),
        "ffn1": (FFN, HIDDEN, 1),
        "ffn2": (HIDDEN, FFN, 1),
    }


def links(tokens: int) -> list[tuple[str, str, Link]]:
    """Return what the layers of a block need of each other: a norm or softmax needs all features of a token."""
    heads, scores = range(0, HIDDEN, HEAD), range(0, HEADS * tokens, tokens)
    queries, keys, values = (tuple(first + head for head in heads) for first in (0, HIDDEN, 2 * HIDDEN))
    return [
        ("qkv", "qk", Link("x", feature_offset=queries)),
        ("qkv", "qk", Link("w", feature_offset=keys)),
        ("qk", "pv", Link("x", "features", feature_offset=tuple(scores))),
        ("qkv", "pv", Link("w", features_on="m", feature_offset=values)),
        ("pv", "out", Link("x")),
        ("out", "ffn1", Link("x", "features")),
        ("ffn1", "ffn2", Link("x")),
    ]


def network(tokens: int) -> Scenario:
    """Return the blocks one behind the other, with densities as they were measured on text models."""
    layers, all_links = [], []
    for block in range(BLOCKS):
        for name, (rows, depth, repeat) in shapes(tokens).items():
            sizes, seed = (rows, depth, tokens), len(layers)
            layers.append(MaskedLayer(f"{block}.{name}", *sizes, 0.03, 0.95, seed, repeat=repeat, kind=name))
        all_links += [
            (f"{block}.{producer}", f"{block}.{consumer}", link) for producer, consumer, link in links(tokens)
        ]
    all_links += [(f"{block}.ffn2", f"{block + 1}.qkv", Link("x", "features")) for block in range(BLOCKS - 1)]
    return Scenario("network", tuple(layers), values=False, mapping="class", links=tuple(all_links))


scenario = Study(
    "network_schedules",
    tuple(
        replace(network(tokens), name=f"{tokens}_{name}", schedule=schedule, settings=settings)
        for tokens in (64, 1)
        for name, (schedule, settings) in SCHEDULES.items()
    ),
    description="Two blocks of a small transformer, 64 tokens and 1: layers alone, overlapping, weights fetched last",
)

if __name__ == "__main__":
    run_script()
