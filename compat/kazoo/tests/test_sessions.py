"""Sessions: losing the connection, the server and the session itself."""

import os
import re
import socket
import struct
import threading

import pytest
from conftest import PATIENCE, eventually
from kazoo.client import KazooState
from kazoo.exceptions import ConnectionLoss, NoNodeError, SessionExpiredError


class States:
    """Records the states of a client."""

    def __init__(self, client):
        self.seen = []
        client.add_listener(self.listen)

    def listen(self, state):
        self.seen.append(state)

    def wait(self, *states):
        """Waits until the states came in this order, others between."""

        def came():
            rest = iter(list(self.seen))
            return all(s in rest for s in states)

        eventually(came, f"{states} in {self.seen}")


def break_socket(client):
    """Cuts the connection under the client's feet."""
    client._connection._socket.shutdown(socket.SHUT_RDWR)


def steal_session(client):
    """Closes the session from another connection, as an operator's tool would."""
    host, port = client._connection._socket.getpeername()[:2]
    session, password = client.client_id
    with socket.create_connection((host, port), PATIENCE) as s:
        s.settimeout(PATIENCE)
        request = struct.pack(">iqiqi", 0, 0, 10000, session, len(password)) + password + b"\0"
        s.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))
        s.recv(length, socket.MSG_WAITALL)
        s.sendall(struct.pack(">iii", 8, 1, -11))
        (length,) = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))
        s.recv(length, socket.MSG_WAITALL)


def test_connection_loss_keeps_the_session(clients, zk, root):
    client = clients()
    states = States(client)
    before = client.client_id
    client.create(root + "/e", ephemeral=True)
    break_socket(client)
    states.wait(KazooState.SUSPENDED, KazooState.CONNECTED)
    assert client.client_id == before
    assert zk.exists(root + "/e").ephemeralOwner == before[0]
    assert client.retry(client.get, root + "/e")[0] == b""
    assert KazooState.LOST not in states.seen


def test_many_losses(clients, zk, root):
    client = clients()
    before = client.client_id
    client.create(root + "/e", ephemeral=True)
    for _ in range(10):
        states = States(client)
        break_socket(client)
        states.wait(KazooState.SUSPENDED, KazooState.CONNECTED)
    assert client.client_id == before
    assert zk.exists(root + "/e")


def test_stolen_session_expires(clients, zk, root):
    """Somebody else closes the session: the client must learn that it is lost."""
    client = clients()
    states = States(client)
    before = client.client_id
    client.create(root + "/e", ephemeral=True)
    steal_session(client)
    states.wait(KazooState.LOST, KazooState.CONNECTED)
    assert client.client_id[0] != before[0]
    assert zk.exists(root + "/e") is None
    client.retry(client.create, root + "/e", ephemeral=True)
    assert zk.exists(root + "/e").ephemeralOwner == client.client_id[0]


def test_session_moves_to_the_connection_that_takes_it(clients, root):
    """The same id and password on a second client: the first is cut off."""
    first = clients()
    first.create(root + "/e", b"1", ephemeral=True)
    states, session = States(first), first.client_id
    first.set_hosts("127.0.0.1:1")  # else it would come back and take the session again
    second = clients(client_id=session)
    states.wait(KazooState.SUSPENDED)
    assert second.client_id == session
    assert second.get(root + "/e")[0] == b"1"
    assert second.exists(root + "/e").ephemeralOwner == session[0]


def test_wrong_password_gives_no_session(clients):
    client = clients()
    session, password = client.client_id
    other = clients.make(client_id=(session, bytes(len(password))))
    states = States(other)
    other.start(timeout=PATIENCE)
    states.wait(KazooState.CONNECTED)
    assert other.client_id[0] != session
    # Java cuts the owner's connection before it looks at the password.
    assert client.retry(client.exists, "/")
    assert client.client_id[0] == session


def test_expiry_while_cut_off(proxied, control, zk, root):
    client = proxied(timeout=1.0)
    states = States(client)
    before = client.client_id
    client.create(root + "/e", ephemeral=True)
    gone = threading.Event()
    zk.exists(root + "/e", watch=lambda event: gone.set())
    control("partition")
    states.wait(KazooState.SUSPENDED)
    assert gone.wait(PATIENCE), "the server did not expire the session"
    control("heal")
    states.wait(KazooState.SUSPENDED, KazooState.LOST, KazooState.CONNECTED)
    assert client.client_id[0] != before[0]


def test_calls_made_while_suspended_are_sent_later(proxied, control, root):
    client = proxied()
    states = States(client)
    client.create(root + "/a", b"v")
    control("partition")
    states.wait(KazooState.SUSPENDED)
    pending = [client.get_async(root + "/a") for _ in range(10)]
    control("heal")
    states.wait(KazooState.CONNECTED)
    for p in pending:
        assert p.get(timeout=PATIENCE)[0] == b"v"


