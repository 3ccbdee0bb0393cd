"""Does a few things over TLS with Kazoo: host:port, PEM file of certificate and key, PEM file of the authority."""
import sys
import threading

from kazoo.client import KazooClient
from kazoo.security import make_acl

hosts, own, ca = sys.argv[1:]
zk = KazooClient(hosts=hosts, use_ssl=True, keyfile=own, certfile=own, ca=ca, verify_certs=True, timeout=20)
zk.start(timeout=60)
changed = threading.Event()
path = zk.create("/kazoo", b"x" * 300000, ephemeral=True, sequence=True, acl=[make_acl("auth", "", all=True)])
data, stat = zk.get(path, watch=lambda event: changed.set())
assert len(data) == 300000
zk.set(path, b"y")
assert changed.wait(20)
acls, _ = zk.get_acls(path)
assert [a.id.scheme for a in acls] == ["x509"], acls
zk.stop()
zk.close()
print("kazoo ok")
