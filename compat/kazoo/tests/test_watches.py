"""Plain watches and Kazoo's watchers."""

import threading

import pytest
from conftest import PATIENCE, eventually
from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import EventType


class Recorder:
    """Collects calls and lets a test wait for them."""

    def __init__(self):
        self.calls = []
        self.changed = threading.Condition()

    def __call__(self, *args):
        with self.changed:
            self.calls.append(args[0] if len(args) == 1 else args)
            self.changed.notify_all()

    def wait(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.calls) >= count, PATIENCE), self.calls
            return list(self.calls)


def test_data_watch_fires_once(clients, zk, root):
    zk.create(root + "/a", b"0")
    watcher, seen = clients(), Recorder()
    watcher.get(root + "/a", watch=seen)
    zk.set(root + "/a", b"1")
    assert [(e.type, e.path) for e in seen.wait(1)] == [(EventType.CHANGED, root + "/a")]
    zk.set(root + "/a", b"2")
    watcher.sync(root)
    assert len(seen.calls) == 1


def test_exists_watch(clients, zk, root):
    watcher, seen = clients(), Recorder()
    assert watcher.exists(root + "/a", watch=seen) is None
    zk.create(root + "/a")
    assert seen.wait(1)[0].type == EventType.CREATED
    watcher.exists(root + "/a", watch=seen)
    zk.delete(root + "/a")
    assert seen.wait(2)[1].type == EventType.DELETED


def test_failed_get_leaves_no_watch(clients, zk, root):
    watcher, seen = clients(), Recorder()
    with pytest.raises(NoNodeError):
        watcher.get(root + "/a", watch=seen)
    zk.create(root + "/a")
    watcher.sync(root)
    assert seen.calls == []


def test_child_watch(clients, zk, root):
    watcher, seen = clients(), Recorder()
    watcher.get_children(root, watch=seen)
    zk.create(root + "/a")
    assert [(e.type, e.path) for e in seen.wait(1)] == [(EventType.CHILD, root)]
    watcher.get_children(root, watch=seen)
    zk.set(root + "/a", b"data is no child event")
    zk.delete(root + "/a")
    assert seen.wait(2)[1].type == EventType.CHILD


def test_deletion_fires_all_kinds(clients, zk, root):
    zk.create(root + "/a")
    watcher, data, children, exists = clients(), Recorder(), Recorder(), Recorder()
    watcher.get(root + "/a", watch=data)
    watcher.get_children(root + "/a", watch=children)
    watcher.exists(root + "/a", watch=exists)
    zk.delete(root + "/a")
    for seen in (data, children, exists):
        assert seen.wait(1)[0].type == EventType.DELETED


def test_event_comes_before_the_reply_that_shows_the_change(clients, zk, root):
    zk.create(root + "/a", b"0")
    watcher = clients()
    for i in range(50):
        seen = Recorder()
        watcher.get(root + "/a", watch=seen)
        zk.set(root + "/a", str(i).encode())
        # Callbacks and results come from one queue each; the event was read
        # from the socket first, so it is on its way when the reply is here.
        assert eventually(lambda: watcher.get(root + "/a")[0] == str(i).encode())
        assert seen.wait(1)[0].type == EventType.CHANGED


def test_own_change_fires_own_watch(zk, root):
    seen = Recorder()
    zk.exists(root + "/a", watch=seen)
    zk.create(root + "/a")
    assert seen.wait(1)[0].type == EventType.CREATED


def test_many_watchers_of_one_node(clients, zk, root):
    zk.create(root + "/a")
    all_seen = []
    for _ in range(20):
        seen = Recorder()
        clients().get(root + "/a", watch=seen)
        all_seen.append(seen)
    zk.set(root + "/a", b"1")
    for seen in all_seen:
        assert len(seen.wait(1)) == 1


def test_ephemeral_deletion_is_seen_when_a_client_leaves(clients, zk, root):
    owner, seen = clients(), Recorder()
    owner.create(root + "/e", ephemeral=True)
    zk.exists(root + "/e", watch=seen)
    owner.stop()
    assert seen.wait(1)[0].type == EventType.DELETED


