# SPDX-License-Identifier: MIT
"""Label configurations with an ASE calculator or GPAW: ``python label_driver.py request.json``.

This one file is all that a computer needs to label: Python >= 3.9, NumPy, ASE >= 3.22 and, where
it is asked for, GPAW >= 22.8. It imports nothing of aiida_alpot, because the Python of a DFT code
is often not the Python of the numerics; the label job imports this file, and a CalcJob ships it to
a computer that has nothing else.

The request names a calculator of :data:`CALCULATORS`; nothing is imported or evaluated by name.
Each configuration is labelled by itself, with a calculator of its own, so that its label does not
depend on the batch it was in, and gets a verdict of its own: an exception, an SCF that does not
converge or a value that is not finite is a failure with a reason, never a label.

A configuration can also take down the process. Its name stands in ``label_progress.jsonl`` before
it is begun, and its verdict and label are added there as soon as it ends, so that a job that is
killed keeps all that was paid for and names what it died of. A job that begins again in the same
folder goes on from there. ``labelled.npz`` and ``result.json`` are written every few seconds too,
with ``"complete": false``, and the file of the progress is removed when they are complete.

The label is the force-consistent (free) energy, of which the forces are the gradient; the energy
extrapolated to zero smearing is stored beside it. Units: eV, Angstrom; stress in eV/A^3 with ASE's
sign.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # before NumPy is there: one thread for each process, unless the user says more
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # files beside this one must not stand for modules, of which pathlib is one
    if sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH100, PTH120
        del sys.path[0]

import base64
import hashlib
import importlib
import io
import json
import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.data import atomic_numbers

SCHEMA = 1
LABELLED_FILE = "labelled.npz"
RESULT_FILE = "result.json"
PROGRESS_FILE = "label_progress.jsonl"
LOG_FOLDER = "label_logs"
SECONDS_BETWEEN_WRITES = 2.0
PER_ATOM = ("numbers", "positions", "forces", "magnetic_moments", "force_mask")
SMALLEST_MOMENT = 0.5  # Bohr magnetons; smaller moments that are asked for are not judged
UNCHANGED = ("schema", "level_of_theory", "offsets")


class DriverError(Exception):
    """Base of the errors that the user can mend, named as in aiida_alpot.errors."""

    exit_status = 2


class SettingError(DriverError):
    """A key of the request or a setting of the calculator is wrong."""


class InputFileError(DriverError):
    """A file is missing, unreadable or outside the folder of the job."""


class LevelOfTheoryError(DriverError):
    """The level of theory of the request is not that of its calculator."""

    exit_status = 3


# --- settings: a check returns the canonical value or raises ValueError with what is allowed


def _number(value: Any, least: float = -np.inf, above: float = -np.inf) -> float:
    allowed = "a number" if least == above == -np.inf else f"a number >= {least:g}"
    allowed = f"a number > {above:g}" if above > -np.inf else allowed
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(allowed)
    if not (np.isfinite(value) and value >= least and value > above):
        raise ValueError(allowed)
    return float(value)


def _positive(value: Any) -> float:
    return _number(value, above=0)


def _not_negative(value: Any) -> float:
    return _number(value, least=0)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number >= 1")
    return value


def _share(value: Any) -> float:
    number = _number(value, least=0)
    if number > 1:
        raise ValueError("a number from 0 to 1")
    return number


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", value):
        raise ValueError("a name of letters, digits and _ . + -")
    return value


def _file(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("the name of a file in the folder of the job")
    return value


def _mesh(value: Any) -> list[int]:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise ValueError("three whole numbers >= 1")
    return [_count(number) for number in value]


def _bands(value: Any) -> int | str:
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?%", value):
        return value
    try:
        return _count(value)
    except ValueError as error:
        raise ValueError("a whole number >= 1, or text such as '120%'") from error


def _pulay(value: Any) -> float | str:
    return value if value == "estimate" else _number(value)


def _or_null(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else check(value)


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return str(value)

    return check


def _table(check: Callable[[Any], Any], *keys: str) -> Callable[[Any], dict[str, Any]]:
    """Return a check of a mapping, from ``keys`` or, without any, from chemical symbols."""
    allowed = "a mapping of " + (", ".join(keys) or "chemical symbols") + " to values"

    def check_table(value: Any) -> dict[str, Any]:
        known = keys or atomic_numbers
        if not isinstance(value, Mapping) or any(key not in known for key in value):
            raise ValueError(allowed)
        return {key: check(value[key]) for key in sorted(value)}

    return check_table


def _name_or_table(value: Any) -> str | dict[str, str]:
    return _name(value) if isinstance(value, str) else _table(_name)(value)


class Setting(NamedTuple):
    """One setting of a calculator: its check, its default, whether it decides the label."""

    check: Callable[[Any], Any]
    default: Any = None
    decides: bool = True
    required: bool = False


class KnownCalculator(NamedTuple):
    """An entry of the allow-list.

    ``electrons`` marks codes with smearing, spin and parallel runs; the others are formulas.
    """

    settings: dict[str, Setting]
    build: Callable[[dict[str, Any], Path, str | None], Any]
    electrons: bool = False


# --- calculators


def _build_emt(settings: dict[str, Any], folder: Path, log: str | None) -> Any:
    from ase.calculators.emt import EMT

    return EMT(**settings)


def _build_lennard_jones(settings: dict[str, Any], folder: Path, log: str | None) -> Any:
    from ase.calculators.lj import LennardJones

    return LennardJones(**settings)


def _build_morse(settings: dict[str, Any], folder: Path, log: str | None) -> Any:
    from ase.calculators.morse import MorsePotential

    return MorsePotential(**settings)


def _build_eam(settings: dict[str, Any], folder: Path, log: str | None) -> Any:
    from ase.calculators.eam import EAM

    return EAM(potential=str(file_in(folder, settings["file"])), form=settings["form"])


def _build_tersoff(settings: dict[str, Any], folder: Path, log: str | None) -> Any:
    try:
        from ase.calculators.tersoff import Tersoff
    except ImportError as error:
        raise SettingError("This ASE has no Tersoff calculator. Install ASE >= 3.25.") from error
    return Tersoff.from_lammps(str(file_in(folder, settings["file"])))


def _build_gpaw(settings: dict[str, Any], folder: Path, log: str | None) -> Any:
    GPAW = _import_gpaw().GPAW
    mode = {"name": "pw", "ecut": settings["ecut"]}
    if settings["dedecut"] is not None:
        mode["dedecut"] = settings["dedecut"]
    # GPAW takes ceil(|b_i| density) points along a periodic direction and one along the others
    mesh = {"size": settings["kpts"]} if settings["kpts"] else {"density": 1 / settings["kspacing"]}
    optional = {key: settings[key] for key in ("convergence", "mixer", "nbands", "spinpol")}
    return GPAW(
        mode=mode,
        xc=settings["xc"],
        kpts={**mesh, "gamma": True},
        occupations={"name": "fermi-dirac", "width": settings["smearing"]},
        setups=settings["setups"],
        maxiter=settings["maxiter"],
        txt=log,
        **{key: value for key, value in optional.items() if value not in (None, {})},
    )


def _import_gpaw() -> Any:
    try:
        importlib.import_module("gpaw.mpi")  # first: it starts MPI and knows the ranks
        return importlib.import_module("gpaw")
    except ImportError as error:
        raise SettingError(
            f"GPAW cannot be imported by {sys.executable} ({error}). Install it there (Debian: "
            "apt-get install gpaw gpaw-data) or label with a code whose Python has GPAW."
        ) from error


GPAW_SETTINGS = {
    "xc": Setting(_name, "PBE"),
    "ecut": Setting(_positive, required=True),  # eV, plane waves
    "kspacing": Setting(_or_null(_positive)),  # 1/A, with the factor 2 pi
    "kpts": Setting(_or_null(_mesh)),
    "smearing": Setting(_not_negative, 0.1),  # eV, Fermi-Dirac
    "spinpol": Setting(_or_null(_boolean)),
    "magmoms": Setting(_table(_number), {}),  # Bohr magnetons, initial, by species
    "moment_scale": Setting(_positive, 1.0, decides=False),  # of the moments to start from
    "moment_kept": Setting(_share, 0.3, decides=False),  # least share of them at the end
    "setups": Setting(_name_or_table, "paw"),
    "dedecut": Setting(_or_null(_pulay)),  # Pulay term of the stress
    "convergence": Setting(_table(_positive, "energy", "density", "eigenstates", "forces"), {}),
    "vacuum": Setting(_positive, 5.0),  # A, on each side where the cell has no vector
    "nbands": Setting(_or_null(_bands), None, decides=False),
    "maxiter": Setting(_count, 333, decides=False),
    "mixer": Setting(_table(_positive, "beta", "weight"), {}, decides=False),
    "log": Setting(_boolean, True, decides=False),
}

CALCULATORS = {
    "EMT": KnownCalculator({"asap_cutoff": Setting(_boolean, False)}, _build_emt),
    "LennardJones": KnownCalculator(
        {
            "epsilon": Setting(_positive, 1.0),
            "sigma": Setting(_positive, 1.0),
            "rc": Setting(_or_null(_positive)),
            "ro": Setting(_or_null(_positive)),
            "smooth": Setting(_boolean, False),
        },
        _build_lennard_jones,
    ),
    "MorsePotential": KnownCalculator(
        {
            "epsilon": Setting(_positive, 1.0),
            "rho0": Setting(_positive, 6.0),
            "r0": Setting(_positive, 1.0),
            "rcut1": Setting(_positive, 1.9),
            "rcut2": Setting(_positive, 2.7),
        },
        _build_morse,
    ),
    "EAM": KnownCalculator(
        {
            "file": Setting(_file, required=True),
            "form": Setting(_or_null(_one_of("eam", "alloy", "fs", "adp"))),
        },
        _build_eam,
    ),
    "Tersoff": KnownCalculator({"file": Setting(_file, required=True)}, _build_tersoff),
    "GPAW": KnownCalculator(GPAW_SETTINGS, _build_gpaw, electrons=True),
}


def check_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of the calculator ``name`` in canonical form, defaults filled in.

    Raises
    ------
    SettingError
        If the calculator is not in the allow-list, or a setting is unknown, missing or not valid.
    """
    if not isinstance(name, str) or name not in CALCULATORS:
        raise SettingError(
            f"Unknown calculator {name!r}; allowed are {', '.join(sorted(CALCULATORS))}."
        )
    if not isinstance(settings, Mapping):
        raise SettingError(f"The settings of {name} are {settings!r}; they must be a mapping.")
    known = CALCULATORS[name].settings
    for key in settings:
        if key not in known:
            raise SettingError(
                f"Unknown setting {key!r} of {name}; allowed are {', '.join(sorted(known))}."
            )
    complete = {}
    for key, setting in known.items():
        if key not in settings and setting.required:
            raise SettingError(f"{name} needs the setting '{key}'.")
        try:
            complete[key] = setting.check(settings[key]) if key in settings else setting.default
        except ValueError as error:
            raise SettingError(
                f"Setting '{key}' of {name} is {settings[key]!r}; it must be {error}."
            ) from error
    if name == "GPAW" and (complete["kspacing"] is None) == (complete["kpts"] is None):
        raise SettingError("GPAW needs exactly one of the settings 'kspacing' (1/A) and 'kpts'.")
    return complete


