# SPDX-License-Identifier: MIT
"""The jobs: files in, files out, without AiiDA.

Each job is a verb of the command ``alpot``, run in a folder that holds ``request.json`` and the
files it names; it writes ``result.json`` and its files there. A folder fetched from a cluster runs
again by hand with ``alpot VERB --request request.json``. :mod:`.run` dispatches, :mod:`.requests`
checks and writes JSON, and a module with the name of a verb is its job: a frozen dataclass of its
keys and a function ``run``; the others are what jobs share. :mod:`.warm_up` compiles the kernels
before many jobs start side by side.
"""
