"""Where the models of these scenarios lie, and what is said if they are not there."""

from pathlib import Path

from panacea_sim import ConfigError, Scenario, model_scenario

MODELS = Path(__file__).resolve().parents[2] / "models"


def real_model(name: str, model: str, data: str) -> Scenario:
    """Return the scenario of a model of `make models` with the operands of its first held-out sample."""
    for file in (model, data):
        if not (MODELS / file).is_file():
            found = f"no file models/{file}"
            raise ConfigError(
                f"scenario {name}", found, "a model that is fetched on request", "Run `make models` first"
            )
    return model_scenario(MODELS / model, MODELS / data, name=name)
