package compat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.TreeSet;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;

/** The synchronous calls. */
class CrudTest extends Base {
    @Test
    void createGetSetDelete() throws Exception {
        Stat created = new Stat();
        assertEquals(root + "/a", zk.create(root + "/a", bytes("v"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, created));
        Stat stat = new Stat();
        assertArrayEquals(bytes("v"), zk.getData(root + "/a", false, stat));
        assertEquals(created, stat);
        assertEquals(stat, zk.exists(root + "/a", false));
        assertEquals(0, stat.getVersion());
        assertEquals(stat.getCzxid(), stat.getMzxid());
        assertEquals(stat.getCzxid(), stat.getPzxid());
        Stat set = zk.setData(root + "/a", bytes("longer"), 0);
        assertEquals(1, set.getVersion());
        assertEquals(6, set.getDataLength());
        assertTrue(set.getMzxid() > created.getMzxid());
        assertFails(Code.BADVERSION, () -> zk.setData(root + "/a", null, 0));
        assertFails(Code.BADVERSION, () -> zk.delete(root + "/a", 0));
        zk.delete(root + "/a", 1);
        assertNull(zk.exists(root + "/a", false));
        assertFails(Code.NONODE, () -> zk.getData(root + "/a", false, null));
        assertFails(Code.NONODE, () -> zk.delete(root + "/a", -1));
    }

    @Test
    void nullAndEmptyDataAreNotTheSame() throws Exception {
        zk.create(root + "/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create(root + "/empty", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        assertNull(zk.getData(root + "/null", false, null));
        assertEquals(0, zk.getData(root + "/empty", false, null).length);
        zk.setData(root + "/empty", null, -1);
        assertNull(zk.getData(root + "/empty", false, null));
        assertEquals(0, zk.exists(root + "/empty", false).getDataLength());
    }

    @Test
    void errors() throws Exception {
        create(root + "/a");
        create(root + "/a/b");
        assertFails(Code.NODEEXISTS, () -> create(root + "/a"));
        assertFails(Code.NONODE, () -> create(root + "/x/y"));
        assertFails(Code.NOTEMPTY, () -> zk.delete(root + "/a", -1));
        zk.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        assertFails(Code.NOCHILDRENFOREPHEMERALS, () -> create(root + "/e/c"));
        assertFails(Code.INVALIDACL, () -> zk.create(root + "/n", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
        assertFails(Code.INVALIDACL, () -> zk.create(root + "/n", null, List.of(), CreateMode.PERSISTENT));
    }

    @Test
    void sequences() throws Exception {
        for (int i = 0; i < 11; i++) {
            String want = String.format("%s/s%010d", root, i);
            assertEquals(want, zk.create(root + "/s", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL));
        }
        String ephemeral = zk.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL);
        assertEquals(root + "/e0000000011", ephemeral);
        assertEquals(zk.getSessionId(), zk.exists(ephemeral, false).getEphemeralOwner());
    }

    @Test
    void children() throws Exception {
        for (String name : List.of("c", "a", "b")) {
            create(root + "/" + name);
        }
        create(root + "/a/deep");
        Stat stat = new Stat();
        assertEquals(new TreeSet<>(List.of("a", "b", "c")), new TreeSet<>(zk.getChildren(root, false, stat)));
        assertEquals(3, stat.getNumChildren());
        assertEquals(3, stat.getCversion());
        assertEquals(new TreeSet<>(List.of("a", "b", "c")), new TreeSet<>(zk.getChildren(root, false)));
        assertEquals(4, zk.getAllChildrenNumber(root));
        assertEquals(0, zk.getAllChildrenNumber(root + "/b"));
        assertFails(Code.NONODE, () -> zk.getAllChildrenNumber(root + "/none"));
    }

    @Test
    void ephemeralsOfTheSession() throws Exception {
        ZooKeeper other = connect();
        for (String name : List.of("/e1", "/e2", "/x3")) {
            zk.create(root + name, null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        }
        other.create(root + "/e4", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        assertEquals(new TreeSet<>(List.of(root + "/e1", root + "/e2", root + "/x3")), new TreeSet<>(zk.getEphemerals()));
        assertEquals(new TreeSet<>(List.of(root + "/e1", root + "/e2")), new TreeSet<>(zk.getEphemerals(root + "/e")));
        assertEquals(List.of(root + "/e4"), other.getEphemerals());
        assertEquals(List.of(), connect().getEphemerals());
        other.close();
        assertNull(zk.exists(root + "/e4", false));
    }

    @Test
    void syncAndConfig() throws Exception {
        zk.sync(root);
        Stat stat = new Stat();
        byte[] config = zk.getConfig(false, stat);
        assertEquals(0, stat.getCzxid());
        // A standalone server has no members; the node is there all the same.
        assertTrue(config == null || !new String(config, StandardCharsets.UTF_8).contains("server."));
    }

    @Test
    void configWatch() throws Exception {
        Events events = new Events();
        zk.getConfig(events, null);
        events.assertNoMore(zk);
    }

    @Test
    void whoAmI() throws Exception {
        assertEquals(1, zk.whoAmI().size());
        assertEquals("ip", zk.whoAmI().get(0).getAuthScheme());
        assertEquals("127.0.0.1", zk.whoAmI().get(0).getUser());
        zk.addAuthInfo("digest", bytes("alice:secret"));
        eventually("two identities", () -> zk.whoAmI().size() == 2);
        var digest = zk.whoAmI().stream().filter(i -> i.getAuthScheme().equals("digest")).findFirst().get();
        assertEquals("alice", digest.getUser());
    }

    @Test
    void largeValues() throws Exception {
        byte[] value = new byte[1_000_000];
        for (int i = 0; i < value.length; i++) {
            value[i] = (byte) (i * 31);
        }
        zk.create(root + "/big", value, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        assertArrayEquals(value, zk.getData(root + "/big", false, null));
        byte[] tooLarge = new byte[1_100_000];
        assertFails(Code.CONNECTIONLOSS, () -> connect().setData(root + "/big", tooLarge, -1));
        assertEquals(value.length, zk.exists(root + "/big", false).getDataLength());
    }

    @Test
    void unicodeNames() throws Exception {
        for (String name : List.of("grün", "日本語", "a b", "...")) {
            assertEquals(root + "/" + name, create(root + "/" + name, name));
            assertArrayEquals(bytes(name), zk.getData(root + "/" + name, false, null));
        }
        assertThrows(IllegalArgumentException.class, () -> create(root + "/a/../b"));
    }

    @Test
    void sessionsDiffer() throws Exception {
        assertNotEquals(zk.getSessionId(), connect().getSessionId());
        assertEquals(10_000, zk.getSessionTimeout());
        assertEquals(16, zk.getSessionPasswd().length);
    }

    @Test
    void reconfigIsRefused() throws Exception {
        var admin = new org.apache.zookeeper.admin.ZooKeeperAdmin(setting("zk.hosts"), 10_000, new Events());
        try (admin) {
            Code code = assertThrows(org.apache.zookeeper.KeeperException.class,
                () -> retry(() -> admin.reconfigure("server.1=127.0.0.1:1:2;3", null, null, -1, null))).code();
            assertTrue(List.of(Code.RECONFIGDISABLED, Code.UNIMPLEMENTED).contains(code), code.toString());
        }
    }
}
