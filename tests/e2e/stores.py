# SPDX-License-Identifier: Apache-2.0
"""The stores that servers can share, each made for one test or measurement and removed with it."""
import contextlib
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "postgres"), str(TESTS / "redis")]
from cluster import Cluster  # noqa: E402
from server import RedisServer  # noqa: E402

# The first is the embedded mode, of one server.
KINDS = ("sqlite", "postgres", "postgres+redis")


@contextlib.contextmanager
def stores(kind, more_of_queue=""):
    """The sections of the configuration that name them; `more_of_queue` stands in [queue], but in embedded mode."""
    with contextlib.ExitStack() as kept:
        if kind == "sqlite":
            yield ""
            return
        cluster = kept.enter_context(Cluster(durable=True))
        queue = f'plugin = "queue_pg"\ndsn = "{cluster.dsn}"'
        if kind == "postgres+redis":
            redis = kept.enter_context(RedisServer(appendfsync="always"))
            queue = f'plugin = "queue_redis"\naddress = "{redis.address}"'
        yield f'[storage]\nplugin = "storage_pg"\ndsn = "{cluster.dsn}"\n[queue]\n{queue}\n{more_of_queue}\n'
