"""One BIND for all DNS tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dns_world import Bind, running_bind


@pytest.fixture(scope="session")
def bind_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """A real name server on 127.0.0.1 and 127.0.0.2, ended with the session."""
    with running_bind(tmp_path_factory.mktemp("named")) as server:
        yield server