def test_DataWatch(clients, zk, root):
    watcher, seen = clients(), Recorder()

    @watcher.DataWatch(root + "/a")
    def changed(data, stat):
        seen((data, stat.version if stat else None))

    assert seen.wait(1) == [(None, None)]
    zk.create(root + "/a", b"0")
    seen.wait(2)
    zk.set(root + "/a", b"1")
    seen.wait(3)
    zk.delete(root + "/a")
    seen.wait(4)
    zk.create(root + "/a", b"again")
    assert seen.wait(5) == [(None, None), (b"0", 0), (b"1", 1), (None, None), (b"again", 0)]


def test_DataWatch_with_event_and_stop(clients, zk, root):
    watcher, seen = clients(), Recorder()
    zk.create(root + "/a", b"0")

    @watcher.DataWatch(root + "/a")
    def changed(data, stat, event):
        seen((data, event.type if event else None))
        return data != b"stop"

    seen.wait(1)
    zk.set(root + "/a", b"stop")
    assert seen.wait(2) == [(b"0", None), (b"stop", EventType.CHANGED)]
    zk.set(root + "/a", b"unseen")
    watcher.sync(root)
    assert len(seen.calls) == 2


def test_ChildrenWatch(clients, zk, root):
    watcher, seen = clients(), Recorder()

    @watcher.ChildrenWatch(root)
    def changed(children):
        seen(sorted(children))

    seen.wait(1)
    zk.create(root + "/a")
    seen.wait(2)
    zk.create(root + "/b")
    seen.wait(3)
    zk.delete(root + "/a")
    assert seen.wait(4) == [[], ["a"], ["a", "b"], ["b"]]


def test_ChildrenWatch_sees_the_last_state_of_many_changes(clients, zk, root):
    watcher, seen = clients(), Recorder()
    watcher.ChildrenWatch(root, lambda children: seen(sorted(children)))
    names = [f"n{i:03d}" for i in range(100)]
    for pending in [zk.create_async(f"{root}/{n}") for n in names]:
        pending.get(timeout=PATIENCE)
    eventually(lambda: seen.calls and seen.calls[-1] == names, "all children")


def test_PatientChildrenWatch(clients, zk, root):
    from kazoo.recipe.watchers import PatientChildrenWatch

    watcher = clients()
    zk.create(root + "/a")
    children, changed = PatientChildrenWatch(watcher, root, time_boundary=0.1).start().get(timeout=PATIENCE)
    assert children == ["a"]
    zk.create(root + "/b")
    assert changed.get(timeout=PATIENCE)


def test_TreeCache(clients, zk, root):
    from kazoo.recipe.cache import TreeCache, TreeEvent

    zk.create(root + "/t/a/x", b"x", makepath=True)
    watcher, seen = clients(), Recorder()
    cache = TreeCache(watcher, root + "/t")
    cache.listen(seen)
    faults = Recorder()
    cache.listen_fault(faults)
    cache.start()
    eventually(lambda: any(e.event_type == TreeEvent.INITIALIZED for e in seen.calls))
    assert cache.get_data(root + "/t/a/x").data == b"x"
    zk.set(root + "/t/a/x", b"y")
    eventually(lambda: cache.get_data(root + "/t/a/x").data == b"y")
    zk.create(root + "/t/b/c", b"deep", makepath=True)
    eventually(lambda: cache.get_data(root + "/t/b/c"))
    assert sorted(cache.get_children(root + "/t")) == ["a", "b"]
    zk.delete(root + "/t/a", recursive=True)
    eventually(lambda: cache.get_children(root + "/t") == frozenset(["b"]))
    assert any(e.event_type == TreeEvent.NODE_REMOVED for e in seen.calls)
    assert faults.calls == []
    cache.close()


def test_watches_survive_a_reconnect(proxied, control, zk, root):
    """Kazoo keeps DataWatch and ChildrenWatch alive itself, without setWatches."""
    zk.create(root + "/a", b"0")
    watcher, data, children = proxied(), Recorder(), Recorder()
    watcher.DataWatch(root + "/a", lambda d, stat: data(d))
    watcher.ChildrenWatch(root, lambda c: children(sorted(c)))
    data.wait(1), children.wait(1)
    control("partition")
    eventually(lambda: not watcher.connected, "disconnect")
    zk.set(root + "/a", b"while away")
    zk.create(root + "/b")
    control("heal")
    eventually(lambda: data.calls[-1] == b"while away")
    eventually(lambda: children.calls[-1] == ["a", "b"])
    zk.set(root + "/a", b"after")
    eventually(lambda: data.calls[-1] == b"after")
