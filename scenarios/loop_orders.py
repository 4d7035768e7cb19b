"""One layer in all six loop orders: they move different bytes, and K outside costs spills of partial sums."""

from panacea_sim import Scenario, Study, load_layer, run_script
from panacea_sim.mapping.order import LOOP_ORDERS

LAYER = load_layer("minilm_l3_ffn2_dbs")

scenario = Study(
    "loop_orders",
    tuple(Scenario(order, LAYER, settings={"loop_order": order, "dtp": "off"}) for order in LOOP_ORDERS),
    description="Loop orders (outermost first) on MiniLM layer 3 FFN2",
)

if __name__ == "__main__":
    run_script()