def make_calculator(
    name: str, settings: Mapping[str, Any], folder: str | Path, *, log: str | None = None
) -> Any:
    """Return a new ASE calculator of the allow-list.

    Parameters
    ----------
    name : str
        A key of :data:`CALCULATORS`.
    settings : mapping
        Its settings; those left out have their defaults.
    folder : path
        Folder of the job, in which a file named by the settings must lie.
    log : str, optional
        File for the log of a DFT code; none by default.

    Raises
    ------
    SettingError
        If the calculator or a setting is not allowed, or the code is not installed.
    InputFileError
        If a file is missing, not readable or outside the folder.
    """
    complete = check_settings(name, settings)
    try:
        return CALCULATORS[name].build(complete, Path(folder), log)
    except DriverError:
        raise
    except Exception as error:
        raise InputFileError(f"{name} cannot be set up: {_one_line(error)}.") from error


def level_of_theory(
    name: str, settings: Mapping[str, Any], folder: str | Path | None = None
) -> str:
    """Return what decides the value of a label, as canonical JSON.

    Defaults are filled in, numbers have one form, keys are sorted; a file counts with its content.
    """
    complete = check_settings(name, settings)
    deciding: dict[str, Any] = {}
    for key, setting in CALCULATORS[name].settings.items():
        if not setting.decides:
            continue
        deciding[key] = complete[key]
        if setting.check is _file:  # the content decides, not the name
            content = file_in(Path(folder or "."), complete[key]).read_bytes()
            deciding[key] = "sha256:" + hashlib.sha256(content).hexdigest()
    level = {"calculator": name, "settings": deciding}
    return json.dumps(level, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def file_in(folder: Path, name: str) -> Path:
    """Return the path of a file of the job; raise if it is missing or outside ``folder``."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputFileError(f"The file {name!r} lies outside the folder of the job.")
    if not path.is_file():
        raise InputFileError(f"There is no file {name!r} in the folder of the job ({folder}).")
    return path


# --- configurations: the arrays of aiida_alpot.configurations.Configurations


def read_configurations(path: Path) -> dict[str, Any]:
    """Read the arrays of a configurations file; InputFileError if it is not one."""
    return parse_configurations(path.read_bytes(), str(path))


def parse_configurations(content: bytes, path: str) -> dict[str, Any]:
    """Return the arrays of the content of a file; InputFileError if they are no configurations."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception as error:  # a damaged zip raises errors of many kinds
        raise InputFileError(
            f"{path} is not a readable .npz file of configurations ({_one_line(error)}). It may be "
            "truncated: copy or write it again."
        ) from error
    needed = {*PER_ATOM, *UNCHANGED, "cells", "pbc", "energy", "stress", "identifier"}
    if int(arrays.get("schema", -1)) != SCHEMA or not needed <= set(arrays):
        raise InputFileError(
            f"{path} has schema {arrays.get('schema', 'none')}, this driver reads {SCHEMA}. "
            "Use the same version of aiida-alpot on both sides."
        )
    return arrays


def configuration_hash(arrays: Mapping[str, Any], index: int) -> str:
    """Return the key of a label, equal to ``Configurations.hashes()[index]``."""
    rows = _rows(arrays, index)
    digest = hashlib.sha256()
    for part, dtype in (
        (arrays["numbers"][rows], "<i4"),
        (arrays["positions"][rows], "<f8"),
        (arrays["cells"][index], "<f8"),
        (arrays["pbc"][index], "u1"),
    ):
        # adding zero turns -0.0 into 0.0, which is the same place
        digest.update((np.ascontiguousarray(part, dtype=dtype) + 0).astype(dtype).tobytes())
    return digest.hexdigest()


def _rows(arrays: Mapping[str, Any], index: int) -> slice:
    return slice(int(arrays["offsets"][index]), int(arrays["offsets"][index + 1]))


def atoms_of(arrays: Mapping[str, Any], index: int) -> Atoms:
    """Return configuration ``index`` without labels."""
    rows = _rows(arrays, index)
    return Atoms(
        numbers=arrays["numbers"][rows],
        positions=arrays["positions"][rows],
        cell=arrays["cells"][index],
        pbc=arrays["pbc"][index],
    )


def select(arrays: Mapping[str, Any], indices: list[int]) -> dict[str, Any]:
    """Return the arrays of the configurations at ``indices``, in that order."""
    chosen = np.array(indices, dtype=np.int64)
    parts = [np.arange(arrays["offsets"][i], arrays["offsets"][i + 1]) for i in indices]
    rows = np.concatenate(parts) if parts else chosen
    counts = np.diff(arrays["offsets"])[chosen]
    return {
        name: array if name in UNCHANGED else array[rows if name in PER_ATOM else chosen]
        for name, array in arrays.items()
    } | {"offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)}


# --- labels


class Label(NamedTuple):
    """Labels of one configuration; absent ones are NaN."""

    energy: float
    energy_extrapolated: float
    forces: Any
    stress: Any
    magnetic_moments: Any


def label_atoms(
    atoms: Atoms, name: str, settings: Mapping[str, Any], folder: Path, *, log: str | None = None
) -> Label:
    """Return energy, forces, stress and magnetic moments of one configuration.

    Stress is given where the cell is periodic in three directions and the calculator has it.

    Raises
    ------
    ValueError
        If a value is not finite, or an atom left the magnetic state that was asked for.
    Exception
        Whatever the calculator raises, for instance where its SCF does not converge.
    """
    known = CALCULATORS[name]
    atoms = atoms.copy()
    if known.electrons:
        settings = _fit_to(atoms, check_settings(name, settings))
    atoms.calc = make_calculator(name, settings, folder, log=log)
    extrapolated = float(atoms.get_potential_energy())
    if known.electrons and settings["magmoms"]:  # before forces are paid for
        require_state(
            atoms.get_initial_magnetic_moments() / settings["moment_scale"],
            _magnetic_moments(atoms, known.electrons),
            settings["moment_kept"],
        )
    label = Label(
        energy=_free_energy(atoms, required=known.electrons),
        energy_extrapolated=extrapolated if known.electrons else np.nan,
        forces=np.asarray(atoms.get_forces(), dtype=float),
        stress=_stress(atoms),
        magnetic_moments=_magnetic_moments(atoms, known.electrons),
    )
    for quantity, value in (("energy", label.energy), ("forces", label.forces)):
        if not np.isfinite(value).all():
            raise ValueError(f"the {quantity} of the calculator is not finite")
    return label


def _fit_to(atoms: Atoms, settings: dict[str, Any]) -> dict[str, Any]:
    """Give ``atoms`` a box and moments; return settings with one k-point where not periodic."""
    for axis in np.flatnonzero(~atoms.pbc):  # atoms on the edge of an open box are refused
        boxless = not atoms.cell[axis].any()
        atoms.center(vacuum=settings["vacuum"] if boxless else None, axis=int(axis))
    if settings["magmoms"]:
        moments = [settings["magmoms"].get(symbol, 0.0) for symbol in atoms.get_chemical_symbols()]
        atoms.set_initial_magnetic_moments(np.array(moments) * settings["moment_scale"])
    if settings["kpts"] is None:
        return settings
    return {**settings, "kpts": [n if atoms.pbc[i] else 1 for i, n in enumerate(settings["kpts"])]}


def _free_energy(atoms: Atoms, *, required: bool) -> float:
    try:
        return float(atoms.get_potential_energy(force_consistent=True))
    except PropertyNotImplementedError:  # simple formulas have one energy alone
        if required:
            raise
        return float(atoms.get_potential_energy())


def _stress(atoms: Atoms) -> Any:
    if not atoms.pbc.all():
        return np.full(6, np.nan)
    try:
        stress = np.asarray(atoms.get_stress(), dtype=float)
    except PropertyNotImplementedError:
        return np.full(6, np.nan)
    if not np.isfinite(stress).all():
        raise ValueError("the stress of the calculator is not finite")
    return stress


def _magnetic_moments(atoms: Atoms, electrons: bool) -> Any:
    if electrons and atoms.calc.get_number_of_spins() == 2:
        return np.asarray(atoms.get_magnetic_moments(), dtype=float)
    return np.full(len(atoms), np.nan)


def require_state(requested: Any, final: Any, kept: float) -> None:
    """Raise where an atom left the magnetic state that was asked for.

    An atom left it whose moment has the other sign, or less than the share ``kept`` of the size
    that was asked for; all moments reversed are the same state, and atoms for which less than
    SMALLEST_MOMENT was asked are not judged.

    Raises
    ------
    ValueError
        With the atom that is farthest from it.
    """
    judged = np.flatnonzero(np.abs(requested) >= SMALLEST_MOMENT)
    if len(judged) == 0:
        return
    sense = -1.0 if np.dot(requested, final) < 0 else 1.0
    shares = sense * final[judged] / requested[judged]
    worst = int(judged[np.argmin(shares)])
    if not shares.min() >= kept:
        raise ValueError(
            f"left its magnetic state: atom {worst} was asked to have {requested[worst]:+.2f} Bohr "
            f"magnetons and ended with {final[worst]:+.2f}"
        )


# --- progress: what a job that dies leaves behind


class Progress(NamedTuple):
    """How far a job came: its labels and verdicts by configuration, and what it was at."""

    labels: dict[int, Label]
    verdicts: dict[int, dict[str, Any]]
    running: int | None
    level: str


def begin_progress(arrays: Mapping[str, Any], level: str) -> str:
    """Return the first line of a file of progress, which says what it belongs to."""
    hashes = [configuration_hash(arrays, index) for index in range(len(arrays["offsets"]) - 1)]
    return _line({"schema": SCHEMA, "level_of_theory": level, "hashes": hashes})


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False) + "\n"


def _pack(label: Label) -> str:
    numbers = [np.ravel(np.asarray(value, dtype="<f8")) for value in label]
    return base64.b64encode(np.concatenate(numbers).tobytes()).decode("ascii")


def _unpack(text: str, n_atoms: int) -> Label:
    numbers = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8")
    if len(numbers) != 8 + 4 * n_atoms:
        raise ValueError("a label of another number of atoms")
    forces = numbers[2 : 2 + 3 * n_atoms].reshape(-1, 3)
    stress, moments = numbers[2 + 3 * n_atoms : 8 + 3 * n_atoms], numbers[8 + 3 * n_atoms :]
    return Label(float(numbers[0]), float(numbers[1]), forces, stress, moments)


_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)
"""What a line that was damaged raises."""


