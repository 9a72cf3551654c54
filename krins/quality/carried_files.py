"""Carries content into a sandbox through file descriptors, so that nothing touches a disk that others can read.

Invariant: a descriptor reads its content from the start, is inherited only by the process it is passed to, and is
closed here when the block ends.
Left out: folders; a sandbox's working directory is flat.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from krins.errors import SandboxFault


@contextmanager
def carried(contents: Mapping[str, bytes]) -> Iterator[dict[str, int]]:
    """Name to descriptor, for name to content.

    Raises:
        SandboxFault: the operating system gave no descriptor.
    """
    with ExitStack() as stack:
        yield {name: _descriptor(content, stack) for name, content in contents.items()}


def as_bytes(files: Mapping[str, str | bytes]) -> dict[str, bytes]:
    """Texts as UTF-8. A lone surrogate passes as it is: Python will refuse the file, which is the code's own fault.

    Raises:
        SandboxFault: a name is no plain file name.
    """
    for name in files:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise SandboxFault(f"{name!r} is no plain file name", "name files without folders")
    return {
        name: content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        for name, content in files.items()
    }


def _descriptor(content: bytes, stack: ExitStack) -> int:
    try:
        descriptor = os.memfd_create("krins")
        stack.callback(os.close, descriptor)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError as failure:
        raise SandboxFault(f"a file could not be carried into the sandbox: {failure}") from failure
    return descriptor
