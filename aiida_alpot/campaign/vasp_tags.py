# SPDX-License-Identifier: MIT
"""Tags of the INCAR: which are set, which decide a label, which cannot be asked for."""

from __future__ import annotations

from typing import Any

FUNCTIONALS: dict[str, dict[str, Any]] = {
    "LDA": {"gga": "ca"},
    "PBE": {"gga": "pe"},
    "PBEsol": {"gga": "ps"},
    "RPBE": {"gga": "rp"},
    "SCAN": {"metagga": "scan"},
    "r2SCAN": {"metagga": "r2scan"},
}
"""INCAR tags of the exchange-correlation functionals that can be asked for by name."""

DEFAULTS: dict[str, Any] = {
    "prec": "accurate",
    "ediff": 1e-6,
    "ismear": 0,
    "sigma": 0.05,
    "lasph": True,
    "lreal": False,
}
"""Tags that decide a label and are set unless the campaign sets them."""

CONDUCT: dict[str, Any] = {
    "algo": "normal",
    "nelm": 100,
    "ibrion": -1,
    "nsw": 0,
    "isif": 2,
    "istart": 0,
    "icharg": 2,
    "lwave": False,
    "lcharg": False,
}
"""Tags of every run that decide nothing: one energy with its forces and stress, from scratch."""

NOT_DECIDING = frozenset(
    [
        "algo",
        "nelm",
        "nelmin",
        "nelmdl",
        "amix",
        "bmix",
        "amix_mag",
        "bmix_mag",
        "amin",
        "maxmix",
        "imix",
        "inimix",
        "mixpre",
        "wc",
        "time",
        "nbands",
        "kpar",
        "ncore",
        "npar",
        "nsim",
        "lplane",
        "lscalu",
        "lscalapack",
        "lscaaware",
        "lwave",
        "lcharg",
        "lvtot",
        "lvhar",
        "lelf",
        "lorbit",
        "nedos",
        "emin",
        "emax",
        "nwrite",
        "istart",
        "icharg",
        "ibrion",
        "nsw",
        "isif",
        "system",
        "magmom",
        "lh5",
        "kpuse",
    ]
)
"""INCAR tags that do not decide the value of a converged label."""

SELF_CONSISTENT = ("normal", "fast", "veryfast", "all", "damped", "conjugate", "n", "f", "v", "a")
"""Values of ALGO that lead to the same ground state; others are other theories."""

ELSEWHERE = {
    "encut": "settings.encut",
    "kspacing": "settings.kspacing",
    "kgamma": "settings.kspacing",
    "magmom": "settings.magmoms",
    "gga": "settings.xc, or null there",
    "metagga": "settings.xc, or null there",
    "ldau": "settings.ldau",
    "ldauu": "settings.ldau",
    "ldauj": "settings.ldau",
    "ldaul": "settings.ldau",
    "ldautype": "settings.ldau",
}
"""Tags that have a setting of their own."""

REFUSED = {
    "nsw": "a label is one energy at fixed positions",
    "ibrion": "a label is one energy at fixed positions",
    "isif": "the stress is always computed",
    "istart": "every label starts from scratch, so that it does not depend on others",
    "icharg": "every label starts from scratch, so that it does not depend on others",
    "lnoncollinear": "moments of labels are numbers, not vectors",
    "lsorbit": "moments of labels are numbers, not vectors",
}
"""Tags that a campaign cannot set, and why."""