def read_progress(text: str, arrays: Mapping[str, Any], level: str = "") -> Progress:
    """Return how far a job came; nothing if the text belongs to another job.

    A last line that was cut off, or a line that cannot be read, counts as not written. Without a
    level of theory any is taken.
    """
    labels: dict[int, Label] = {}
    verdicts: dict[int, dict[str, Any]] = {}
    running = None
    lines = text.splitlines(keepends=True)
    own_level = level or _level_in(lines[0] if lines else "")
    if not lines or lines[0] != begin_progress(arrays, own_level):
        return Progress(labels, verdicts, None, level)
    n_atoms = np.diff(arrays["offsets"])
    for line in lines[1:]:
        try:
            entry = json.loads(line) if line.endswith("\n") else {}
            if "running" in entry:
                running = range(len(n_atoms))[int(entry["running"])]
                continue
            index = range(len(n_atoms))[int(entry["done"])]
            verdict = dict(entry["verdict"])
            label = _unpack(entry["label"], int(n_atoms[index])) if entry["label"] else None
        except _UNREADABLE:
            continue
        verdicts[index] = verdict
        running = None if running == index else running
        if label is not None:
            labels[index] = label
    return Progress(labels, verdicts, running, own_level)


def _level_in(line: str) -> str:
    try:
        return str(json.loads(line)["level_of_theory"])
    except _UNREADABLE:
        return ""


