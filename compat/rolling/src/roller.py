"""Two Kazoo clients: each holds an ephemeral, and in turn takes one lock with the other, counts up under it, and
makes a sequence node. Ends with its standard input and says what was acknowledged."""
import sys
import threading
import traceback

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionClosedError, ConnectionLoss, OperationTimeoutError
from kazoo.retry import KazooRetry

hosts, root = sys.argv[1], sys.argv[2]
ending = threading.Event()
failed = []
made = []
totals = {"acked": 0, "unsure": 0, "expired": 0}
guard = threading.Lock()


def add(name):
    with guard:
        totals[name] += 1


def connect():
    zk = KazooClient(
        hosts=hosts,
        timeout=20,
        connection_retry=KazooRetry(max_tries=-1, delay=0.1, max_delay=0.5),
        command_retry=KazooRetry(max_tries=-1, delay=0.1, max_delay=0.5),
    )
    zk.add_listener(lambda state: add("expired") if state == KazooState.LOST and not ending.is_set() else None)
    zk.start(timeout=60)
    return zk


def work(zk):
    lock = zk.Lock(root + "/lock")
    try:
        while not ending.is_set():
            if not lock.acquire(timeout=60):
                continue
            try:
                n = int(zk.retry(zk.get, root + "/count")[0])
                # Without a version: a lock that two hold loses an increment. Written again where the answer was
                # lost, which does no harm under the lock.
                zk.retry(zk.set, root + "/count", str(n + 1).encode())
                add("acked")
            finally:
                lock.release()
            try:
                path = zk.create(root + "/seq/n-", b"", sequence=True)
                with guard:
                    made.append(path)
            except (ConnectionLoss, ConnectionClosedError, OperationTimeoutError):
                add("unsure")
    except Exception:
        traceback.print_exc()
        failed.append(True)


clients = [connect(), connect()]
clients[0].create(root + "/count", b"0", makepath=True)
clients[0].create(root + "/seq", b"")
for i, zk in enumerate(clients):
    zk.create("%s/alive-%d" % (root, i), b"", ephemeral=True)
threads = [threading.Thread(target=work, args=(zk,)) for zk in clients]
for t in threads:
    t.start()
print("working", flush=True)
sys.stdin.readline()
ending.set()
for t in threads:
    t.join()
if failed:
    sys.exit(1)
zk = clients[0]
zk.retry(zk.sync, root)
there = set(zk.retry(zk.get_children, root + "/seq"))
missing = sum(1 for path in made if path.rsplit("/", 1)[1] not in there)
alive = sum(1 for i in range(len(clients)) if zk.retry(zk.exists, "%s/alive-%d" % (root, i)))
count = zk.retry(zk.get, root + "/count")[0].decode()
print(
    "count=%s acked=%d made=%d missing=%d there=%d unsure=%d alive=%d expired=%d"
    % (count, totals["acked"], len(made), missing, len(there), totals["unsure"], alive, totals["expired"]),
    flush=True,
)
for c in clients:
    c.stop()
