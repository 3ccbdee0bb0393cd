package compat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;
import org.junit.jupiter.api.Test;

/** Identities and permissions. */
class AclTest extends Base {
    private static ACL digest(int perms, String user) throws Exception {
        return new ACL(perms, new Id("digest", DigestAuthenticationProvider.generateDigest(user)));
    }

    /** Not List.of: the client asks the list whether it contains null, which those refuse. */
    private static List<ACL> acls(ACL... acls) {
        return Arrays.asList(acls);
    }

    private ZooKeeper connectAs(String user) throws Exception {
        ZooKeeper client = connect();
        client.addAuthInfo("digest", bytes(user));
        return client;
    }

    @Test
    void getAndSet() throws Exception {
        Stat stat = new Stat();
        assertEquals(Ids.OPEN_ACL_UNSAFE, zk.getACL(root, stat));
        assertEquals(0, stat.getAversion());
        List<ACL> acl = acls(new ACL(Perms.ALL, Ids.ANYONE_ID_UNSAFE), digest(Perms.READ, "a:b"));
        assertEquals(1, zk.setACL(root, acl, 0).getAversion());
        assertEquals(acl, zk.getACL(root, stat));
        assertFails(Code.BADVERSION, () -> zk.setACL(root, acl, 0));
        assertEquals(0, zk.exists(root, false).getVersion());
    }

    @Test
    void eachPermission() throws Exception {
        ZooKeeper alice = connectAs("alice:secret");
        record Case(int perms, boolean read, boolean write, boolean create, boolean delete, boolean admin) {}
        int i = 0;
        for (Case c : List.of(
            new Case(Perms.READ, true, false, false, false, false),
            new Case(Perms.WRITE, false, true, false, false, false),
            new Case(Perms.CREATE, false, false, true, false, false),
            new Case(Perms.DELETE, false, false, false, true, false),
            new Case(Perms.ADMIN, false, false, false, false, true))) {
            String path = create(root + "/n" + i++);
            create(path + "/child");
            zk.setACL(path, acls(digest(c.perms, "alice:secret")), -1);
            check(c.read, () -> alice.getData(path, false, null));
            check(c.read, () -> alice.getChildren(path, false));
            check(c.write, () -> alice.setData(path, null, -1));
            check(c.create, () -> alice.create(path + "/new", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
            check(c.delete, () -> alice.delete(path + "/child", -1));
            check(c.read || c.admin, () -> alice.getACL(path, null));
            check(c.admin, () -> alice.setACL(path, Ids.OPEN_ACL_UNSAFE, -1));
        }
    }

    private interface Call {
        void run() throws Exception;
    }

    private static void check(boolean allowed, Call call) throws Exception {
        if (allowed) {
            call.run();
        } else {
            assertFails(Code.NOAUTH, call::run);
        }
    }

    @Test
    void creatorAll() throws Exception {
        ZooKeeper alice = connectAs("alice:secret");
        alice.create(root + "/p", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        assertEquals(acls(digest(Perms.ALL, "alice:secret")), alice.getACL(root + "/p", null));
        assertFails(Code.NOAUTH, () -> zk.getData(root + "/p", false, null));
        assertFails(Code.NOAUTH, () -> connectAs("alice:guess").getData(root + "/p", false, null));
        connectAs("alice:secret").getData(root + "/p", false, null);
    }

    /** Without ADMIN the digests are hidden. */
    @Test
    void digestsAreHidden() throws Exception {
        zk.setACL(root, acls(new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE), digest(Perms.ALL, "alice:secret")), -1);
        List<ACL> seen = zk.getACL(root, null);
        assertEquals("alice:x", seen.get(1).getId().getId());
        assertEquals(acls(digest(Perms.ALL, "alice:secret")), connectAs("alice:secret").getACL(root, null).subList(1, 2));
    }

    @Test
    void superUser() throws Exception {
        zk.create(root + "/p", null, acls(digest(Perms.READ, "nobody:knows")), CreateMode.PERSISTENT);
        ZooKeeper boss = connectAs("super:" + setting("zk.super"));
        boss.setData(root + "/p", null, -1);
        boss.setACL(root + "/p", Ids.OPEN_ACL_UNSAFE, -1);
        assertNotNull(zk.exists(root + "/p", false));
    }

    @Test
    void ip() throws Exception {
        zk.create(root + "/here", null, acls(new ACL(Perms.ALL, new Id("ip", "127.0.0.1"))), CreateMode.PERSISTENT);
        zk.getData(root + "/here", false, null);
        zk.create(root + "/there", null, acls(new ACL(Perms.ALL, new Id("ip", "10.0.0.0/8"))), CreateMode.PERSISTENT);
        assertFails(Code.NOAUTH, () -> zk.getData(root + "/there", false, null));
    }

    @Test
    void invalid() {
        for (Id id : List.of(new Id("none", "x"), new Id("ip", "x"), new Id("world", "x"), new Id("digest", "x"))) {
            assertFails(Code.INVALIDACL,
                () -> zk.create(root + "/a", null, acls(new ACL(Perms.ALL, id)), CreateMode.PERSISTENT));
        }
    }

    @Test
    void unknownSchemeEndsTheClient() throws Exception {
        Events states = new Events();
        ZooKeeper client = connect(setting("zk.hosts"), 10_000, states);
        client.addAuthInfo("nonsense", bytes("x"));
        states.await("state AuthFailed");
        eventually("AUTH_FAILED", () -> client.getState() == ZooKeeper.States.AUTH_FAILED);
        assertTrue(!client.getState().isAlive());
    }

    @Test
    void inAMulti() throws Exception {
        zk.create(root + "/p", null, acls(digest(Perms.READ, "a:b")), CreateMode.PERSISTENT);
        assertFails(Code.NOAUTH, () -> zk.transaction()
            .create(root + "/new", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
            .setData(root + "/p", null, -1).commit());
        assertEquals(List.of("p"), zk.getChildren(root, false));
    }

    @Test
    void identitiesSurviveAReconnect() throws Exception {
        Events states = new Events();
        ZooKeeper client = connectThroughProxy(10_000, states);
        client.addAuthInfo("digest", bytes("alice:secret"));
        client.create(root + "/p", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        control("drop");
        states.await("state SyncConnected");
        retry(() -> client.setData(root + "/p", null, -1));
    }
}
