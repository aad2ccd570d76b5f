# SPDX-License-Identifier: MIT
"""``verdi data alpot.potential``, ``alpot.configurations``, ``alpot.active_set``.

Each has list, show, export and plot, with the options that the data commands of AiiDA have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from aiida.cmdline.commands.cmd_data import verdi_data
from aiida.cmdline.commands.cmd_data.cmd_list import list_options, query
from aiida.cmdline.params import arguments, options, types
from aiida.cmdline.utils import decorators, echo

Command = Callable[..., Any]

_POTENTIAL = types.DataParamType(sub_classes=("aiida.data:alpot.potential",))
_CONFIGURATIONS = types.DataParamType(sub_classes=("aiida.data:alpot.configurations",))
_ACTIVE_SET = types.DataParamType(sub_classes=("aiida.data:alpot.active_set",))
_TARGET = click.argument("target", type=click.Path(dir_okay=False, path_type=Path), required=False)
_OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; the content goes to the terminal if absent.",
)
_PICTURE = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Picture to write: .png, .svg or .pdf.",
)
_FORCE = options.FORCE(help="Write over a file that is there.")


@verdi_data.group("alpot.potential")
def potential() -> None:
    """List, show, export and plot moment tensor potentials."""


@potential.command("list")
@options.WITH_ELEMENTS()
@list_options
@decorators.with_dbenv()
def list_potentials(elements: Sequence[str] | None, raw: bool, **filters: Any) -> None:
    """List potentials: species, level, cutoff, number of parameters."""
    from aiida_alpot.data import PotentialData

    columns = ("id", "label", "ctime", "species", "level", "cutoff", "n_parameters")
    _print_list(PotentialData, columns, elements=elements, raw=raw, **filters)


@potential.command("show")
@arguments.DATA(type=_POTENTIAL)
@decorators.with_dbenv()
def show_potential(data: Sequence[Any]) -> None:
    """Show species, level, cutoff and the number of parameters."""
    for datum in data:
        _print_lines(
            ("species", " ".join(datum.species)),
            ("level", datum.level if datum.level is not None else "not a standard one"),
            ("cutoff", f"{datum.cutoff:g} A"),
            ("parameters", datum.base.attributes.get("n_parameters")),
            ("fitted by", _creator(datum)),
        )


@potential.command("export")
@arguments.DATUM(type=_POTENTIAL)
@_TARGET
@options.EXPORT_FORMAT(type=click.Choice(["mtp", "almtp"]), default="mtp")
@_OUTPUT
@_FORCE
@decorators.with_dbenv()
def export_potential(
    datum: Any, target: Path | None, fmt: str, output: Path | None, force: bool
) -> None:
    """Write the potential: .mtp of MLIP-2, or .almtp of MLIP-3 with the active set of its fit."""
    content = datum.get_text().encode() if fmt == "mtp" else _with_active_set(datum)
    _write(content, target or output, force=force)


@potential.command("plot")
@arguments.DATUM(type=_POTENTIAL)
@_PICTURE
@_FORCE
@decorators.with_dbenv()
def plot_potential(datum: Any, output: Path | None, force: bool) -> None:
    """Draw the energy of two atoms against their distance, for every pair of species."""
    from aiida_alpot.reports.node_plots import dimer_curves

    _write_picture(dimer_curves(datum.get_potential()), output, datum, force=force)


@verdi_data.group("alpot.configurations")
def configurations() -> None:
    """List, show, export and plot sets of configurations."""


@configurations.command("list")
@options.WITH_ELEMENTS()
@list_options
@decorators.with_dbenv()
def list_configurations(elements: Sequence[str] | None, raw: bool, **filters: Any) -> None:
    """List sets of configurations: how many, of what, how many of them labelled."""
    from aiida_alpot.data import ConfigurationsData

    columns = ("id", "label", "ctime", "species", "n_configurations", "n_atoms", "n_labelled")
    _print_list(ConfigurationsData, columns, elements=elements, raw=raw, **filters)


@configurations.command("show")
@arguments.DATA(type=_CONFIGURATIONS)
@decorators.with_dbenv()
def show_configurations(data: Sequence[Any]) -> None:
    """Show how many configurations there are, of what, and how many are labelled."""
    for datum in data:
        _print_lines(
            ("configurations", datum.n_configurations),
            ("atoms", datum.base.attributes.get("n_atoms")),
            ("species", " ".join(datum.species)),
            ("labelled", datum.n_labelled),
            ("level of theory", datum.level_of_theory or "(none)"),
            ("made by", _creator(datum)),
        )


@configurations.command("export")
@arguments.DATUM(type=_CONFIGURATIONS)
@_TARGET
@options.EXPORT_FORMAT(type=click.Choice(["xyz", "cfg", "npz"]), default=None)
@_OUTPUT
@_FORCE
@decorators.with_dbenv()
def export_configurations(
    datum: Any, target: Path | None, fmt: str | None, output: Path | None, force: bool
) -> None:
    """Write the configurations: extended XYZ, .cfg of MLIP, .npz, or what the suffix names."""
    from aiida_alpot.mtp.mlip_configurations import format_cfg
    from aiida_alpot.mtp.structure_files import format_xyz, write_configurations

    path = target or output
    if fmt is None and path is not None:
        _require_free(path, force=force)
        write_configurations(datum.get_configurations(), path)
        echo.echo_success(f"wrote {path}")
        return
    if fmt == "npz":
        content = datum.content
    elif fmt == "cfg":
        content = format_cfg(datum.get_configurations(), datum.species).encode()
    else:
        content = format_xyz(datum.get_configurations()).encode()
    _write(content, path, force=force)


@configurations.command("plot")
@arguments.DATUM(type=_CONFIGURATIONS)
@_PICTURE
@_FORCE
@decorators.with_dbenv()
def plot_configurations(datum: Any, output: Path | None, force: bool) -> None:
    """Draw the distributions of energies, forces, volumes and numbers of atoms."""
    from aiida_alpot.reports.node_plots import distributions

    _write_picture(distributions(datum.get_configurations()), output, datum, force=force)


@verdi_data.group("alpot.active_set")
def active_set() -> None:
    """List, show, export and plot active sets."""


@active_set.command("list")
@list_options
@decorators.with_dbenv()
def list_active_sets(raw: bool, **filters: Any) -> None:
    """List active sets: number of places, what a row stands for, how coordinates are made."""
    from aiida_alpot.data import ActiveSetData

    columns = ("id", "label", "ctime", "n_rows", "mode", "method")
    _print_list(ActiveSetData, columns, raw=raw, **filters)


@active_set.command("show")
@arguments.DATA(type=_ACTIVE_SET)
@decorators.with_dbenv()
def show_active_set(data: Sequence[Any]) -> None:
    """Show places, how many are filled, the volume, and which configurations fill most."""
    for datum in data:
        found = datum.get_active_set()
        _print_lines(
            ("places", found.rank),
            ("filled", found.n_initialized),
            ("mode", found.mode),
            ("method", found.method),
            ("log volume", f"{found.log_det:.6g}"),
            ("potential", found.potential_hash[:16]),
            ("made by", _creator(datum)),
        )
        for name, count in _places(found)[:10]:
            echo.echo(f"  {count:5d}  {name}")


@active_set.command("export")
@arguments.DATUM(type=_ACTIVE_SET)
@_TARGET
@_OUTPUT
@_FORCE
@decorators.with_dbenv()
def export_active_set(datum: Any, target: Path | None, output: Path | None, force: bool) -> None:
    """Write the active set as an .npz file, which ``alpot grade`` and the calculator read."""
    _write(datum.content, target or output, force=force)


@active_set.command("plot")
@arguments.DATUM(type=_ACTIVE_SET)
@_PICTURE
@_FORCE
@decorators.with_dbenv()
def plot_active_set(datum: Any, output: Path | None, force: bool) -> None:
    """Draw the singular values of the rows, and how many places each configuration fills."""
    from aiida_alpot.reports.node_plots import places_and_spectrum

    _write_picture(places_and_spectrum(datum.get_active_set()), output, datum, force=force)


def _places(active_set: Any) -> list[tuple[str, int]]:
    """Return the configurations of an active set with their numbers of places, most first."""
    names = active_set.identifier[active_set.initialized].tolist()
    return sorted(((one, names.count(one)) for one in set(names)), key=lambda pair: -pair[1])


def _print_list(
    kind: type,
    columns: Sequence[str],
    *,
    raw: bool,
    past_days: int | None,
    groups: Sequence[Any] | None,
    all_users: bool,
    elements: Sequence[str] | None = None,
) -> None:
    from tabulate import tabulate  # type: ignore[import-untyped]

    own = ("id", "label", "ctime")
    projected = [name if name in own else f"attributes.{name}" for name in columns]
    pks = None if groups is None else [group.pk for group in groups]
    rows = [
        list(_cells(row, columns))
        for row in query(kind, projected, past_days, pks, all_users)
        if not elements or set(elements) <= set(row[columns.index("species")])
    ]
    if raw:
        echo.echo(tabulate(rows, tablefmt="plain"))
        return
    echo.echo(tabulate(rows, headers=[_HEADERS.get(name, name) for name in columns]))
    echo.echo(f"\nTotal results: {len(rows)}\n")


_HEADERS = {
    "id": "Id",
    "label": "Label",
    "ctime": "Ctime",
    "n_parameters": "parameters",
    "n_configurations": "configurations",
    "n_atoms": "atoms",
    "n_labelled": "labelled",
    "n_rows": "places",
}


def _cells(row: Sequence[Any], columns: Sequence[str]) -> Iterator[str]:
    for name, value in zip(columns, row, strict=True):
        if name == "ctime":
            yield value.strftime("%Y-%m-%d %H:%M")
        elif isinstance(value, list):
            yield " ".join(map(str, value))
        else:
            yield "-" if value is None else str(value)


def _print_lines(*lines: tuple[str, Any]) -> None:
    width = max(len(name) for name, _ in lines) + 2
    for name, value in lines:
        echo.echo(f"{name:{width}}{value}")


def _creator(datum: Any) -> str:
    creator = datum.creator
    return "(given)" if creator is None else f"{creator.process_label} {creator.uuid}"


def _with_active_set(datum: Any) -> bytes:
    from aiida_alpot.grading.mlip_state import dump_almtp

    fit = datum.creator
    if fit is None or "active_set" not in fit.outputs:
        echo.echo_critical(f"{datum} was not fitted with an active set here; export it as mtp.")
    return dump_almtp(datum.get_potential(), fit.outputs.active_set.get_active_set())


def _require_free(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        echo.echo_critical(f"{path} is there already; --force writes over it.")


def _write(content: bytes, path: Path | None, *, force: bool) -> None:
    if path is None:
        click.get_binary_stream("stdout").write(content)
        return
    _require_free(path, force=force)
    path.write_bytes(content)
    echo.echo_success(f"wrote {path}")


def _write_picture(figure: Any, path: Path | None, datum: Any, *, force: bool) -> None:
    target = path or Path(f"{datum.base.attributes.get('filename').split('.')[0]}_{datum.pk}.png")
    _require_free(target, force=force)
    figure.savefig(target)
    echo.echo_success(f"wrote {target}")
