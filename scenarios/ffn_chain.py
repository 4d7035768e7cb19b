"""Two layers in one run, chained in values: FFN1 -> GELU -> FFN2 of MiniLM layer 3."""

from dataclasses import replace

from panacea_sim import OutputFormat, Scenario, following, load_layer, run_script

FFN1, FFN2 = load_layer("minilm_l3_ffn1_dbs"), load_layer("minilm_l3_ffn2_dbs")

first = replace(
    FFN1,
    name="ffn1",
    output=OutputFormat(FFN2.activation_scale, FFN2.zero_point, lo_bits=FFN2.lo_bits, function="gelu"),
)
second = following(first, "ffn2", FFN2.weight, weight_scale=FFN2.weight_scale, bias=FFN2.bias)

scenario = Scenario(
    "ffn_chain",
    layer=(first, second),
    description="MiniLM layer 3, FFN1 -> GELU -> FFN2, the second layer reading what the first one writes",
)

if __name__ == "__main__":
    run_script()
