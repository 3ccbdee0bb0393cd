"""Creating, reading, changing and deleting znodes."""

import time

import pytest
from conftest import eventually
from kazoo.exceptions import (
    BadArgumentsError,
    BadVersionError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
)


def test_create_get(zk, root):
    before = time.time()
    path, created = zk.create(root + "/a", b"data", include_data=True)
    assert path == root + "/a"
    data, stat = zk.get(path)
    assert data == b"data"
    assert stat == created
    assert stat.version == stat.cversion == stat.aversion == 0
    assert stat.ephemeralOwner == 0
    assert stat.dataLength == 4
    assert stat.numChildren == 0
    assert stat.czxid == stat.mzxid == stat.pzxid > 0
    assert stat.ctime == stat.mtime
    assert abs(stat.ctime / 1000 - before) < 60


def test_create_errors(zk, root):
    zk.create(root + "/a")
    with pytest.raises(NodeExistsError):
        zk.create(root + "/a")
    with pytest.raises(NoNodeError):
        zk.create(root + "/none/a")
    zk.create(root + "/e", ephemeral=True)
    with pytest.raises(NoChildrenForEphemeralsError):
        zk.create(root + "/e/a")
    for name in ["/a/../b", "/a/.", "/nul\x00byte", "/\x1f", "/\x9f", "/\uf8ff", "/\ufff0", "/emoji-\U0001f9a7"]:
        with pytest.raises((BadArgumentsError, ValueError)):
            zk.create(root + name)


def test_empty_and_absent_data(zk, root):
    zk.create(root + "/empty", b"")
    assert zk.get(root + "/empty")[0] == b""
    zk.set(root + "/empty", b"x")
    zk.set(root + "/empty", b"")
    assert zk.get(root + "/empty")[0] == b""


def test_makepath(zk, root):
    with pytest.raises(NoNodeError):
        zk.create(root + "/a/b/c")
    assert zk.create(root + "/a/b/c", b"deep", makepath=True) == root + "/a/b/c"
    assert zk.get(root + "/a/b")[0] == b""
    assert zk.get(root + "/a/b/c")[0] == b"deep"
    zk.ensure_path(root + "/x/y/z")
    zk.ensure_path(root + "/x/y/z")
    assert zk.exists(root + "/x/y/z")


def test_sequence(zk, root):
    names = [zk.create(root + "/n-", sequence=True) for _ in range(12)]
    assert names == [f"{root}/n-{i:010d}" for i in range(12)]
    # The counter belongs to the parent and counts deletions' parents too.
    zk.delete(names[-1])
    assert zk.create(root + "/other", sequence=True) == f"{root}/other0000000012"
    # A create without a sequence takes a number as well.
    zk.create(root + "/plain")
    assert zk.create(root + "/n-", sequence=True) == f"{root}/n-0000000014"
    # A bare slash: the name is the number alone.
    assert zk.create(root + "/", sequence=True) == f"{root}/0000000015"


def test_sequence_with_data_and_stat(zk, root):
    path, stat = zk.create(
        root + "/s-", b"v", sequence=True, ephemeral=True, makepath=True, include_data=True
    )
    assert path == root + "/s-0000000000"
    assert stat.ephemeralOwner == zk.client_id[0]
    assert stat.dataLength == 1


def test_sequences_of_many_clients_are_unique(clients, root):
    makers = [clients() for _ in range(5)]
    pending = [c.create_async(root + "/q-", sequence=True) for _ in range(20) for c in makers]
    names = [p.get(timeout=20) for p in pending]
    assert sorted(names) == [f"{root}/q-{i:010d}" for i in range(100)]


def test_ephemeral(clients, zk, root):
    owner = clients()
    owner.create(root + "/e", b"mine", ephemeral=True)
    stat = zk.exists(root + "/e")
    assert stat.ephemeralOwner == owner.client_id[0] != 0
    owner.stop()
    # closeSession is answered after the deletion.
    assert zk.exists(root + "/e") is None


def test_set(zk, root):
    zk.create(root + "/a", b"0")
    created = zk.exists(root + "/a")
    stat = zk.set(root + "/a", b"one")
    assert (stat.version, stat.dataLength) == (1, 3)
    assert stat.czxid == created.czxid and stat.mzxid > created.mzxid
    assert stat.pzxid == created.pzxid
    assert zk.set(root + "/a", b"two", version=1).version == 2
    with pytest.raises(BadVersionError):
        zk.set(root + "/a", b"three", version=1)
    with pytest.raises(NoNodeError):
        zk.set(root + "/none", b"")
    assert zk.get(root + "/a") == (b"two", zk.exists(root + "/a"))


