# SPDX-License-Identifier: MIT
"""Hostile files: every reader is given valid files that were damaged, and plain noise.

Run ``python benchmarks/fuzz.py --seconds 600``; ``--readers`` chooses some, ``--json FILE`` keeps
the figures. The suite runs a moderate number of the same inputs (``tests/security``).

A reader passes if it returns, or raises one of our own errors. It fails if anything else is raised,
if it takes more than :data:`LONGEST` seconds of processor time, asks for more memory than
:data:`MOST_MEMORY` bytes, starts a program, opens a connection, or a file outside its folder.
Inputs are drawn by hypothesis: structure is respected as often as it is broken.
"""

# ruff: noqa: E402 - the number of threads is set before NumPy is loaded
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import importlib
import io
import json
import re
import resource
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import aiida_alpot
from aiida_alpot.campaign.load import load_campaign
from aiida_alpot.campaign.machines import load_machines
from aiida_alpot.configurations import Configurations, Origin
from aiida_alpot.errors import AlpotError
from aiida_alpot.grading.active_rows import ActiveSet
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.mlip_state import dump_almtp, load_active_set
from aiida_alpot.jobs.requests import file_in, parse_request, read_request
from aiida_alpot.jobs.results import parse_result
from aiida_alpot.jobs.run import JOBS
from aiida_alpot.mtp.mlip_configurations import format_cfg
from aiida_alpot.mtp.mlip_files import dump_potential, read_potential
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.mtp.structure_files import format_xyz, read_configurations
from aiida_alpot.mtp.structure_streams import stream_configurations

LONGEST = 3.0
MOST_MEMORY = 400 * 2**20
SPECIES = ("Cu", "Au")


@dataclass(frozen=True)
class Reader:
    """A reader, the name under which it finds its file, and valid contents."""

    filename: str
    read: Callable[[Path], Any]
    seeds: tuple[bytes, ...]


# --- valid files


def structures() -> list[Any]:
    rng = np.random.default_rng(0)
    found = []
    for index, symbol in enumerate(SPECIES * 2):
        atoms = bulk(symbol, a=3.8, cubic=True)
        atoms.positions += rng.normal(0.0, 0.1, (4, 3))
        atoms.calc = EMT()
        atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
        atoms.info["identifier"] = f"turn_001/hot/{index}"
        found.append(atoms)
    return found


def labelled() -> Configurations:
    origins = [Origin(index, "hot", "bulk", 10 * index, 2.5) for index in range(4)]
    return Configurations.from_atoms(structures(), origins=origins, level_of_theory='{"a":1}')


def by_ase(name: str, format_name: str, **options: Any) -> bytes:
    several = format_name in ("extxyz", "traj", "proteindatabank")
    images = structures()[:2] if several else structures()[0]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ase.io.write(Path(folder) / name, images, format=format_name, **options)
        return (Path(folder) / name).read_bytes()


CAMPAIGN = """\
name: test
species: [Cu]
machines: machines.yaml
start:
  training:
    - {crystal: fcc, a: 3.6, cubic: true, rattle: 0.03, copies: 2, supercell: 2, vacancies: 1}
    - {file: cells.xyz, labels: drop, index: ":2"}
  structures: {bulk: &cell {crystal: fcc, a: 3.6, cubic: true, strain: 0.01, scales: [0.98, 1.0]}}
explore:
  - {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}
label: {calculator: EMT, settings: {}}
budget: {labels: 200, turns: 3}
test_sets: {hot: [*cell]}
"""
MACHINES = """\
fit: {code: alpot@localhost, resources: {num_machines: 1}, threads: 2}
label: {options: {max_wallclock_seconds: 3600, queue_name: short}, max_jobs: 3}
"""
REQUESTS = (
    {
        "job": "fit",
        "training": ["a.npz"],
        "level": 8,
        "cutoff": 5.0,
        "test": {"hot": "b.npz"},
        "species": ["Cu"],
        "weights": {"energy": 1.0},
        "committee": {"members": 2},
    },
    {
        "job": "sample",
        "calculator": {"potential": "p.mtp"},
        "sampler": {"kind": "molecular_dynamics", "temperature_K": 300},
        "starts": "a.npz",
        "limits": {"max_steps": 10},
    },
    {
        "job": "label",
        "configurations": "a.npz",
        "calculator": {"name": "EMT", "settings": {}},
        "level_of_theory": "{}",
    },
    {"job": "evaluate", "potential": "p.mtp", "configurations": "a.npz", "threads": 1},
)
RESULT = {
    "schema": 1,
    "job": "label",
    "seconds": 1.5,
    "versions": {"numpy": "2.0"},
    "complete": True,
    "n_configurations": 2,
    "verdicts": [
        {
            "identifier": "a",
            "hash": "0" * 64,
            "status": "failed",
            "reason": "SCF",
            "seconds": 0.1,
        }
    ],
    "error": {"class": "InputFileError", "message": "wrong"},
}