def labelled_arrays(
    arrays: Mapping[str, Any], labels: Mapping[int, Label], level: str
) -> dict[str, Any]:
    """Return the arrays of the labelled configurations alone, in their order."""
    done = sorted(labels)
    content = select(arrays, done)
    content["level_of_theory"] = np.array(level)
    for name in Label._fields:
        values = [getattr(labels[index], name) for index in done]
        joined = np.concatenate(values) if name in PER_ATOM and values else np.array(values)
        content[name] = joined.astype(float).reshape(content[name].shape)
    return content


def recover(text: str, content: bytes) -> tuple[dict[str, Any], bytes | None]:
    """Return result and labels of a job that died.

    Parameters
    ----------
    text : str
        Its file of progress.
    content : bytes
        The file of its configurations.

    Returns
    -------
    dict, bytes or None
        The keys of a result that the progress gives, with ``running``: identifier and hash of the
        configuration that the job died at, or None. The content of ``labelled.npz``, if anything
        was labelled.
    """
    arrays = parse_configurations(content, "the configurations of the job")
    progress = read_progress(text, arrays)
    running = None
    if progress.running is not None:
        running = {
            "identifier": str(arrays["identifier"][progress.running]),
            "hash": configuration_hash(arrays, progress.running),
        }
    result = {
        "verdicts": [progress.verdicts[index] for index in sorted(progress.verdicts)],
        "n_configurations": len(arrays["offsets"]) - 1,
        "n_labelled": len(progress.labels),
        "n_failed": len(progress.verdicts) - len(progress.labels),
        "complete": False,
        "running": running,
        "level_of_theory": progress.level,
    }
    if not progress.labels:
        return result, None
    stream = io.BytesIO()
    np.savez_compressed(stream, **labelled_arrays(arrays, progress.labels, progress.level))
    return result, stream.getvalue()


