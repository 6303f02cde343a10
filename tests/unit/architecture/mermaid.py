"""The part of Mermaid's sequence diagrams that the documentation uses, and its rules."""

from __future__ import annotations

import re

_NAME = r"[A-Za-z]\w*"
_PARTICIPANT = re.compile(rf"(?:participant|actor) ({_NAME})(?: as (\S.*))?")
_MESSAGE = re.compile(rf"({_NAME})(?:->>|-->>|-x|--x)({_NAME}): (\S.*)")
_NOTE = re.compile(rf"Note (?:over|left of|right of) ({_NAME}(?:, ?{_NAME})*): (\S.*)")
_OPENS = re.compile(r"(par|alt|opt|loop) (\S.*)")
_GOES_ON = re.compile(r"(and|else) (\S.*)")
#: What begins another part belongs to this kind of block.
_BLOCK_OF = {"and": "par", "else": "alt"}
#: A semicolon ends a line of Mermaid's, `#` begins an entity: what follows would be lost.
_CUTS = re.compile("[;#]")


def faults(block: str) -> list[str]:
    """Return what Mermaid would not take of a sequence diagram, or would draw wrongly."""
    first, *lines = [line.strip() for line in block.strip().splitlines()]
    found = [] if first == "sequenceDiagram" else [f"begins with {first!r}"]
    declared: set[str] = set()
    opened: list[str] = []
    for line in lines:
        if _CUTS.search(line):
            found.append(f"cut off: {line}")
        if participant := _PARTICIPANT.fullmatch(line):
            found += [f"declared twice: {line}"] if participant[1] in declared else []
            declared.add(participant[1])
        elif message := _MESSAGE.fullmatch(line):
            found += _unknown({message[1], message[2]}, declared, line)
        elif note := _NOTE.fullmatch(line):
            found += _unknown(set(re.split(", ?", note[1])), declared, line)
        else:
            found += _block_fault(line, opened)
    return found + [f"never ended: {kind}" for kind in opened]


def messages(block: str) -> list[str]:
    """Return what the arrows and notes of a diagram say."""
    lines = [line.strip() for line in block.splitlines()]
    said = (_MESSAGE.fullmatch(line) or _NOTE.fullmatch(line) for line in lines)
    return [found[found.re.groups] for found in said if found]


def _unknown(named: set[str], declared: set[str], line: str) -> list[str]:
    return [f"not declared before: {name}: {line}" for name in sorted(named - declared)]


def _block_fault(line: str, opened: list[str]) -> list[str]:
    """Follow the beginning, the next part or the end of a block."""
    if begins := _OPENS.fullmatch(line):
        opened.append(begins[1])
    elif goes_on := _GOES_ON.fullmatch(line):
        if opened[-1:] != [_BLOCK_OF[goes_on[1]]]:
            return [f"in no {_BLOCK_OF[goes_on[1]]}: {line}"]
    elif line == "end":
        if not opened:
            return ["ends what was not begun"]
        opened.pop()
    else:
        return [f"not understood: {line}"]
    return []