def read_any_request(path: Path) -> None:
    content = read_request(path)
    job = content.get("job")
    if job in JOBS:
        module = importlib.import_module(f"aiida_alpot.jobs.{job}")
        request = parse_request(module.REQUEST, content)
        for name in (getattr(request, "starts", None), getattr(request, "potential", None)):
            if isinstance(name, str):
                file_in(path.parent, name)


def read_any_result(path: Path) -> None:
    parse_result(path.read_bytes(), job="label", source=str(path))


def make_readers() -> dict[str, Reader]:
    """Return all readers with their seeds."""
    configurations = labelled()
    rng = np.random.default_rng(0)
    potential = initial_potential(4, 4.5, species=SPECIES, min_distance=2.0, rng=rng)
    parity = build_active_set(potential, configurations, mode="configuration", method="parity")
    projected = build_active_set(potential, configurations)
    text = dump_potential(potential).encode()
    core = text.replace(b"= Cu Au", b"= Cu Au zbl Cu-Cu 1.2 1.9 Cu-Au 1.3 2.1 Au-Au 1.4 2.2")
    npz, almtp = configurations.to_bytes(), dump_almtp(potential, parity, configurations)
    requests = tuple(json.dumps({"schema": 1, **one}, indent=1).encode() for one in REQUESTS)
    found = {
        "campaign": Reader("campaign.yaml", load_campaign, (CAMPAIGN.encode(),)),
        "machines": Reader("machines.yaml", load_machines, (MACHINES.encode(),)),
        "mtp": Reader("potential.mtp", read_potential, (text, core)),
        "almtp": Reader("potential.almtp", load_active_set, (almtp,)),
        "cfg": Reader(
            "data.cfg",
            lambda path: read_configurations(path, species=SPECIES),
            (format_cfg(configurations, SPECIES).encode(),),
        ),
        "configurations": Reader("data.npz", Configurations.load, (npz,)),
        "streamed": Reader("data.npz", lambda path: list(stream_configurations(path)), (npz,)),
        "active_set": Reader("active.npz", ActiveSet.load, (projected.to_bytes(),)),
        "request": Reader("request.json", read_any_request, requests),
        "result": Reader("result.json", read_any_result, (json.dumps(RESULT, indent=1).encode(),)),
    }
    text_xyz = format_xyz(configurations).encode()
    files: dict[str, tuple[bytes, ...]] = {
        "data.xyz": (text_xyz, by_ase("a.xyz", "extxyz")),
        "data.traj": (by_ase("a.traj", "traj"),),
        "POSCAR": (by_ase("POSCAR", "vasp"), by_ase("POSCAR", "vasp", direct=True)),
        "data.cif": (by_ase("a.cif", "cif"),),
        "geometry.in": (by_ase("geometry.in", "aims"),),
        "data.pwi": (by_ase("a.pwi", "espresso-in", pseudopotentials={"Cu": "Cu.UPF"}),),
        "data.gen": (by_ase("a.gen", "gen"),),
        "data.lammps-data": (by_ase("a.lammps-data", "lammps-data", masses=True),),
        "data.pdb": (by_ase("a.pdb", "proteindatabank"),),
        "data.xsf": (by_ase("a.xsf", "xsf"),),
        "OUTCAR": (OUTCAR.encode(),),
        "vasprun.xml": (VASPRUN.encode(),),
        "data.dump": (DUMP.encode(),),
        "XDATCAR": (XDATCAR.encode(),),
        "data.pwo": (PWO.encode(),),
    }
    for name, seeds in files.items():
        found[name] = Reader(name, read_configurations, seeds)
    return found


