"""An answer as Markdown: fenced blocks, what stands above them, and diffs without a fence.

Not CommonMark, which models break in two ways. They put a file with fences of its own into a fence as long: so within
a block, a fence with an info string opens another, and the next bare one closes that. And in a diff of Markdown, a
fence of the file is indented by the diff's own column: so a fence closes a block only where it is indented no more than
the one that opened it.

Invariants: every line is in one part at most; one pass, each line looked at a bounded number of times. Left out: all
of Markdown but fences.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

EXTENDED_HEADERS = (
    *("index ", "new file mode ", "deleted file mode ", "old mode ", "new mode ", "similarity index "),
    *("dissimilarity index ", "rename ", "copy ", "Binary files ", "GIT binary patch"),
)
"""What may stand between git's `diff --git` and the lines that name the files."""
_OF_DIFF = ("+", "-", " ", "\\", "@@", "diff --git ", *EXTENDED_HEADERS)


@dataclass(slots=True)
class Part:
    """A fenced block, or a diff that stands in the text without a fence."""

    info: str = ""
    lines: list[str] = field(default_factory=list)
    above: Sequence[str] = ()
    """The text between the part before and this one."""
    is_fenced: bool = True
    is_closed: bool = False
    """Whether its closing fence is there; of a diff without one, whether more text follows."""
    is_taken: bool = False
    """Whether lines of it were read as search/replace blocks, and so left out here."""

    @property
    def language(self) -> str:
        words = self.info.split()
        return words[0].partition(":")[0].lower() if words else ""


@dataclass(frozen=True, slots=True)
class Fence:
    """A line that opens or closes a block."""

    indentation: int
    mark: str
    info: str

    @classmethod
    def of(cls, line: str) -> Fence | None:
        rest = line.lstrip(" \t")
        if not rest.startswith(("```", "~~~")):
            return None
        info = rest.lstrip(rest[0])
        if rest[0] == "`" and "`" in info:
            return None  # code within a line
        return cls(len(line) - len(rest), rest[: len(rest) - len(info)], info.strip())

    def is_of_block(self, opening: Fence) -> bool:
        """Whether it can close a block, or open one within it."""
        return self.indentation <= opening.indentation and self.mark.startswith(opening.mark)


def parts_of(lines: Sequence[str], taken: Container[int] = ()) -> list[Part]:
    """The parts of an answer, in order. Lines whose numbers, from 0, are in `taken` are passed over."""
    parts: list[Part] = []
    above: list[str] = []
    at = 0
    while at < len(lines):
        fence = None if at in taken else Fence.of(lines[at])
        if fence is not None:
            part, at = _block(lines, at + 1, fence, taken)
        elif at not in taken and begins_diff(lines, at):
            part, at = _bare_diff(lines, at, taken)
        else:
            above += [] if at in taken else [lines[at]]
            at += 1
            continue
        part.above, above = above, []
        parts.append(part)
    return parts


def _block(lines: Sequence[str], at: int, opening: Fence, taken: Container[int]) -> tuple[Part, int]:
    """The block whose first line is `at`, and the number of the line behind it."""
    part = Part(opening.info)
    depth = 1
    for number in range(at, len(lines)):
        if number in taken:
            part.is_taken = True
            continue
        fence = Fence.of(lines[number])
        if fence is not None and fence.is_of_block(opening):
            depth += 1 if fence.info else -1
            if not depth:
                part.is_closed = True
                return part, number + 1
        part.lines.append(dedented(lines[number], opening.indentation))
    return part, len(lines)


def dedented(line: str, indentation: int) -> str:
    """The line with that many characters of its indentation less, or with none."""
    return line[min(indentation, len(line) - len(line.lstrip())) :]


def begins_diff(lines: Sequence[str], at: int) -> bool:
    """Whether a diff's header stands at a line."""
    return lines[at].startswith("diff --git ") or names_files(lines, at)


def names_files(lines: Sequence[str], at: int) -> bool:
    """Whether the two lines of a unified diff that name its files stand at a line."""
    return lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def _bare_diff(lines: Sequence[str], at: int, taken: Container[int]) -> tuple[Part, int]:
    end = at
    while end < len(lines) and end not in taken and (not lines[end].strip() or lines[end].startswith(_OF_DIFF)):
        end += 1
    return Part("diff", list(lines[at:end]), is_fenced=False, is_closed=end < len(lines)), end
