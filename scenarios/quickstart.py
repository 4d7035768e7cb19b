"""One real layer, bit-exact: MiniLM layer 3 FFN1 after zero-point manipulation and distribution-based slicing."""

from panacea_sim import Scenario, run_script

scenario = Scenario(
    "quickstart",
    layer="minilm_l3_ffn1_dbs",
    description="MiniLM layer 3 FFN1 on the default machine",
)

if __name__ == "__main__":
    run_script()