XDATCAR = """\
cell
 1.0
 3.6 0.0 0.0
 0.0 3.6 0.0
 0.0 0.0 3.6
 Cu
 2
Direct configuration= 1
 0.0 0.0 0.0
 0.5 0.5 0.5
Direct configuration= 2
 0.0 0.1 0.0
 0.5 0.5 0.5
"""
DUMP = """\
ITEM: TIMESTEP
10
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0.0 3.6
0.0 3.6
0.0 3.6
ITEM: ATOMS id type element x y z
1 1 Cu 0.0 0.0 0.0
2 1 Cu 1.8 1.8 1.8
"""
OUTCAR = """\
 vasp.6.3.0 18Jan22
 POTCAR:    PAW_PBE Cu 22Jun2005
   VRHFIN =Cu: d10 p1
   TITEL  = PAW_PBE Cu 22Jun2005
   ions per type =               1
   number of ions     NIONS =      1
   LORBIT =      0
   ISPIN  =      1
   k-points   NKPTS =      1   k-points in BZ   NKDIM =      1   number of bands   NBANDS=      2
 k-points in reciprocal lattice and weights: K
   0.00000000  0.00000000  0.00000000       1.000
--------------------------------------- Iteration      1(   1)  --------------------
  direct lattice vectors                 reciprocal lattice vectors
     0.0  1.8  1.8    -0.27  0.27  0.27
     1.8  0.0  1.8     0.27 -0.27  0.27
     1.8  1.8  0.0     0.27  0.27 -0.27
 FORCE on cell =-STRESS in cart. coord.  units (eV):
  in kB       1.0 1.0 1.0 0.0 0.0 0.0
 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
      0.00000      0.00000      0.00000         0.000000      0.000000      0.000000
 -----------------------------------------------------------------------------------
    total drift:                                0.000000      0.000000      0.000000
  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy   TOTEN  =        -3.7 eV

  energy  without entropy=       -3.7  energy(sigma->0) =       -3.7
"""
VASPRUN = """\
<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <kpoints><varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray>
  <varray name="weights"><v> 1.0 </v></varray></kpoints>
 <parameters><separator name="electronic"><i name="ENCUT"> 300.0</i></separator></parameters>
 <atominfo><atoms> 1 </atoms><types> 1 </types>
  <array name="atoms"><set><rc><c>Cu</c><c> 1</c></rc></set></array></atominfo>
 <structure name="initialpos"><crystal><varray name="basis">
  <v> 0.0 1.8 1.8 </v><v> 1.8 0.0 1.8 </v><v> 1.8 1.8 0.0 </v></varray></crystal>
  <varray name="positions"><v> 0.0 0.0 0.0 </v></varray></structure>
 <calculation>
  <scstep><energy><i name="e_fr_energy"> -3.7 </i><i name="e_0_energy"> -3.7 </i></energy></scstep>
  <structure><crystal><varray name="basis">
  <v> 0.0 1.8 1.8 </v><v> 1.8 0.0 1.8 </v><v> 1.8 1.8 0.0 </v></varray></crystal>
  <varray name="positions"><v> 0.0 0.0 0.0 </v></varray></structure>
  <varray name="forces"><v> 0.0 0.0 0.0 </v></varray>
  <varray name="stress"><v> 1.0 0.0 0.0 </v><v> 0.0 1.0 0.0 </v><v> 0.0 0.0 1.0 </v></varray>
  <energy><i name="e_fr_energy"> -3.7 </i><i name="e_0_energy"> -3.7 </i></energy>
 </calculation>
</modeling>
"""
PWO = """\
     Program PWSCF v.6.4 starts on 1Jan2020 at  0: 0: 0
     bravais-lattice index     =            0
     lattice parameter (alat)  =       6.8000  a.u.
     number of atoms/cell      =            1
     number of atomic types    =            1
     celldm(1)=   6.800000  celldm(2)=   0.000000  celldm(3)=   0.000000
     celldm(4)=   0.000000  celldm(5)=   0.000000  celldm(6)=   0.000000
     crystal axes: (cart. coord. in units of alat)
               a(1) = (   0.500000   0.500000   0.000000 )
               a(2) = (   0.500000   0.000000   0.500000 )
               a(3) = (   0.000000   0.500000   0.500000 )
     site n.     atom                  positions (alat units)
         1           Cu  tau(   1) = (   0.0000000   0.0000000   0.0000000  )

!    total energy              =    -100.0 Ry
     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =     0.00000000    0.00000000    0.00000000

     total   stress  (Ry/bohr**3)                   (kbar)     P=       10.00
   0.00006798   0.00000000   0.00000000         10.00        0.00        0.00
   0.00000000   0.00006798   0.00000000          0.00       10.00        0.00
   0.00000000   0.00000000   0.00006798          0.00        0.00       10.00
"""

