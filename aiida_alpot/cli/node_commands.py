# SPDX-License-Identifier: MIT
"""``verdi data alpot.potential`` and ``verdi data alpot.configurations``: show and export nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from aiida.cmdline.commands.cmd_data import verdi_data
from aiida.cmdline.params import arguments, types
from aiida.cmdline.utils import decorators, echo

_POTENTIAL = types.DataParamType(sub_classes=("aiida.data:alpot.potential",))
_CONFIGURATIONS = types.DataParamType(sub_classes=("aiida.data:alpot.configurations",))
_TARGET = click.argument("target", type=click.Path(dir_okay=False, path_type=Path))


@verdi_data.group("alpot.potential")
def potential() -> None:
    """Show and export moment tensor potentials."""


@potential.command("show")
@arguments.DATUM(type=_POTENTIAL)
@decorators.with_dbenv()
def show_potential(datum: Any) -> None:
    """Show species, level, cutoff and the number of parameters."""
    echo.echo(f"species      {' '.join(datum.species)}")
    echo.echo(f"level        {datum.level if datum.level is not None else 'not a standard one'}")
    echo.echo(f"cutoff       {datum.cutoff:g} A")
    echo.echo(f"parameters   {datum.base.attributes.get('n_parameters')}")


@potential.command("export")
@arguments.DATUM(type=_POTENTIAL)
@_TARGET
@decorators.with_dbenv()
def export_potential(datum: Any, target: Path) -> None:
    """Write the potential as an .mtp file at TARGET."""
    target.write_bytes(datum.content)
    echo.echo_success(f"wrote {target}")


@verdi_data.group("alpot.configurations")
def configurations() -> None:
    """Show and export sets of configurations."""


@configurations.command("show")
@arguments.DATUM(type=_CONFIGURATIONS)
@decorators.with_dbenv()
def show_configurations(datum: Any) -> None:
    """Show how many configurations there are, of what, and how many are labelled."""
    echo.echo(f"configurations   {datum.n_configurations}")
    echo.echo(f"atoms            {datum.base.attributes.get('n_atoms')}")
    echo.echo(f"species          {' '.join(datum.species)}")
    echo.echo(f"labelled         {datum.n_labelled}")
    echo.echo(f"level of theory  {datum.level_of_theory or '(none)'}")


@configurations.command("export")
@arguments.DATUM(type=_CONFIGURATIONS)
@_TARGET
@decorators.with_dbenv()
def export_configurations(datum: Any, target: Path) -> None:
    """Write the configurations at TARGET: .npz, .cfg of MLIP, or any format that ASE writes."""
    from aiida_alpot.mtp.structure_files import write_configurations

    write_configurations(datum.get_configurations(), target)
    echo.echo_success(f"wrote {target}")
