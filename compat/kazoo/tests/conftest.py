"""Fixtures of the Kazoo suite.

The server under test is named by the environment, so that pytest can be run
by hand against any server:

    ZK_HOSTS=127.0.0.1:2181 .cache/venv/bin/pytest compat/kazoo/tests

ZK_PROXY    the same server through a proxy that can cut connections
ZK_CONTROL  URL of the control port that restarts the server and drives the
            proxy (package compat/control)
ZK_RESTART_HOSTS  where clients connect that live through a restart
ZK_SUPER    password of user "super"

Without the last four, the tests that need them are skipped.
"""

import os
import re
import time
import urllib.request
import uuid

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.handlers.threading import KazooTimeoutError

# Kazoo's own waits between attempts to connect grow to a minute.
QUICK = {"max_tries": -1, "delay": 0.02, "backoff": 1.5, "max_delay": 0.3}

# How long anything may take on a loaded machine. Nothing waits this long
# unless it fails.
PATIENCE = 20


def pytest_collection_modifyitems(items):
    if not os.environ.get("ZK_HOSTS"):
        for item in items:
            item.add_marker(pytest.mark.skip(reason="ZK_HOSTS names no server"))


def needed(name):
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"needs {name}")
    return value


def eventually(condition, what="condition", timeout=PATIENCE):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout} s: {what}, last {value!r}"
        time.sleep(0.01)


class Control:
    """The server's strings; see package compat/control."""

    def __init__(self, url):
        self.url = url

    def __call__(self, action):
        request = urllib.request.Request(f"{self.url}/{action}", method="POST")
        with urllib.request.urlopen(request, timeout=120) as response:
            response.read()


@pytest.fixture
def control():
    c = Control(needed("ZK_CONTROL"))
    yield c
    c("heal")
    c("up")


class Clients:
    """Makes clients and stops them all at the end."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.all = []

    def make(self, chroot="", hosts=None, **options):
        options.setdefault("timeout", 10.0)
        options.setdefault("connection_retry", QUICK)
        client = KazooClient(hosts=(hosts or self.hosts) + chroot, **options)
        self.all.append(client)
        return client

    def __call__(self, chroot="", hosts=None, **options):
        client = self.make(chroot, hosts, **options)
        client.start(timeout=PATIENCE)
        return client

    def stop(self):
        for client in self.all:
            try:
                client.stop()
            except KazooTimeoutError:
                pass
            client.close()


@pytest.fixture
def clients():
    c = Clients(os.environ["ZK_HOSTS"])
    yield c
    c.stop()


@pytest.fixture
def proxied(clients):
    """Makes clients that connect through the proxy."""
    proxy = needed("ZK_PROXY")
    return lambda **options: clients(hosts=proxy, **options)


@pytest.fixture
def lasting(clients):
    """Makes clients for tests that restart the server."""
    hosts = needed("ZK_RESTART_HOSTS")
    return lambda **options: clients(hosts=hosts, timeout=30.0, **options)


@pytest.fixture
def zk(clients):
    return clients()


@pytest.fixture
def root(request, clients):
    """A path of the test's own, that exists; removed in the end."""
    name = re.sub(r"\W+", "-", request.node.name)
    path = f"/kazoo-{name}-{uuid.uuid4().hex[:8]}"
    clients().create(path)
    yield path
    # Tests leave nodes that only their clients, or super, may delete.
    password = os.environ.get("ZK_SUPER")
    cleaner = clients(auth_data=[("digest", "super:" + password)] if password else None)
    try:
        cleaner.delete(path, recursive=True)
    except NoAuthError:
        if password:
            raise