def test_delete(zk, root):
    zk.create(root + "/a/b", makepath=True)
    with pytest.raises(NotEmptyError):
        zk.delete(root + "/a")
    with pytest.raises(BadVersionError):
        zk.delete(root + "/a/b", version=7)
    with pytest.raises(NoNodeError):
        zk.delete(root + "/none")
    zk.delete(root + "/a/b", version=0)
    stat = zk.exists(root + "/a")
    assert (stat.cversion, stat.numChildren) == (2, 0)
    assert stat.pzxid > stat.czxid
    zk.delete(root + "/a")
    assert zk.exists(root + "/a") is None


def test_delete_recursive(zk, root):
    for i in range(5):
        for j in range(5):
            zk.create(f"{root}/t/{i}/{j}", makepath=True)
    zk.delete(root + "/t", recursive=True)
    assert zk.exists(root + "/t") is None
    assert zk.get_children(root) == []


def test_children(zk, root):
    assert zk.get_children(root) == []
    for name in "cab":
        zk.create(f"{root}/{name}")
    assert sorted(zk.get_children(root)) == ["a", "b", "c"]
    names, stat = zk.get_children(root, include_data=True)
    assert sorted(names) == ["a", "b", "c"]
    assert (stat.numChildren, stat.cversion, stat.version) == (3, 3, 0)
    with pytest.raises(NoNodeError):
        zk.get_children(root + "/none")


def test_exists(zk, root):
    assert zk.exists(root + "/none") is None
    assert zk.exists(root).numChildren == 0


def test_system_nodes(zk):
    assert "zookeeper" in zk.get_children("/")
    assert sorted(zk.get_children("/zookeeper")) == ["config", "quota"]
    stat = zk.exists("/")
    assert (stat.czxid, stat.version) == (0, 0)


def test_unicode(zk, root):
    names = ["grün", "Ελληνικά", "日本語", "sp ace", "a.b..c", "..."]
    for name in names:
        path = f"{root}/{name}"
        assert zk.create(path, name.encode()) == path
        assert zk.get(path)[0] == name.encode()
    assert sorted(zk.get_children(root)) == sorted(names)


@pytest.mark.parametrize("size", [1, 511, 512, 513, 4096, 65536, 1_000_000])
def test_value_sizes(zk, root, size):
    value = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    zk.create(root + "/big", value)
    data, stat = zk.get(root + "/big")
    assert data == value and stat.dataLength == size
    zk.set(root + "/big", value[::-1])
    assert zk.get(root + "/big")[0] == value[::-1]


def test_too_large_value_costs_the_connection_only(clients, zk, root):
    from kazoo.exceptions import ConnectionLoss

    victim = clients()
    with pytest.raises(ConnectionLoss):
        victim.create(root + "/huge", b"x" * (2 << 20))
    assert zk.exists(root + "/huge") is None
    zk.create(root + "/still", b"alive")
    eventually(lambda: victim.connected, "reconnect")
    assert victim.retry(victim.get, root + "/still")[0] == b"alive"


def test_large_reply(zk, root):
    """A reply may be larger than any request."""
    names = [f"{'n' * 200}-{i:05d}" for i in range(8000)]
    for start in range(0, len(names), 500):
        t = zk.transaction()
        for name in names[start : start + 500]:
            t.create(f"{root}/{name}")
        t.commit()
    assert sorted(zk.get_children(root)) == names
    for start in range(0, len(names), 500):
        t = zk.transaction()
        for name in names[start : start + 500]:
            t.delete(f"{root}/{name}")
        assert all(r is True for r in t.commit())


def test_pipelined_requests_keep_their_order(zk, root):
    zk.create(root + "/a", b"0")
    results = []
    for i in range(300):
        results.append(zk.set_async(root + "/a", str(i).encode()))
        results.append(zk.get_async(root + "/a"))
    for i in range(300):
        assert results[2 * i].get(timeout=20).version == i + 1
        data, stat = results[2 * i + 1].get(timeout=20)
        assert (data, stat.version) == (str(i).encode(), i + 1)


def test_sync(zk, clients, root):
    zk.create(root + "/a", b"1")
    other = clients()
    assert other.sync(root + "/a") == root + "/a"
    assert other.get(root + "/a")[0] == b"1"


def test_zxids_grow(zk, root):
    last = 0
    for i in range(20):
        path, stat = zk.create(f"{root}/{i}", include_data=True)
        assert stat.czxid > last
        last = stat.czxid


def test_config_node(zk):
    data, _ = zk.get("/zookeeper/config")
    assert b"version=" in data or data == b""


def test_reconfig_of_a_standalone_server(zk):
    from kazoo.exceptions import KazooException

    with pytest.raises(KazooException) as e:
        zk.reconfig("server.1=127.0.0.1:2888:3888;2181", None, None)
    assert type(e.value).__name__ in ("ReconfigDisabledError", "UnimplementedError", "NoAuthError")


def test_ttl_and_containers_are_not_offered_by_kazoo(zk):
    """Kazoo has neither; the Java suite covers them. This notes it if it changes."""
    import inspect

    parameters = inspect.signature(zk.create).parameters
    assert "ttl" not in parameters and "container" not in parameters
    assert not hasattr(zk, "add_watch")
