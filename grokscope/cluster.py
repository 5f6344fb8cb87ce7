"""The connection to a Dask cluster, for whatever is computed there."""

from __future__ import annotations

import importlib.util
import logging
import sys
from typing import TYPE_CHECKING

from grokscope.errors import MissingPackage, UsageError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10


def connect(scheduler: str) -> Client:
    """Return a client of the cluster behind a scheduler's address, such as tcp://host:8786.

    Says on stderr where there is no worker yet: what is computed then waits for the first one. Raises
    MissingPackage without Dask, UsageError where no scheduler answers.
    """
    if importlib.util.find_spec("distributed") is None:
        raise MissingPackage("--scheduler needs Dask", "cluster")
    from distributed import Client

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a lost connection is told in a sentence
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {scheduler} ({error}); start one by `dask scheduler`"
        ) from None
    if not client.nthreads():
        sys.stderr.write(f"no worker has joined {scheduler} yet; start one by `dask worker {scheduler}`\n")
    return client
