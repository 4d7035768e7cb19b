"""From one token to 128: it shows where memory takes over from compute."""

from dataclasses import replace

from panacea_sim import Scenario, Study, load_layer, run_script

LAYER = load_layer("minilm_l3_ffn1_dbs")
TOKENS = (1, 2, 4, 8, 16, 32, 64, 128)

scenario = Study(
    "small_batch",
    tuple(
        Scenario(f"{tokens}_tokens", replace(LAYER, name=f"ffn1_{tokens}", activation=LAYER.activation[:, :tokens]))
        for tokens in TOKENS
    ),
    description="MiniLM layer 3 FFN1 for the first N tokens",
)

if __name__ == "__main__":
    run_script()
