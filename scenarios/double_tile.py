"""Double-tile processing from dense to nearly empty slices: two tiles share the operators of a PE array."""

from panacea_sim import Scenario, Study, run_script, synthetic_layer

DENSITIES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99)

scenario = Study(
    "double_tile",
    tuple(
        Scenario(
            f"skip_{rho:g}_{dtp}",
            synthetic_layer(1024, 1024, 128, rho_w=rho, rho_x=rho, seed=7, name=f"skip_{rho:g}"),
            settings={"dtp": dtp},
            values=False,
        )
        for rho in DENSITIES
        for dtp in ("off", "on")
    ),
    description="Share of skipped vectors in weights and activations, with double-tile processing off and on",
)

if __name__ == "__main__":
    run_script()
