"""The quickstart with a quarter of the DRAM bandwidth: it shows who waits now, and for whom.

The ideal device, one channel, so that bandwidth is the only thing that changes.
"""

from panacea_sim import Scenario, load_hardware, run_script

FULL = load_hardware("panacea").dram_bytes_per_cycle

scenario = Scenario(
    "contention",
    layer="minilm_l3_ffn1_dbs",
    settings={"dram": "ideal", "dram_channels": 1, "dram_bytes_per_cycle": FULL // 4},
    description="MiniLM layer 3 FFN1 with a quarter of the DRAM bandwidth",
)

if __name__ == "__main__":
    run_script()