# --- the job


@dataclass
class LabelJob:
    """A checked request: what to label, how and where.

    ``world`` is the communicator of a parallel run, of which all processes calculate and the first
    writes, or None.
    """

    folder: Path
    name: str
    settings: dict[str, Any]
    level: str
    arrays: dict[str, Any]
    world: Any = None
    labels: dict[int, Label] = field(default_factory=dict)
    verdicts: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """Whether this process writes files."""
        return self.world is None or self.world.rank == 0

    def label_all(self) -> dict[str, Any]:
        """Label one configuration after the other; return this job's part of the result."""
        self._resume()
        if self.writes:
            self._write_labelled()  # a file of an earlier run must not stand for this one
        written = time.perf_counter()
        for index in range(len(self.arrays["offsets"]) - 1):
            if index in self.verdicts:
                continue
            self._note({"running": index})
            self._label_one(index)
            label = self.labels.get(index)
            done = {"done": index, "verdict": self.verdicts[index]}
            self._note({**done, "label": _pack(label) if label is not None else None})
            if self.writes and time.perf_counter() - written > SECONDS_BETWEEN_WRITES:
                self._write_labelled()
                write_result(self.folder, self._result(complete=False))
                written = time.perf_counter()
        result = self._result(complete=True)
        if self.writes:
            self._write_labelled()
            write_result(self.folder, result)
            (self.folder / PROGRESS_FILE).unlink(missing_ok=True)
        return result

    def _resume(self) -> None:
        """Take over what an earlier run of this job in this folder finished."""
        path = self.folder / PROGRESS_FILE
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        self.labels, self.verdicts, *_ = read_progress(text, self.arrays, self.level)
        if self.writes and not self.verdicts:
            path.write_text(begin_progress(self.arrays, self.level), encoding="utf-8")
        elif self.writes and not text.endswith("\n"):
            self._note({})  # ends the line that was cut off

    def _note(self, content: Mapping[str, Any]) -> None:
        """Add a line to the progress; it outlives this process once it is with the system."""
        if self.writes:
            with (self.folder / PROGRESS_FILE).open("a", encoding="utf-8") as stream:
                stream.write(_line(content))

    def _label_one(self, index: int) -> None:
        """Label one configuration, or record the reason why that failed."""
        log = self._log_file(index)
        started = time.perf_counter()
        label, reason = None, ""
        try:
            atoms = atoms_of(self.arrays, index)
            with np.errstate(all="ignore"):  # values that are not finite are refused by name
                label = label_atoms(atoms, self.name, self.settings, self.folder, log=log)
        except Exception as error:  # one bad configuration must not cost the others
            reason = self._reason(error, log)
        if self._any_process_failed(label is None):
            label, reason = None, reason or "the calculation failed on another process"
        if label is not None:
            self.labels[index] = label
        self.verdicts[index] = {
            "identifier": str(self.arrays["identifier"][index]),
            "hash": configuration_hash(self.arrays, index),
            "status": "failed" if label is None else "labelled",
            "reason": reason,
            "seconds": time.perf_counter() - started,
        }

    def _any_process_failed(self, failed: bool) -> bool:
        if self.world is None or self.world.size == 1:
            return failed
        # floats, because the communicator of older versions of GPAW sums nothing else alone
        return bool(self.world.sum(float(failed)) > 0)

    def _log_file(self, index: int) -> str | None:
        if not self.settings.get("log"):
            return None
        if self.writes:
            (self.folder / LOG_FOLDER).mkdir(exist_ok=True)
        return str(self.folder / LOG_FOLDER / f"{index:05d}.txt")

    def _reason(self, error: Exception, log: str | None) -> str:
        text = _one_line(error)
        if "ConvergenceError" in type(error).__name__:
            limit = self.settings["maxiter"]
            text = f"the SCF did not converge within {limit} iterations ({text})"
        return text + (f"; see {LOG_FOLDER}/{Path(log).name}" if log else "")

    def _result(self, *, complete: bool) -> dict[str, Any]:
        modules = ["numpy", "ase"] + (["gpaw"] if CALCULATORS[self.name].electrons else [])
        versions = {name: str(importlib.import_module(name).__version__) for name in modules}
        return {
            "verdicts": [self.verdicts[index] for index in sorted(self.verdicts)],
            "n_configurations": len(self.arrays["offsets"]) - 1,
            "n_labelled": len(self.labels),
            "n_failed": len(self.verdicts) - len(self.labels),
            "complete": complete,
            "level_of_theory": self.level,
            "versions": {"python": platform.python_version(), **versions},
        }

    def _write_labelled(self) -> None:
        content = labelled_arrays(self.arrays, self.labels, self.level)
        partial = self.folder / (LABELLED_FILE + ".partial")
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **content)
        partial.replace(self.folder / LABELLED_FILE)