# --- mutations

NUMBERS = (
    b"0",
    b"-1",
    b"1e400",
    b"nan",
    b"-inf",
    b"1000000000000",
    b"9999999",
    b"2147483648",
    b"9" * 30,
    b"1" + b"0" * 5000,
    b"0.5",
    b"1e-320",
    b"\xc2\xb2",
)
TOKENS = (
    b"../../../../etc/passwd",
    b"/etc/passwd",
    b"file:///etc/passwd",
    b"http://127.0.0.1:9/x",
    b"!!python/object/apply:os.system ['touch hacked']",
    b"$(touch hacked)",
    b"`touch hacked`",
    b"__import__('os').system('touch hacked')",
    b'_JSON {"a": [[[]]]}',
    b"&a [*a]",
    b"<<: *cell",
    b"{" * 200,
    b"[" * 3000,
    b"\x00",
    b"\xff\xfe",
    b'"',
    b"'",
    b"\\ud800",
    b"\n\n",
    b"=",
    b"T",
    b"null",
    b"NaN",
    b"Infinity",
    b"true",
    b"Xx",
    b"postgresql://x@127.0.0.1/y",
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>&x;',
    b"VEC1 1 0 0",
    b"# " * 50,
)
_NUMBER = re.compile(rb"(?<![A-Za-z_])-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


def _spot(draw: Any, content: bytes) -> int:
    return int(draw(st.integers(0, max(len(content) - 1, 0))))


def change_number(draw: Any, content: bytes) -> bytes:
    places = list(_NUMBER.finditer(content[:20000]))
    if not places:
        return content
    place = draw(st.sampled_from(places))
    return content[: place.start()] + draw(st.sampled_from(NUMBERS)) + content[place.end() :]


def insert_token(draw: Any, content: bytes) -> bytes:
    at = _spot(draw, content)
    return content[:at] + draw(st.sampled_from(TOKENS)) + content[at:]


def replace_word(draw: Any, content: bytes) -> bytes:
    words = list(re.finditer(rb"[^\s,:{}\[\]\"=]+", content[:20000]))
    if not words:
        return content
    word = draw(st.sampled_from(words))
    other = draw(st.sampled_from(TOKENS + NUMBERS + (draw(st.sampled_from(words))[0],)))
    return content[: word.start()] + other + content[word.end() :]


def truncate(draw: Any, content: bytes) -> bytes:
    return content[: _spot(draw, content)]


def cut_out(draw: Any, content: bytes) -> bytes:
    at = _spot(draw, content)
    return content[:at] + content[at + draw(st.integers(1, 200)) :]


def repeat(draw: Any, content: bytes) -> bytes:
    at = _spot(draw, content)
    piece = content[at : at + draw(st.integers(1, 300))]
    return content[:at] + piece * draw(st.integers(2, 50)) + content[at:]


def flip_bytes(draw: Any, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 8))):
        if changed:
            changed[_spot(draw, content)] = draw(st.integers(0, 255))
    return bytes(changed)


