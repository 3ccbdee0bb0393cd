"""Lets Kazoo's released test suite run against the server under test.

The suite starts Java servers through kazoo.testing.common. This plugin stands
in for that module: its cluster is the one server that the Go test has started,
stopped and started through the control port. Run with

    ZK_HOSTS=... ZK_CONTROL=... pytest -p one_server --pyargs kazoo.tests
"""

import os
import sys
import types
import urllib.request

import pytest

os.environ.setdefault("ZOOKEEPER_VERSION", "3.9.5")
os.environ.setdefault("ZOOKEEPER_PATH", "unused")

# Tests that one plain server, Java's too, cannot pass, with the reason.
LEFT_OUT = {
    "test_eventlet_handler": "eventlet is not installed",
    "test_gevent_handler": "gevent is not installed",
    "test_build": "checks Kazoo's own build",
    "test_sasl": "SASL is not configured",
    "TestSSLClient": "TLS is not configured",
    "TestReconfig": "needs an ensemble",
    "TestReadOnlyMode": "needs an ensemble",
    "test_update_host_list": "needs an ensemble",
    "test_selectors_select": "needs no server, and ten seconds",
}


def control(action):
    request = urllib.request.Request(f"{os.environ['ZK_CONTROL']}/{action}", method="POST")
    with urllib.request.urlopen(request, timeout=120) as response:
        response.read()


class Server:
    # See RestartHosts in compat/control: some tests restart the server.
    address = os.environ.get("ZK_RESTART_HOSTS", os.environ.get("ZK_HOSTS", ""))
    secure_address = ""
    running = True

    def run(self):
        control("up")
        self.running = True

    def stop(self):
        control("stop")
        self.running = False


class Cluster(list):
    def __init__(self, **options):
        super().__init__([Server()])

    def start(self):
        self[0].run()

    def terminate(self):
        """The suite does this after each class; the server stays."""

    def get_logs(self):
        return []


common = types.ModuleType("kazoo.testing.common")
common.ZookeeperCluster = Cluster
sys.modules[common.__name__] = common


def pytest_collection_modifyitems(items):
    for item in items:
        for name, reason in LEFT_OUT.items():
            if name in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=reason))
