# SPDX-License-Identifier: MIT
"""The keys of a campaign file, their types, limits and defaults, as pydantic models.

Each key carries a description and a text that says what is allowed, which error messages and
documentation use. What depends on more than one key stands in :mod:`aiida_alpot.campaign.checks`.
Units: Angstrom, eV, Kelvin, femtoseconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

CRYSTALS = (
    "sc",
    "fcc",
    "bcc",
    "hcp",
    "tetragonal",
    "bct",
    "orthorhombic",
    "rhombohedral",
    "diamond",
    "zincblende",
    "rocksalt",
    "cesiumchloride",
    "fluorite",
    "wurtzite",
)


def key(default: Any, description: str, allowed: str, **constraints: Any) -> Any:
    """Return the field of a key: its default (``...`` if required), what it is, what is allowed."""
    if isinstance(default, (list, dict)):
        constraints["default_factory"] = default.copy
    else:
        constraints["default"] = default
    return Field(description=description, json_schema_extra={"allowed": allowed}, **constraints)


def _known_symbol(symbol: str) -> str:
    from ase.data import atomic_numbers

    if symbol == "X" or symbol not in atomic_numbers:
        raise ValueError("not a chemical symbol")
    return symbol


def _plain_name(name: str) -> str:
    if not name or not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
        raise ValueError("not a plain name")
    return name


Symbol = Annotated[str, AfterValidator(_known_symbol)]
Name = Annotated[str, AfterValidator(_plain_name)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Limit = (
    Annotated[float, Field(ge=0, allow_inf_nan=False)]
    | Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?%$")]
)

NAME = "letters, digits, '-' and '_'"


class Section(BaseModel):
    """Base of all sections: unknown keys are refused and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class OpenSection(Section):
    """A section that also takes the settings of a kind, which are checked against that kind."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, populate_by_name=True)


class ZblSection(Section):
    """The repulsive core for pairs nearer than any in the data."""

    inner: PositiveFloat | None = key(
        None,
        "Radius in A below which a pair repels as screened nuclei do, for all pairs of species; "
        "0.65 of the smallest distance of each pair in the first data if absent.",
        "numbers above 0 and below outer, or nothing",
    )
    outer: PositiveFloat | None = key(
        None,
        "Radius in A beyond which there is no repulsion; 0.95 of the smallest distance of each "
        "pair if absent.",
        "numbers above inner and below the cutoff, or nothing",
    )
    pairs: dict[str, Annotated[list[PositiveFloat], Field(min_length=2, max_length=2)]] = key(
        {},
        "Inner and outer radius in A of single pairs of species, in place of the others: "
        "{W-H: [0.9, 1.4]}.",
        "pairs of species with two numbers, the first below the second",
    )
    overlay: bool = key(
        False,
        "Whether the radial functions stay as they are below the outer radius, as in codes that "
        "add a pair potential, instead of fading out.",
        "true or false",
    )


class PotentialSection(Section):
    """The moment tensor potential."""

    level: int = key(
        8,
        "Level of the potential: accuracy against cost.",
        "even numbers from 2 to 28",
        ge=2,
        le=28,
        multiple_of=2,
    )
    cutoff: float = key(5.0, "Cutoff radius in A.", "numbers from 1 to 20", ge=1, le=20)
    min_distance: PositiveFloat | None = key(
        None,
        "Inner end of the radial functions in A; 0.99 of the smallest distance in the first data "
        "if absent. It stays as it is during a campaign.",
        "numbers above 0 and below the cutoff, or nothing",
    )
    zbl: ZblSection | None = key(
        None,
        "Repulsive core (ZBL) for pairs nearer than any in the data; {} takes its defaults, none "
        "if absent. Its radii stay as they are during a campaign.",
        "inner, outer, pairs, overlay, or nothing",
    )


class StructureItem(Section):
    """Structures from a file, or a crystal built in, and what is done to them."""

    file: str | None = key(
        None,
        "File of structures (any that ASE reads, .cfg or .npz), relative to the campaign.",
        "the path of a file",
    )
    index: str | int | None = key(
        None,
        "Which structures of the file, as in Python (all if absent).",
        "a number or a slice such as '::10'",
    )
    labels: Literal["use", "drop"] | None = key(
        None,
        "What to do with energies and forces in the file: 'use' says that they were made at the "
        "level of theory of this campaign, 'drop' has them labelled anew.",
        "use or drop",
    )
    crystal: Literal[CRYSTALS] | None = key(  # type: ignore[valid-type]
        None, "Crystal structure to build.", ", ".join(CRYSTALS)
    )
    formula: str | None = key(
        None,
        "Chemical formula of the crystal, such as Cu or NaCl; the species of the campaign "
        "if there is only one.",
        "a formula of species of the campaign",
    )
    a: PositiveFloat | None = key(None, "Lattice constant in A.", "numbers above 0")
    b: PositiveFloat | None = key(None, "Second lattice constant in A.", "numbers above 0")
    c: PositiveFloat | None = key(None, "Third lattice constant in A.", "numbers above 0")
    cubic: bool = key(
        False, "Build the conventional cubic cell instead of the primitive one.", "true or false"
    )
    supercell: Count | Annotated[list[Count], Field(min_length=3, max_length=3)] = key(
        1, "Repetitions of the cell, one number or three.", "numbers from 1, or three of them"
    )
    substitute: dict[Symbol, Fraction] = key(
        {},
        "Share of the atoms that becomes another species, at random sites: {Au: 0.5}.",
        "species with shares above 0, at most 1 together",
    )
    vacancies: int = key(0, "Number of atoms to take out, at random.", "numbers from 0", ge=0)
    scales: list[PositiveFloat] = key(
        [1.0],
        "Factors of all cell vectors; each gives a structure.",
        "a list of numbers above 0",
        min_length=1,
    )
    strain: float = key(
        0.0,
        "Largest component of a random symmetric strain of the cell.",
        "numbers from 0 to 0.5",
        ge=0,
        le=0.5,
    )
    rattle: float = key(
        0.0, "Standard deviation of random displacements in A.", "numbers from 0 to 1", ge=0, le=1
    )
    copies: Count = key(
        1,
        "How many times each structure is taken, each with its own strain, rattle, vacancies "
        "and substitution.",
        "numbers from 1",
    )


class FirstCalculator(Section):
    """A calculator that explores before there is a potential."""

    name: str = key(..., "ASE calculator that drives the first exploration.", "a calculator")
    settings: dict[str, Any] = key({}, "Its settings.", "settings of that calculator")
    labels: Count = key(
        20, "How many of its frames are labelled for the first potential.", "numbers from 1"
    )
    samplers: list[str] = key(
        [], "Samplers of 'explore' that it runs; all of them if empty.", "names in explore"
    )


class StartSection(Section):
    """Where the campaign starts from."""

    training: list[StructureItem] = key(
        [], "First training structures, labelled before the first fit.", "a list of structures"
    )
    structures: dict[Name, StructureItem] = key(
        {}, "Named structures from which the samplers start.", "names with structures"
    )
    calculator: FirstCalculator | None = key(
        None,
        "Calculator that explores first, in place of a first potential.",
        "name, settings, labels, samplers",
    )


class SamplerEntry(OpenSection):
    """One sampler; further keys are the settings of its kind."""

    name: Name = key(..., "Name of the sampler, once in the campaign.", NAME)
    kind: str = key(..., "Kind of sampler.", "a kind of sampler")
    starts: list[str] = key(
        ...,
        "Structures it starts from; each is a chain.",
        "names in start.structures",
        min_length=1,
    )
    max_frames: Count = key(
        50, "Most frames that a chain hands to the selection.", "numbers from 1"
    )
    record_every: Count = key(10, "Steps between two recorded frames.", "numbers from 1")
    starts_per_job: Count = key(1, "Chains that share a job.", "numbers from 1")


class GradesSection(Section):
    """What counts as extrapolation."""

    gamma_entry: float = key(
        1.1,
        "Frames above this grade are candidates in a turn that extrapolates.",
        "numbers from 1 to gamma_select",
        ge=1,
    )
    gamma_select: float = key(
        2.0,
        "A turn with a frame above this grade extrapolates.",
        "numbers from 1, below gamma_break",
        ge=1,
    )
    gamma_break: float = key(
        10.0, "A chain stops at this grade.", "numbers above gamma_select", gt=1
    )
    mode: Literal["neighborhood", "configuration"] = key(
        "neighborhood",
        "Whether atoms or whole configurations are graded.",
        "neighborhood or configuration",
    )
    method: Literal["projected", "parity"] = key(
        "projected",
        "How the active set is chosen; 'parity' is MLIP-2's way.",
        "projected or parity",
    )


class LabelSection(Section):
    """Who computes energies, forces and stresses, and how."""

    calculator: str = key(..., "Calculator of the labels.", "a calculator")
    settings: dict[str, Any] = key({}, "Settings of the calculator.", "settings of the calculator")
    code: str | None = key(
        None, "Code in AiiDA that labels, such as gpaw@localhost.", "the label of a code"
    )
    batch_size: Count = key(50, "Most configurations of one job.", "numbers from 1")
    max_attempts: Count = key(2, "How often a failed configuration is tried.", "numbers from 1")
    min_success: float = key(
        0.5, "Least share of a turn's labels that must succeed.", "numbers from 0 to 1", ge=0, le=1
    )
    options: dict[str, Any] = key(
        {},
        "Options of the scheduler for label jobs, over those of the machines file.",
        "metadata.options of an AiiDA CalcJob",
    )


class WeightsSection(Section):
    """Weights of the loss function."""

    energy: float = key(1.0, "Weight of energies.", "numbers from 0", ge=0)
    force: float = key(0.01, "Weight of forces in A^2.", "numbers from 0", ge=0)
    stress: float = key(0.001, "Weight of stresses times volume.", "numbers from 0", ge=0)


class WeightingSection(Section):
    """Weights of configurations in the loss."""

    by_name: dict[str, NotNegative] = key(
        {},
        "Factors by patterns of names, as in {'start_*': 2}; those of several patterns multiply.",
        "patterns with numbers from 0",
    )
    energy_window: NotNegative | None = key(
        None,
        "Energy in eV/atom above the lowest up to which configurations count in full.",
        "numbers from 0 together with energy_decay, or nothing",
    )
    energy_decay: PositiveFloat | None = key(
        None,
        "Energy in eV/atom beyond the window at which the weight is halved.",
        "numbers above 0 together with energy_window, or nothing",
    )
    energy_limit: NotNegative | None = key(
        None,
        "Energy in eV/atom above the lowest from which on configurations are left out.",
        "numbers from energy_window, or nothing",
    )
    energy_zero: Literal["lowest", "hull"] = key(
        "lowest",
        "Lowest energy of the same composition, or the convex hull over all compositions.",
        "lowest or hull",
    )
    force_limit: PositiveFloat | None = key(
        None,
        "Force in eV/A above which a configuration counts less, by the square of the ratio.",
        "numbers above 0, or nothing",
    )


class FitSection(Section):
    """How potentials are fitted."""

    weights: WeightsSection = key(WeightsSection(), "Weights of the loss.", "energy, force, stress")
    relative_force_eps: PositiveFloat | None = key(
        None,
        "Softening (eV^2/A^2) of forces weighted by their size; absolute forces if absent.",
        "numbers above 0, or nothing",
    )
    weighting: WeightingSection | None = key(
        None, "Weights of configurations; all alike if absent.", "by_name, energy_window, ..."
    )
    atomic_energies: dict[Symbol, float] | Literal["isolated", "composition"] | None = key(
        None,
        "Energies of free atoms in eV, which are taken off before a fit and put back: given, of "
        "the isolated atoms among the data, or such that they suit the compositions.",
        "species with numbers, isolated, composition, or nothing",
    )
    robust: float | None = key(
        None,
        "Labels with errors above so many times what nine labels of ten stay below lose influence, "
        "so that one absurd label does no harm; all count in full if absent.",
        "numbers above 1, such as 5, or nothing",
        gt=1,
        allow_inf_nan=False,
    )
    pull: PositiveFloat | None = key(
        None,
        "Strength of a pull towards the potential of the turn before: what the squared distance "
        "of the parameters from its own is multiplied by in the loss.",
        "numbers above 0, or nothing",
    )
    widen_interval: bool = key(
        False,
        "Whether the inner end of the radial functions follows shorter distances in later data. "
        "They are expanded again, which changes no prediction.",
        "true or false",
    )
    n_starts: Count = key(
        1,
        "Random starts of the first fit, of which the best is taken; later turns go on from the "
        "potential before. In a large training set they are compared on a part of it.",
        "numbers from 1",
    )
    max_iterations: Count = key(200, "Most iterations of one fit.", "numbers from 1")
    tolerance: PositiveFloat = key(
        1e-3,
        "A fit ends when three steps in a row lower the loss by less than this share.",
        "numbers above 0",
    )


class BudgetSection(Section):
    """What the campaign may spend."""

    labels: Count = key(
        ...,
        "Labels in all: start, test sets, and those that were known already included.",
        "numbers from 1",
    )
    labels_per_turn: Count = key(10, "Label calls of one turn.", "numbers from 1")
    turns: Count = key(6, "Turns of the loop.", "numbers from 1")


class PropertyEntry(OpenSection):
    """One property to validate; further keys are the settings of its kind."""

    kind: str = key(..., "Kind of property.", "a kind of property")
    structure: str | None = key(None, "Structure it is computed for.", "a name in start.structures")
    targets: dict[str, Limit] = key(
        {},
        "Largest deviation allowed from the reference, in the unit of the figure or in percent "
        "('2 %'); of errors and counts, the largest value.",
        "figures of that kind with numbers from 0 or percentages",
    )
    before: bool = key(
        True, "Whether it is also computed with the potential of the start alone.", "true or false"
    )


class CampaignFile(Section):
    """A whole campaign file."""

    name: Name = key(..., "Name of the campaign.", NAME)
    species: list[Symbol] = key(
        ..., "Chemical species; their order is that of the types.", "chemical symbols", min_length=1
    )
    seed: int = key(0, "Seed of all random numbers.", "numbers from 0", ge=0)
    potential: PotentialSection = key(
        PotentialSection(), "The potential.", "level, cutoff, min_distance, zbl"
    )
    start: StartSection = key(..., "Where it starts.", "training, structures, calculator")
    explore: list[SamplerEntry] = key(..., "The samplers.", "a list of samplers", min_length=1)
    grades: GradesSection = key(
        GradesSection(),
        "What counts as extrapolation.",
        "gamma_entry, gamma_select, gamma_break, mode, method",
    )
    label: LabelSection = key(..., "Who labels.", "calculator, settings, code, ...")
    fit: FitSection = key(FitSection(), "How to fit.", "weights, max_iterations, ...")
    budget: BudgetSection = key(..., "What may be spent.", "labels, labels_per_turn, turns")
    gate: dict[str, Any] = key(
        {}, "Sanity checks before a label is paid for.", "settings of the gate"
    )
    test_sets: dict[Name, list[StructureItem]] = key(
        {},
        "Frozen test sets, labelled once and never trained on.",
        "names with lists of structures",
    )
    test_targets: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = key(
        {},
        "Largest errors allowed on every test set at the end.",
        "errors such as forces_rmse_eV_per_A with numbers from 0",
    )
    test_fraction: float = key(
        0.0,
        "Share of the chains whose selected frames are held out as tests.",
        "numbers from 0, below 1",
        ge=0,
        lt=1,
    )
    validation: list[PropertyEntry] = key(
        [],
        "Properties compared with the calculator of the labels at the end.",
        "a list of properties",
        alias="validate",
    )
    machines: str | None = key(
        None, "File that maps the roles fit, sample and label to codes.", "the path of a file"
    )


class Role(Section):
    """Where the jobs of one role run."""

    code: str | None = key(None, "Code in AiiDA, such as alpot@cluster.", "the label of a code")
    resources: dict[str, Any] = key(
        {"num_machines": 1, "num_mpiprocs_per_machine": 1},
        "Resources of a job.",
        "resources of an AiiDA CalcJob",
    )
    options: dict[str, Any] = key(
        {},
        "Other options of the scheduler: queue_name, max_wallclock_seconds, prepend_text, ...",
        "metadata.options of an AiiDA CalcJob",
    )
    threads: Count = key(1, "Threads of a job; results can depend on it.", "numbers from 1")
    max_jobs: Count = key(8, "Most jobs of this role at a time.", "numbers from 1")


class MachinesFile(Section):
    """Where the jobs of a campaign run."""

    fit: Role = key(Role(), "Fits and selections.", "code, resources, options, threads")
    sample: Role = key(Role(), "Samplers and properties.", "code, resources, options, ...")
    label: Role = key(Role(max_jobs=4), "Labels.", "code, resources, options, ...")