def test_pings_keep_an_idle_session(clients, zk, root):
    """Idle for several session timeouts; the client pings at a third of it."""
    client = clients(timeout=0.6)
    states = States(client)
    client.create(root + "/e", ephemeral=True)
    silent = clients(timeout=2.4)
    done = threading.Event()
    # A second session that dies by itself is the clock of this test.
    silent.create(root + "/clock", ephemeral=True)
    zk.exists(root + "/clock", watch=lambda event: done.set())
    # No farewell: the socket is cut and the client stopped from returning.
    silent.set_hosts("127.0.0.1:1")
    break_socket(silent)
    assert done.wait(PATIENCE)
    assert zk.exists(root + "/e")
    assert states.seen == []


def test_session_timeout_is_negotiated(clients):
    """Between the server's bounds as asked, outside them the nearer bound."""
    conf = dict(line.split("=", 1) for line in clients().command(b"conf").splitlines())
    low, high = int(conf["minSessionTimeout"]), int(conf["maxSessionTimeout"])

    def granted(seconds):
        client = clients(timeout=seconds)
        session = f"sid=0x{client.client_id[0] & (1 << 64) - 1:x},"
        (line,) = [line for line in client.command(b"cons").splitlines() if session in line]
        return int(re.search(r"to=(\d+)", line).group(1))

    assert granted(low / 1000 + 1.5) == low + 1500
    assert granted(0.2) == low
    assert granted(high / 1000 + 60) == high


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_server_restart_keeps_session_and_data(lasting, control, root, how):
    client = lasting()
    states = States(client)
    before = client.client_id
    client.create(root + "/e", b"mine", ephemeral=True)
    client.create(root + "/p", b"0")
    for i in range(50):
        client.set(root + "/p", str(i).encode())
    stat = client.exists(root + "/p")
    control(how)
    states.wait(KazooState.SUSPENDED, KazooState.CONNECTED)
    assert KazooState.LOST not in states.seen
    assert client.client_id == before
    data, after = client.retry(client.get, root + "/p")
    assert (data, after) == (b"49", stat)
    assert client.get(root + "/e")[0] == b"mine"
    # Zxids and sequence numbers go on.
    assert client.set(root + "/p", b"50").mzxid > stat.mzxid


def test_session_that_ends_while_the_server_is_down(clients, lasting, control, root):
    """Nobody renews it after the restart: it expires and takes its ephemeral along."""
    zk = lasting()
    owner = clients(timeout=1.0)
    owner.create(root + "/e", ephemeral=True)
    control("kill")
    owner.set_hosts("127.0.0.1:1")
    control("up")
    eventually(lambda: zk.connected, "reconnect")
    gone = threading.Event()
    if zk.retry(zk.exists, root + "/e", watch=lambda event: gone.set()):
        assert gone.wait(PATIENCE)
    assert zk.exists(root + "/e") is None


def test_watchers_and_lock_over_a_server_restart(lasting, control, root):
    client, other = lasting(), lasting()
    seen = []
    client.create(root + "/a", b"0")
    client.DataWatch(root + "/a", lambda data, stat: seen.append(data))
    lock = other.Lock(root + "/lock", "me")
    lock.acquire()
    control("crash")
    eventually(lambda: client.connected and other.connected, "reconnect")
    other.retry(other.set, root + "/a", b"1")
    eventually(lambda: seen[-1] == b"1")
    assert lock.is_acquired and lock.contenders() == ["me"]
    lock.release()


def test_no_acknowledged_write_is_lost_in_a_crash(lasting, control, root):
    writer = lasting()
    acknowledged, stop = [], threading.Event()

    def write():
        i = 0
        while not stop.is_set():
            try:
                writer.create(f"{root}/n{i:06d}")
            except (ConnectionLoss, SessionExpiredError):
                if acknowledged and not stop.wait(0.005):
                    i += 1
                continue
            acknowledged.append(i)
            i += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            count = len(acknowledged)
            eventually(lambda: len(acknowledged) > count + 50, "writes", 60)
            control("crash")
    finally:
        stop.set()
        thread.join(PATIENCE)
    eventually(lambda: writer.connected)
    present = {int(name[1:]) for name in writer.retry(writer.get_children, root)}
    assert set(acknowledged) <= present


def test_restart_of_the_client_object(clients, root):
    client = clients()
    first = client.client_id
    client.create(root + "/e", ephemeral=True)
    client.restart()
    assert client.connected and client.client_id[0] != first[0]
    with pytest.raises(NoNodeError):
        client.get(root + "/e")


def test_hosts_with_a_dead_one(clients):
    hosts = "127.0.0.1:1," + os.environ["ZK_HOSTS"]
    assert clients(hosts=hosts).exists("/")