def swap_lines(draw: Any, content: bytes) -> bytes:
    lines = content.split(b"\n")
    first, second = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def change_member(draw: Any, content: bytes) -> bytes:
    """Repack an archive with a header, a size, a name or the numbers of one member changed."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {one: archive.read(one) for one in archive.namelist()}
    except Exception:  # an earlier mutation has broken it
        return flip_bytes(draw, content)
    if not members:
        return content
    name = draw(st.sampled_from(sorted(members)))
    kind = draw(st.sampled_from(("header", "bytes", "name", "bomb", "value", "extra")))
    if kind == "header":
        head, tail = members[name][:10], members[name][10:]
        places = list(re.finditer(rb"'descr': '[^']*'|\d+|True|False", tail[:118]))
        place = draw(st.sampled_from(places))
        descr = (b"'descr': '|O'", b"'descr': '<f4'", b"'descr': '<U99999999'", b"'descr': [('a'")
        other = draw(st.sampled_from(NUMBERS + descr))
        members[name] = head + tail[: place.start()] + other + tail[place.end() :]
    elif kind == "bytes":
        members[name] = flip_bytes(draw, members[name])
    elif kind == "name":
        members[draw(st.sampled_from(("../../x.npy", "/etc/x.npy", "schema", "a\n.npy")))] = (
            members.pop(name)
        )
    elif kind == "bomb":
        members[name] += bytes(draw(st.sampled_from((1, 10**6, 10**8))))
    elif kind == "extra":
        members[f"{name}x"] = members[name]
    else:
        other = draw(st.sampled_from((b"\xff" * 8, b"\0" * 8, b"\xff\xff\xff\x7f\0\0\0\0")))
        at = min(128, len(members[name])) + 8 * draw(st.integers(0, 6))
        members[name] = members[name][:at] + other + members[name][at + 8 :]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for one, data in members.items():
            archive.writestr(one, data)
    return buffer.getvalue()


MUTATIONS = (
    change_number,
    insert_token,
    replace_word,
    truncate,
    cut_out,
    repeat,
    flip_bytes,
    swap_lines,
)


@st.composite
def hostile(draw: Any, reader: Reader) -> bytes:
    """Draw a damaged file, or noise one time in twenty."""
    if draw(st.integers(0, 19)) == 0:
        return bytes(draw(st.binary(max_size=300)))
    content: bytes = draw(st.sampled_from(reader.seeds))
    choices = (change_member, flip_bytes, truncate) if content[:2] == b"PK" else MUTATIONS
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        content = draw(st.sampled_from(choices))(draw, content)
    return content


# --- what a reader must not do


class Finding(BaseException):
    """A reader did what it must not do; no ``except Exception`` may swallow it."""


_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "subprocess.Popen",
    "socket.connect",
    "socket.getaddrinfo",
    "pickle.find_class",
    "urllib.Request",
    "ctypes.dlopen",
    "sqlite3.connect",
)
_LIBRARIES = (
    sys.prefix,
    sys.base_prefix,
    str(Path(ase.io.__file__).parents[2]),
    str(Path(aiida_alpot.__file__).parent),
)
_watched: list[Path] = []
_done: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched:
        return
    if event in _FORBIDDEN:
        _done.append(f"{event} {arguments!r:.200}")
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        path = Path(os.path.realpath(os.fsdecode(arguments[0])))
        parts = (
            str(_watched[0]),
            sys.prefix,
            sys.base_prefix,
            str(Path(ase.io.__file__).parents[2]),
        )
        if not str(path).startswith((*parts, str(Path(__file__).parents[1] / "aiida_alpot"))):
            _done.append(f"open {path}")


sys.addaudithook(_hook)


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Raise :class:`Finding` where the block hangs, grows, or reaches beyond its folder."""

    def too_long(*_: Any) -> None:
        raise Finding(f"it takes more than {LONGEST} s")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limits = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    old = signal.signal(signal.SIGVTALRM, too_long)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2 * MOST_MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    _done.clear()
    _watched.append(folder)
    try:
        yield
    finally:
        _watched.clear()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, limits)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    if grown > MOST_MEMORY:
        raise Finding(f"it takes {grown / 2**20:.0f} MiB")
    if _done:
        raise Finding("; ".join(_done))


