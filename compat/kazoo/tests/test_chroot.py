"""A client whose root is a znode."""

import threading

import pytest
from conftest import PATIENCE
from kazoo.exceptions import NoNodeError


def test_paths_are_relative(clients, zk, root):
    c = clients(chroot=root)
    assert c.create("/a/b", b"v", makepath=True) == "/a/b"
    assert zk.get(root + "/a/b")[0] == b"v"
    assert c.get_children("/") == ["a"]
    assert c.create("/s-", sequence=True) == "/s-0000000001"
    c.set("/a/b", b"w")
    assert c.get("/a/b")[0] == b"w"
    c.delete("/a", recursive=True)
    assert zk.get_children(root) == ["s-0000000001"]
    assert c.sync("/") in ("/", "")


def test_missing_root(clients, zk, root):
    c = clients(chroot=root + "/none")
    with pytest.raises(NoNodeError):
        c.create("/a")
    c.ensure_path("/")
    assert zk.exists(root + "/none")
    c.create("/a")


def test_watch_paths_are_relative(clients, zk, root):
    c = clients(chroot=root)
    seen, done = [], threading.Event()

    def watch(event):
        seen.append(event.path)
        done.set()

    c.exists("/a", watch=watch)
    zk.create(root + "/a")
    assert done.wait(PATIENCE)
    assert seen == ["/a"]


def test_changing_the_chroot(clients, zk, root):
    zk.create(root + "/x", b"x")
    zk.create(root + "/x/y", b"y")
    c = clients()
    c.chroot = root + "/x"
    assert c.get("/y")[0] == b"y"
