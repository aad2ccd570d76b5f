# SPDX-License-Identifier: MIT
"""Reading YAML without its surprises.

Two habits of PyYAML's safe loader lose what a person wrote: of two equal keys it keeps the last
one, and by the rules of YAML 1.1 it reads ``1e-3`` as text, ``0:10`` as a number in base 60 and
``No`` as false. This loader refuses duplicate keys and resolves scalars by the core schema of
YAML 1.2. A file cannot exhaust time or memory either: its size and depth are limited, and so is
what its aliases stand for once they are written out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from aiida_alpot.errors import CampaignFileError

_SCALARS = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN"),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
        "-+.0123456789",
    ),
)
LARGEST_FILE = 256 * 1024
"""Bytes; a campaign file of a thousand structures takes a tenth of it."""
_DEEPEST = 40
_MOST_NODES = 100_000
_LONGEST_NUMBER = 400


class CampaignLoader(yaml.SafeLoader):
    """A safe loader that refuses duplicate keys and reads numbers as people write them."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth = 0
        # number of nodes below each node that is complete, aliases written out
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Read a node, keeping count of the depth and of what aliases stand for."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _refused(f"lists and keys are nested deeper than {_DEEPEST}", mark)
        is_alias = self.check_event(yaml.AliasEvent)  # type: ignore[no-untyped-call]
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias and id(node) not in self._sizes:
            raise _refused("an alias stands within what it is an alias of", mark)
        children: list[Any] = []
        if isinstance(node, yaml.ScalarNode):
            node.value.encode("utf-8")  # half a character, written as an escape, is none
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [one for pair in node.value for one in pair]
        size = 1 + sum(self._sizes[id(child)] for child in children)
        if size > _MOST_NODES:
            raise _refused(f"its aliases stand for more than {_MOST_NODES} values", mark)
        self._sizes[id(node)] = size
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, refusing a key that stands in it twice."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.value == "<<":
                continue
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"the key '{key_node.value}' stands twice, in lines {seen[key_node.value]} and "
                    f"{key_node.start_mark.line + 1}; keep one of them",
                )
            seen[key_node.value] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep)


def _scalar(node: Any) -> yaml.ScalarNode:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "a tag does not fit its value")
    if node.tag.endswith((":int", ":float")) and len(node.value) > _LONGEST_NUMBER:
        raise _refused(f"a number of {len(node.value)} digits", node.start_mark)
    return node


def _refused(what: str, mark: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, f"{what}; this is refused", mark)


for _tag, _pattern, _first in _SCALARS:
    CampaignLoader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))
CampaignLoader.add_implicit_resolver(_SCALARS[0][0], re.compile(r"^$"), [""])
CampaignLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
CampaignLoader.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(_scalar(node)))
)
CampaignLoader.add_constructor(
    "tag:yaml.org,2002:float", lambda loader, node: float(loader.construct_scalar(_scalar(node)))
)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read the mapping that stands in the YAML file at ``path``.

    Raises
    ------
    CampaignFileError
        If the file cannot be read, is not YAML, has a key twice, or is not a mapping of keys.
    """
    return parse_yaml(read_yaml_text(path), source=str(path))


def read_yaml_text(path: str | Path) -> str:
    """Return the text of the file at ``path``, as it was written.

    Raises
    ------
    CampaignFileError
        If the file cannot be read or is no text in UTF-8.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise CampaignFileError(
                f"{path} is larger than {LARGEST_FILE} bytes. Keep structures in files of their "
                "own, which 'file' names."
            )
        return content.decode("utf-8")
    except OSError as error:
        raise CampaignFileError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CampaignFileError(f"{path} is not a text file in UTF-8.") from error


def parse_yaml(text: str, *, source: str) -> dict[str, Any]:
    """Return the mapping that ``text`` holds; ``source`` names it in messages.

    Raises
    ------
    CampaignFileError
        As :func:`read_yaml`.
    """
    try:
        # CampaignLoader derives from SafeLoader: it builds plain data only
        content = yaml.load(text, Loader=CampaignLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise CampaignFileError(f"{source}{where}: {error.problem}.") from error
    # dates that there are not, numbers that are none, keys that are lists
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
        raise CampaignFileError(f"{source} holds a value that cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise CampaignFileError(f"{source} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise CampaignFileError(f"{source} must hold keys and values such as 'name: copper'.")
    return content
