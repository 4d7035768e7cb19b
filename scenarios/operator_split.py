"""Twelve operators in a PE array, split between dynamic (HO work) and static (LO work) in four ways."""

from panacea_sim import Scenario, Study, load_layer, run_script

LAYER = load_layer("minilm_l3_ffn1_dbs")
SPLITS = ((4, 8), (6, 6), (7, 5), (8, 4))

scenario = Study(
    "operator_split",
    tuple(
        Scenario(f"{n_dwo}_dwo_{n_swo}_swo", LAYER, settings={"n_dwo": n_dwo, "n_swo": n_swo})
        for n_dwo, n_swo in SPLITS
    ),
    description="DWO : SWO split of the operators on MiniLM layer 3 FFN1",
)

if __name__ == "__main__":
    run_script()
