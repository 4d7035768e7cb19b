"""One layer on every memory device: who is bound by memory, and what its time goes to."""

from panacea_sim import Scenario, Study, load_layer, run_script
from panacea_sim.hardware.dram.devices import list_devices

LAYER = load_layer("minilm_l3_ffn1_dbs")

scenario = Study(
    "memory_devices",
    tuple(
        Scenario(device, LAYER, settings={"dram": device, "dram_channels": 1}) for device in ("ideal", *list_devices())
    ),
    description="MiniLM layer 3 FFN1 with one channel of every memory device",
)

if __name__ == "__main__":
    run_script()
