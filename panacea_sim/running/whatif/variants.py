"""Which changed machines are tried: every knob one step, pairs of the best, and ideal machines as bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from panacea_sim.analysis.whatif import CostChange, Kind, NotTried
from panacea_sim.description.description import Description
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.config import Hardware, with_settings
from panacea_sim.hardware.knobs import Trial, declarations, ideal_settings, undeclared_fields
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.whatif.balance import balanced
from panacea_sim.running.whatif.data_knobs import DATA_KNOBS, ChangedData, DataTurns, changed_data, none_tried
from panacea_sim.workload.layer import AnyLayer

__all__ = ["Variant", "Variants", "pairs_of", "variants_of"]

_PERFECT_BALANCE = "perfect_balance"
_FIELDS = "hardware."
_UNDECLARED = "its machine does not declare what a step of it is"
_NOT_IN_EFFECT = "it does not count on this machine"


@dataclass(frozen=True)
class Variant:
    """A changed machine: the settings that are different, or what is done to its descriptions, and what it is called.

    `cost` is the change against the base, None of one that cannot be built. `layers` are other data for the same
    machine, None for those of the base, and `sqnr_db` is what they lose.
    """

    kind: Kind
    knob: str
    before: int | str
    after: int | str
    hardware: Hardware
    cost: CostChange | None
    unit: str = ""
    settings: Mapping[str, int | str] = field(default_factory=dict)
    change: Callable[[Description], Description] | None = None
    layers: tuple[AnyLayer, ...] | None = None
    sqnr_db: float | None = None


@dataclass(frozen=True)
class Variants:
    """What is tried of a machine, and what is not, with the reason; `sqnr_db` is what the data of the base lose."""

    tried: tuple[Variant, ...]
    not_tried: tuple[NotTried, ...]
    sqnr_db: float | None = None


def _as_given(machine: str) -> DataTurns:
    """Return no turns of the data: this machine has operands of its own making."""
    return DataTurns(not_tried=none_tried(f"machine {machine} takes all bits of the codes and quantizes them anew"))


def variants_of(hardware: Hardware, knobs: Sequence[str] = (), layers: Sequence[AnyLayer] = ()) -> Variants:
    """Return one step of every knob, of the data of `layers` too, and the ideal machines; or of `knobs` alone.

    Raises ConfigError for a name that is no knob, or one that does not count on this machine.
    """
    steps, skipped = _steps(hardware)
    asked_names = {name.removeprefix(_FIELDS) for name in knobs}
    data = DataTurns()
    # Their errors take a while to compute.
    if layers and (not knobs or asked_names & set(DATA_KNOBS)):
        data = _as_given(hardware.machine) if machine_of(hardware).requantizes else changed_data(layers)
        skipped += data.not_tried
    tried = [*steps, *(_other_data(hardware, each) for each in data.tried), *_ideals(hardware)]
    if not knobs:
        return Variants(tuple(tried), tuple(skipped), data.sqnr_db)
    asked = [_known(name.removeprefix(_FIELDS), tried, skipped) for name in knobs]
    kept = tuple(each for each in tried if each.knob in asked)
    refused = tuple(each for each in skipped if each.knob.split(" = ")[0] in asked)
    return Variants(kept, refused, data.sqnr_db)


def pairs_of(hardware: Hardware, best: Sequence[Variant]) -> list[Variant]:
    """Return both changes of every two variants that turn different fields, as far as the hardware accepts them."""
    pairs = []
    for one, other in combinations(best, 2):
        if set(one.settings) & set(other.settings):
            continue
        settings = {**one.settings, **other.settings}
        try:
            changed = with_settings(hardware, settings)
        except ConfigError:
            continue
        before, after = (
            f"{first}, {second}" for first, second in ((one.before, other.before), (one.after, other.after))
        )
        knob = f"{one.knob} & {other.knob}"
        pairs.append(Variant("pair", knob, before, after, changed, _cost(hardware, changed), settings=settings))
    return pairs


def _steps(hardware: Hardware) -> tuple[list[Variant], list[NotTried]]:
    """Return the steps that the hardware accepts; and the fields and steps that are not tried."""
    model = type(hardware)
    steps = []
    skipped = [NotTried(knob=name, reason=reason or _UNDECLARED) for name, reason in undeclared_fields(model).items()]
    for declared in declarations(model):
        if not declared.knob.when(hardware):
            skipped.append(NotTried(knob=declared.field, reason=_NOT_IN_EFFECT))
            continue
        for trial in declared.knob.trials(declared.field, hardware):
            try:
                changed = with_settings(hardware, trial.settings)
            except ConfigError as error:
                reason = f"accepted: {error.accepted}"
                skipped.append(NotTried(knob=f"{trial.knob} = {trial.after}", reason=reason))
            else:
                steps.append(_step(hardware, trial, changed))
    return steps, skipped


def _step(hardware: Hardware, trial: Trial, changed: Hardware) -> Variant:
    return Variant(
        "step",
        trial.knob,
        _plain(trial.before),
        _plain(trial.after),
        changed,
        _cost(hardware, changed),
        trial.unit,
        {name: _plain(value) for name, value in trial.settings.items()},
    )


def _other_data(hardware: Hardware, changed: ChangedData) -> Variant:
    free = _cost(hardware, hardware)
    return Variant(
        "data",
        changed.knob,
        changed.before,
        changed.after,
        hardware,
        free,
        layers=changed.layers,
        sqnr_db=changed.sqnr_db,
    )


def _ideals(hardware: Hardware) -> Iterator[Variant]:
    for name, settings in ideal_settings(hardware).items():
        changed = with_settings(hardware, settings)
        plain = {field: _plain(value) for field, value in settings.items()}
        yield Variant("ideal", name, "", "", changed, None, settings=plain)
    yield Variant("ideal", _PERFECT_BALANCE, "", "", hardware, None, change=balanced)


def _known(name: str, tried: Sequence[Variant], skipped: Sequence[NotTried]) -> str:
    """Return the name of a knob; raises ConfigError for what is none, with the reason or the nearest name."""
    names = list(dict.fromkeys([*(each.knob for each in tried), *DATA_KNOBS]))
    if any(each.knob == name for each in tried):
        return name
    for each in skipped:
        knob = each.knob.split(" = ")[0]
        if knob == name:
            raise ConfigError("--knob", f"{name!r}, which is not tried: {each.reason}", ", ".join(names))
    raise ConfigError("--knob", repr(name), ", ".join(names), nearest_name(name, names))


def _cost(base: Hardware, changed: Hardware) -> CostChange:
    multipliers = None
    if base.multipliers is not None and changed.multipliers is not None:
        multipliers = changed.multipliers - base.multipliers
    return CostChange(
        multipliers=multipliers,
        sram_bytes=changed.sram_bytes - base.sram_bytes,
        dram_bytes_per_cycle=changed.dram_peak_bytes_per_cycle - base.dram_peak_bytes_per_cycle,
    )


def _plain(value: object) -> int | str:
    return value if isinstance(value, int) else str(value)
