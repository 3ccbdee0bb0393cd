package compat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;

/** Nodes that the server deletes by itself; it looks every 200 ms in these suites. */
class TtlContainerTest extends Base {
    private String createTtl(String path, CreateMode mode, long ttlMillis, Stat stat) throws Exception {
        return zk.create(path, bytes("v"), Ids.OPEN_ACL_UNSAFE, mode, stat, ttlMillis);
    }

    @Test
    void aNodeGoesAfterItsTtl() throws Exception {
        Events events = new Events();
        Stat stat = new Stat();
        String path = createTtl(root + "/t", CreateMode.PERSISTENT_WITH_TTL, 300, stat);
        assertEquals(root + "/t", path);
        // The TTL is kept in the owner's place, but a client is not shown it.
        assertEquals(0, stat.getEphemeralOwner());
        zk.exists(path, events);
        events.assertNext("NodeDeleted " + path);
        assertNull(zk.exists(path, false));
    }

    @Test
    void aSequentialOne() throws Exception {
        String path = createTtl(root + "/t-", CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, 300, new Stat());
        assertEquals(root + "/t-0000000000", path);
        eventually("TTL", () -> zk.exists(path, false) == null);
    }

    /** The TTL counts from the last change of the data, and not while there are children. */
    @Test
    void childrenKeepIt() throws Exception {
        String path = createTtl(root + "/t", CreateMode.PERSISTENT_WITH_TTL, 200, new Stat());
        create(path + "/child");
        String clock = createTtl(root + "/clock", CreateMode.PERSISTENT_WITH_TTL, 500, new Stat());
        eventually("the other's TTL", () -> zk.exists(clock, false) == null);
        assertNotNull(zk.exists(path, false));
        zk.delete(path + "/child", -1);
        eventually("TTL", () -> zk.exists(path, false) == null);
    }

    @Test
    void changesProlongIt() throws Exception {
        String path = createTtl(root + "/t", CreateMode.PERSISTENT_WITH_TTL, 3000, new Stat());
        String clock = createTtl(root + "/clock", CreateMode.PERSISTENT_WITH_TTL, 1000, new Stat());
        eventually("the other's TTL", () -> {
            zk.setData(path, null, -1);
            return zk.exists(clock, false) == null;
        });
        String clock2 = createTtl(root + "/clock", CreateMode.PERSISTENT_WITH_TTL, 1500, new Stat());
        eventually("the other's TTL", () -> zk.exists(clock2, false) == null);
        assertNotNull(zk.exists(path, false));
    }

    @Test
    void impossibleTtls() {
        for (long ttl : new long[] {0, -1, 0x00ff_ffff_ffffL + 1}) {
            assertThrows(IllegalArgumentException.class,
                () -> createTtl(root + "/t", CreateMode.PERSISTENT_WITH_TTL, ttl, null));
        }
    }

    @Test
    void aContainerGoesWithItsLastChild() throws Exception {
        Stat stat = new Stat();
        String path = zk.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER, stat);
        assertEquals(0, stat.getEphemeralOwner());
        create(path + "/one");
        create(path + "/two");
        zk.delete(path + "/one", -1);
        String clock = createTtl(root + "/clock", CreateMode.PERSISTENT_WITH_TTL, 400, new Stat());
        eventually("a TTL", () -> zk.exists(clock, false) == null);
        assertNotNull(zk.exists(path, false));
        zk.delete(path + "/two", -1);
        eventually("the container", () -> zk.exists(path, false) == null);
    }

    /** A container that never had a child stays. */
    @Test
    void anUnusedContainerStays() throws Exception {
        String path = zk.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        String clock = createTtl(root + "/clock", CreateMode.PERSISTENT_WITH_TTL, 500, new Stat());
        eventually("a TTL", () -> zk.exists(clock, false) == null);
        assertNotNull(zk.exists(path, false));
    }

    @Test
    void containersMayHaveEphemeralChildren() throws Exception {
        String path = zk.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        var owner = connect();
        owner.create(path + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        assertFails(Code.NOTEMPTY, () -> zk.delete(path, -1));
        owner.close();
        eventually("the container", () -> zk.exists(path, false) == null);
    }

    /** They outlive a restart, and so does the order to delete them. */
    @Test
    void afterARestart() throws Exception {
        String path = createTtl(root + "/t", CreateMode.PERSISTENT_WITH_TTL, 600, new Stat());
        String container = zk.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        create(container + "/child");
        control("restart");
        var client = connect();
        eventually("TTL", () -> client.exists(path, false) == null);
        assertNotNull(client.exists(container, false));
        client.delete(container + "/child", -1);
        eventually("the container", () -> client.exists(container, false) == null);
    }
}
