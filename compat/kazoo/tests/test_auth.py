"""Digest authentication and ACLs."""

import pytest
from conftest import needed
from kazoo.exceptions import AuthFailedError, InvalidACLError, NoAuthError
from kazoo.security import (
    ACL,
    CREATOR_ALL_ACL,
    OPEN_ACL_UNSAFE,
    READ_ACL_UNSAFE,
    Id,
    Permissions,
    make_acl,
    make_digest_acl,
    make_digest_acl_credential,
)


def test_open_acl_is_the_default(zk, root):
    acls, stat = zk.get_acls(root)
    assert acls == OPEN_ACL_UNSAFE
    assert stat.aversion == 0


def test_digest_protects(clients, zk, root):
    acl = make_digest_acl("alice", "secret", all=True)
    zk.create(root + "/p", b"private", acl=[acl])
    for call in (
        lambda c: c.get(root + "/p"),
        lambda c: c.exists(root + "/p"),
        lambda c: c.set(root + "/p", b"x"),
        lambda c: c.get_children(root + "/p"),
        lambda c: c.create(root + "/p/c"),
        lambda c: c.get_acls(root + "/p"),
        lambda c: c.set_acls(root + "/p", OPEN_ACL_UNSAFE),
    ):
        with pytest.raises(NoAuthError):
            call(zk)

    friend = clients(auth_data=[("digest", "alice:secret")])
    assert friend.get(root + "/p")[0] == b"private"
    friend.create(root + "/p/c")
    friend.delete(root + "/p/c")
    assert friend.exists(root + "/p").dataLength == 7
    assert friend.get_acls(root + "/p")[0] == [acl]

    stranger = clients(auth_data=[("digest", "alice:wrong")])
    with pytest.raises(NoAuthError):
        stranger.get(root + "/p")
    # Deleting asks the parent's permission, not the node's.
    stranger.delete(root + "/p")


def test_add_auth_later_and_several(zk, root):
    zk.create(root + "/a", acl=[make_digest_acl("a", "1", read=True)])
    zk.create(root + "/b", acl=[make_digest_acl("b", "2", read=True)])
    with pytest.raises(NoAuthError):
        zk.get(root + "/a")
    zk.add_auth("digest", "a:1")
    zk.get(root + "/a")
    with pytest.raises(NoAuthError):
        zk.get(root + "/b")
    zk.add_auth("digest", "b:2")
    zk.get(root + "/a")
    zk.get(root + "/b")


def test_creator_all(clients, zk, root):
    c = clients(auth_data=[("digest", "maker:pw")])
    c.create(root + "/mine", acl=CREATOR_ALL_ACL)
    acls, _ = c.get_acls(root + "/mine")
    credential = make_digest_acl_credential("maker", "pw")
    assert acls == [ACL(Permissions.ALL, Id("digest", credential))]
    with pytest.raises(NoAuthError):
        zk.get(root + "/mine")
    with pytest.raises(InvalidACLError):
        zk.create(root + "/anon", acl=CREATOR_ALL_ACL)


def test_set_acls_and_version(zk, root):
    from kazoo.exceptions import BadVersionError

    zk.create(root + "/a")
    stat = zk.set_acls(root + "/a", READ_ACL_UNSAFE + [make_acl("ip", "127.0.0.1", admin=True)])
    assert stat.aversion == 1 and stat.version == 0
    with pytest.raises(NoAuthError):
        zk.set(root + "/a", b"")
    with pytest.raises(BadVersionError):
        zk.set_acls(root + "/a", OPEN_ACL_UNSAFE, version=0)
    assert zk.set_acls(root + "/a", OPEN_ACL_UNSAFE, version=1).aversion == 2
    zk.set(root + "/a", b"again")


def test_ip_acl(zk, root):
    zk.create(root + "/here", acl=[make_acl("ip", "127.0.0.0/8", all=True)])
    zk.get(root + "/here")
    zk.create(root + "/there", acl=[make_acl("ip", "10.1.2.3", all=True)])
    with pytest.raises(NoAuthError):
        zk.get(root + "/there")


def test_invalid_acls(zk, root):
    for acl in (
        [make_acl("nonsense", "x", all=True)],
        [make_acl("ip", "300.1.1.1", all=True)],
        [make_acl("world", "someone", all=True)],
        [make_acl("digest", "nocolon", all=True)],
    ):
        with pytest.raises(InvalidACLError):
            zk.create(root + "/bad", acl=acl)


def test_single_permissions(clients, zk, root):
    """Each operation asks for its own permission."""
    zk.create(root + "/n", b"v", acl=[make_digest_acl("r", "r", read=True)])
    reader = clients(auth_data=[("digest", "r:r")])
    assert reader.get(root + "/n")[0] == b"v"
    assert reader.get_children(root + "/n") == []
    for denied in (
        lambda: reader.set(root + "/n", b""),
        lambda: reader.create(root + "/n/c"),
        lambda: reader.set_acls(root + "/n", OPEN_ACL_UNSAFE),
    ):
        with pytest.raises(NoAuthError):
            denied()

    zk.create(root + "/c", acl=[make_digest_acl("c", "c", create=True)])
    creator = clients(auth_data=[("digest", "c:c")])
    creator.create(root + "/c/child")
    with pytest.raises(NoAuthError):
        creator.get_children(root + "/c")
    with pytest.raises(NoAuthError):
        creator.delete(root + "/c/child")


def test_unknown_scheme_fails_the_client(clients):
    c = clients()
    with pytest.raises(AuthFailedError):
        c.add_auth("nonsense", "x")


def test_auth_survives_a_reconnect(proxied, control, zk, root):
    from conftest import eventually

    c = proxied(auth_data=[("digest", "alice:secret")])
    c.create(root + "/p", acl=[make_digest_acl("alice", "secret", all=True)])
    c.add_auth("digest", "bob:pw")
    zk.create(root + "/q", acl=[make_digest_acl("bob", "pw", all=True)])
    control("drop")
    eventually(lambda: c.connected, "reconnect")
    c.retry(c.get, root + "/p")
    c.retry(c.get, root + "/q")


def test_super_may_do_everything(clients, zk, root):
    password = needed("ZK_SUPER")
    zk.create(root + "/closed", b"v", acl=[make_digest_acl("nobody", "knows", read=True)])
    boss = clients(auth_data=[("digest", "super:" + password)])
    assert boss.get(root + "/closed")[0] == b"v"
    boss.set_acls(root + "/closed", OPEN_ACL_UNSAFE)
    assert zk.get(root + "/closed")[0] == b"v"


def test_default_acl_of_the_client(clients, zk, root):
    c = clients(default_acl=[make_digest_acl("d", "d", all=True)], auth_data=[("digest", "d:d")])
    c.create(root + "/x")
    with pytest.raises(NoAuthError):
        zk.get(root + "/x")
