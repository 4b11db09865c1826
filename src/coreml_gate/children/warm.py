"""Starts children as forks of a process that has imported their libraries, to import them only once.

This applies only if a fork equals a fresh process: on Linux, by the gate's own interpreter, in the
environment in which the libraries were imported. All other children start as fresh processes, and so does
every child once the server is gone.
"""

import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from coreml_gate.children.variables import OF_ONE_CHILD
from coreml_gate.starting import ProcessRequest, Started, start_process

if TYPE_CHECKING:
    from coreml_gate.children.fork_client import ForkServer


class WarmChildren:
    """Starts children by a server if a fork equals a fresh process, and as fresh processes otherwise."""

    def __init__(
        self,
        modules: Sequence[str],
        say: Callable[[str], None] = lambda _: None,
        of_one_child: Collection[str] = OF_ONE_CHILD,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``modules``: those that children import; ``say``: receives a log line if there is no server.

        ``of_one_child``: variables that no library reads on import; ``environment``: the one in which
        the libraries are imported, or ``None`` for that of the first child.
        """
        self._modules, self._say, self._of_one_child = modules, say, of_one_child
        self._server: ForkServer | None = None
        self._starting = threading.Lock()
        self._environment = None if environment is None else self._shared(environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()

    def __call__(self, request: ProcessRequest) -> Started:
        """Start the requested process; the first request that a server may serve starts the server."""
        from coreml_gate.children.fork_client import ForkServer, can_fork  # noqa: PLC0415 - few commands do

        with self._starting:
            knows = self._knows(request.environment)
        if not (self._modules and can_fork(request.command) and knows):
            return start_process(request)
        try:
            with self._starting:
                if self._server is None:
                    self._server = ForkServer(self._modules, request.environment)
            return self._server.fork(request)
        except OSError as error:
            self._modules = ()
            self._say(f"each child process imports its libraries for itself: {error}.")
            return start_process(request)

    def _knows(self, environment: Mapping[str, str]) -> bool:
        """Whether the libraries are imported in that environment."""
        shared = self._shared(environment)
        if self._environment is None and imports_alike_anywhere(shared):
            self._environment = shared
        return shared == self._environment

    def _shared(self, environment: Mapping[str, str]) -> Mapping[str, str]:
        """All variables that a library may read on import."""
        return {name: text for name, text in environment.items() if name not in self._of_one_child}


def imports_alike_anywhere(environment: Mapping[str, str]) -> bool:
    """Whether Python searches modules in the same folders, whatever folder it is started in."""
    folders = environment.get("PYTHONPATH") or os.sep
    return all(Path(folder).is_absolute() for folder in folders.split(os.pathsep))
