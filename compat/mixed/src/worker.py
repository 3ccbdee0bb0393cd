"""Counts up a znode of its own through one server until standard input ends; then says what was acknowledged."""
import select
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, OperationTimeoutError, SessionExpiredError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.retry import KazooRetry

host, path = sys.argv[1], sys.argv[2]
forever = KazooRetry(max_tries=-1, delay=0.1, max_delay=0.5)
zk = KazooClient(hosts=host, timeout=60, connection_retry=forever)
zk.start(timeout=60)
zk.create(path, b"0")
zk.create(path + "/alive", b"", ephemeral=True)
acked = sent = lost = 0
print("working", flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    sent += 1
    try:
        zk.set(path, str(sent).encode())
        acked = sent
    except (ConnectionLoss, OperationTimeoutError, KazooTimeoutError):
        lost += 1
    except SessionExpiredError:
        print("the session has expired", flush=True)
        sys.exit(1)
    except Exception as e:  # the connection is being made again
        if type(e).__name__ not in ("ConnectionClosedError", "SessionExpiredError"):
            raise
        lost += 1
        time.sleep(0.1)
print("acked=%d sent=%d lost=%d" % (acked, sent, lost), flush=True)
zk.stop()