def label_configurations(
    configurations: str, calculator: Any, level: str, folder: Path
) -> dict[str, Any]:
    """Label every configuration of a file; write ``labelled.npz`` and return the verdicts.

    Parameters
    ----------
    configurations : str
        Name of the ``.npz`` file in ``folder``.
    calculator : mapping
        ``{"name": ..., "settings": {...}}``.
    level : str
        Level of theory that the labels are for; empty takes that of the calculator.
    folder : Path
        Folder of the job.

    Returns
    -------
    dict
        ``verdicts``: for each configuration identifier, hash, status (labelled or failed), reason
        and seconds; ``n_configurations``, ``n_labelled``, ``n_failed``, ``complete``,
        ``level_of_theory`` and ``versions``.

    Raises
    ------
    SettingError, InputFileError, LevelOfTheoryError
        Before the first label is made, if the request is wrong.
    """
    return check_job(configurations, calculator, level, folder).label_all()


def check_job(configurations: str, calculator: Any, level: str, folder: Path) -> LabelJob:
    """Return the job that is asked for; raise before anything expensive if it cannot be done."""
    keys = set(calculator) if isinstance(calculator, Mapping) else set()
    if not {"name"} <= keys <= {"name", "settings"}:
        raise SettingError(
            f"Key 'calculator' of the request is {calculator!r}; it must be "
            '{"name": ..., "settings": {...}}.'
        )
    name = calculator["name"]
    settings = check_settings(name, calculator.get("settings", {}))
    own_level = level_of_theory(name, settings, folder)
    if level and level != own_level:
        raise LevelOfTheoryError(
            f"The request is for the level of theory {level}, but its calculator has {own_level}. "
            "Ask for the level of the calculator, or leave it empty."
        )
    arrays = read_configurations(file_in(folder, configurations))
    make_calculator(name, settings, folder)  # a wrong file or a missing code fails here
    world = sys.modules["gpaw.mpi"].world if CALCULATORS[name].electrons else None
    return LabelJob(folder, name, settings, own_level, arrays, world)