def try_content(reader: Reader, content: bytes, folder: Path) -> str:
    """Read ``content``; return the name of our error, or an empty text where it is accepted.

    Raises
    ------
    Finding
        If the reader did what it must not do.
    """
    (folder / reader.filename).write_bytes(content)
    outcome = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with guarded(folder):
            try:
                reader.read(folder / reader.filename)
            except AlpotError as error:
                outcome = type(error).__name__
                cause: BaseException | None = error
                while cause is not None:
                    if isinstance(cause, MemoryError):
                        raise Finding("it asks for more memory than it may") from cause
                    cause = cause.__cause__ or cause.__context__
            except Exception as error:
                done = f"; {_done[0]}" if _done else ""
                raise Finding(f"{type(error).__name__}: {error!s:.200}{done}") from error
    if (folder / "hacked").exists():
        raise Finding("it ran a command")
    return outcome


def prepare_folder(folder: Path) -> None:
    """Write the files that a campaign names."""
    (folder / "machines.yaml").write_text(MACHINES, encoding="utf-8")
    ase.io.write(folder / "cells.xyz", structures()[0::2])
    for name in ("a.npz", "b.npz", "p.mtp"):
        (folder / name).touch()


def fuzz(
    reader: Reader, folder: Path, *, examples: int, start: int = 0, shrink: bool = True
) -> dict[str, int]:
    """Try so many inputs; return how many ended in which error.

    Raises
    ------
    Finding
        On the smallest input that hypothesis finds to make the reader fail.
    """
    outcomes: dict[str, int] = {}
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile(reader))
    def run(content: bytes) -> None:
        try:
            outcome = try_content(reader, content, folder)
        except Finding as finding:
            # hypothesis shrinks what is an Exception
            raise AssertionError(f"{finding} on {content[:3000]!r}") from finding
        outcomes[outcome or "accepted"] = outcomes.get(outcome or "accepted", 0) + 1

    run()
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time for all")
    parser.add_argument("--readers", nargs="+", metavar="NAME")
    parser.add_argument("--round", type=int, default=200, help="inputs of a reader at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    readers = {
        name: one
        for name, one in make_readers().items()
        if arguments.readers is None or name in arguments.readers
    }
    totals: dict[str, dict[str, int]] = {name: {} for name in readers}
    seconds = dict.fromkeys(readers, 0.0)
    findings: dict[str, list[str]] = {}
    rounds = 0
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text).resolve()
        prepare_folder(folder)
        for reader in readers.values():
            for content in reader.seeds:
                refused = try_content(reader, content, folder)
                assert not refused, f"{reader.filename}: {refused}"
        while sum(seconds.values()) < arguments.seconds:
            for name, reader in readers.items():
                started = time.process_time()
                prepare_folder(folder)
                try:
                    outcomes = fuzz(
                        reader, folder, examples=arguments.round, start=arguments.seed + rounds
                    )
                    for outcome, count in outcomes.items():
                        totals[name][outcome] = totals[name].get(outcome, 0) + count
                except AssertionError as error:
                    message = str(error)
                    if message[:60] not in [one[:60] for one in findings.get(name, [])]:
                        findings.setdefault(name, []).append(message)
                        print(f"FINDING {name}: {message[:1500]}", flush=True)
                seconds[name] += time.process_time() - started
            rounds += 1
            if arguments.json is not None:  # what a run that is interrupted leaves
                write_figures(totals, seconds, findings, arguments.json)
    report(totals, seconds, findings, arguments.json)


def report(
    totals: dict[str, dict[str, int]],
    seconds: dict[str, float],
    findings: dict[str, list[str]],
    path: Path | None,
) -> None:
    for name, outcomes in totals.items():
        n_inputs = sum(outcomes.values())
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"{name:18} {n_inputs:8d} inputs  {seconds[name]:7.1f} s  {told}")
    total = sum(sum(outcomes.values()) for outcomes in totals.values())
    n_findings = sum(map(len, findings.values()))
    spent = sum(seconds.values())
    print(f"{total} inputs in {spent:.0f} s of processor time, {n_findings} findings")
    if path is not None:
        write_figures(totals, seconds, findings, path)
    sys.exit(1 if findings else 0)


def write_figures(
    totals: dict[str, dict[str, int]],
    seconds: dict[str, float],
    findings: dict[str, list[str]],
    path: Path,
) -> None:
    content = {
        "total": sum(sum(outcomes.values()) for outcomes in totals.values()),
        "seconds": {name: round(one, 2) for name, one in seconds.items()},
        "inputs": totals,
        "findings": findings,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
