"""Multi: all or nothing, with a result for every operation."""

from kazoo.exceptions import (
    BadVersionError,
    NoNodeError,
    NodeExistsError,
    RolledBackError,
    RuntimeInconsistency,
)


def test_commit(zk, root):
    zk.create(root + "/old", b"x")
    zk.create(root + "/gone")
    t = zk.transaction()
    t.check(root + "/old", 0)
    t.create(root + "/new", b"n")
    t.create(root + "/seq-", b"s", sequence=True)
    t.create(root + "/eph", ephemeral=True)
    t.set_data(root + "/old", b"y", version=0)
    t.set_data(root + "/new", b"m", version=0)
    t.delete(root + "/gone", version=0)
    results = t.commit()
    assert results[0] is True
    assert results[1] == root + "/new"
    assert results[2] == root + "/seq-0000000003"
    assert results[3] == root + "/eph"
    assert results[4].version == 1
    assert results[5].version == 1
    assert results[6] is True
    assert zk.get(root + "/new")[0] == b"m"
    assert zk.exists(root + "/eph").ephemeralOwner == zk.client_id[0]
    # One transaction, one zxid.
    assert zk.exists(root + "/new").czxid == zk.exists(root + "/old").mzxid


def test_failure_rolls_all_back(zk, root):
    zk.create(root + "/a", b"1")
    before = zk.exists(root)
    t = zk.transaction()
    t.create(root + "/b")
    t.set_data(root + "/a", b"2")
    t.delete(root + "/none")
    t.create(root + "/c")
    results = t.commit()
    assert [type(r) for r in results] == [
        RolledBackError,
        RolledBackError,
        NoNodeError,
        RuntimeInconsistency,
    ]
    assert zk.get(root + "/a")[0] == b"1"
    assert zk.get_children(root) == ["a"]
    assert zk.exists(root) == before


def test_check(zk, root):
    t = zk.transaction()
    t.check(root, 5)
    t.create(root + "/b")
    results = t.commit()
    assert [type(r) for r in results] == [BadVersionError, RuntimeInconsistency]


def test_a_failed_create_does_not_use_up_a_sequence_number(zk, root):
    assert zk.create(root + "/s-", sequence=True).endswith("0000000000")
    t = zk.transaction()
    t.create(root + "/s-", sequence=True)
    t.create(root + "/s-0000000000")
    assert isinstance(t.commit()[1], NodeExistsError)
    assert zk.create(root + "/s-", sequence=True).endswith("0000000001")


def test_operations_see_those_before(zk, root):
    t = zk.transaction()
    t.create(root + "/a")
    t.create(root + "/a/b")
    t.create(root + "/a/b/c")
    t.delete(root + "/a/b/c")
    t.delete(root + "/a/b")
    results = t.commit()
    assert results == [root + "/a", root + "/a/b", root + "/a/b/c", True, True]
    assert zk.get_children(root + "/a") == []


def test_empty(zk):
    assert zk.transaction().commit() == []


def test_context_manager(zk, root):
    with zk.transaction() as t:
        t.create(root + "/x", b"1")
    assert zk.get(root + "/x")[0] == b"1"


def test_in_a_chroot(clients, zk, root):
    c = clients(chroot=root)
    t = c.transaction()
    t.create("/in", b"v")
    t.set_data("/in", b"w")
    assert t.commit()[0] == "/in"
    assert zk.get(root + "/in")[0] == b"w"


def test_watches_fire_for_every_part(clients, zk, root):
    import threading

    zk.create(root + "/a")
    seen, done = [], threading.Event()

    def watch(event):
        seen.append((event.type, event.path))
        if len(seen) == 3:
            done.set()

    other = clients()
    other.get(root + "/a", watch=watch)
    other.exists(root + "/b", watch=watch)
    other.get_children(root, watch=watch)
    t = zk.transaction()
    t.set_data(root + "/a", b"1")
    t.create(root + "/b")
    t.commit()
    assert done.wait(20)
    assert seen == [("CHANGED", root + "/a"), ("CREATED", root + "/b"), ("CHILD", root)]