def write_result(folder: Path, content: Mapping[str, Any]) -> None:
    """Write ``result.json``, whole or not at all."""
    result = {"schema": SCHEMA, "job": "label", "cpu": platform.machine(), **content}
    partial = folder / (RESULT_FILE + ".partial")
    text = json.dumps(result, indent=1, sort_keys=True, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(folder / RESULT_FILE)


def read_request(path: Path) -> dict[str, Any]:
    """Return the arguments of :func:`check_job` from a request; raise if a key is wrong."""
    try:
        request = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(f"Cannot read {path} ({_one_line(error)}).") from error
    if not isinstance(request, dict) or request.get("schema") != SCHEMA:
        raise SettingError(f"{path} is no request of schema {SCHEMA}.")
    if request.get("job") != "label":
        raise SettingError(f"{path} asks for the job {request.get('job')!r}; this driver labels.")
    allowed = ("schema", "job", "configurations", "calculator", "level_of_theory")
    for key in request:
        if key not in allowed:
            raise SettingError(f"Unknown key {key!r}; allowed are {', '.join(allowed)}.")
    configurations, level = request.get("configurations"), request.get("level_of_theory", "")
    if not isinstance(configurations, str) or not isinstance(level, str):
        raise SettingError("Keys 'configurations' and 'level_of_theory' must be text.")
    calculator = request.get("calculator")
    return {"configurations": configurations, "calculator": calculator, "level": level}


def main(arguments: list[str]) -> int:
    """Label as the request says; return the exit status."""
    if len(arguments) != 1:
        print("usage: python label_driver.py request.json", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    started = time.perf_counter()
    try:
        job = check_job(**read_request(path), folder=path.parent)
    except DriverError as error:
        if _is_first_process():
            print(f"label: {error}", file=sys.stderr)
            described = {"class": type(error).__name__, "message": str(error)}
            write_result(path.parent, {"error": described}) if path.parent.is_dir() else None
        return error.exit_status
    if job.world is None and not _is_first_process():
        return 0  # simple formulas do not run in parallel: the first process does it all
    result = job.label_all()
    seconds = time.perf_counter() - started
    if job.writes:
        write_result(job.folder, {**result, "seconds": seconds})
        counts = f"{result['n_labelled']} labelled, {result['n_failed']} failed"
        print(f"label: {counts} in {seconds:.1f} s")
    return 0


def _is_first_process() -> bool:
    """Whether this is the first process of an MPI run, as far as the environment tells."""
    names = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
