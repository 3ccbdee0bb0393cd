package compat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One-shot watches. The watching client is another than the changing one. */
class WatchTest extends Base {
    private ZooKeeper watching;
    private final Events events = new Events();

    @BeforeEach
    void openWatching() throws Exception {
        watching = connect();
    }

    @Test
    void data() throws Exception {
        create(root + "/a");
        watching.getData(root + "/a", events, null);
        zk.setData(root + "/a", bytes("1"), -1);
        events.assertNext("NodeDataChanged " + root + "/a");
        zk.setData(root + "/a", bytes("2"), -1);
        events.assertNoMore(watching);
        watching.getData(root + "/a", events, null);
        zk.delete(root + "/a", -1);
        events.assertNext("NodeDeleted " + root + "/a");
    }

    @Test
    void exists() throws Exception {
        assertNull(watching.exists(root + "/a", events));
        create(root + "/a");
        events.assertNext("NodeCreated " + root + "/a");
        watching.exists(root + "/a", events);
        zk.setData(root + "/a", null, -1);
        events.assertNext("NodeDataChanged " + root + "/a");
        watching.exists(root + "/a", events);
        zk.delete(root + "/a", -1);
        events.assertNext("NodeDeleted " + root + "/a");
        events.assertNoMore(watching);
    }

    @Test
    void children() throws Exception {
        watching.getChildren(root, events);
        create(root + "/a");
        events.assertNext("NodeChildrenChanged " + root);
        watching.getChildren(root, events);
        create(root + "/a/deep");
        zk.setData(root, null, -1);
        events.assertNoMore(watching);
        zk.delete(root + "/a/deep", -1);
        zk.delete(root + "/a", -1);
        events.assertNext("NodeChildrenChanged " + root);
        watching.getChildren(root, events);
        String victim = create(root + "/a");
        events.assertNext("NodeChildrenChanged " + root);
        watching.getChildren(victim, events);
        zk.delete(victim, -1);
        events.assertNext("NodeDeleted " + victim);
    }

    @Test
    void defaultWatcher() throws Exception {
        Events all = new Events();
        ZooKeeper client = connect(setting("zk.hosts"), 10_000, all);
        client.exists(root + "/a", true);
        client.getChildren(root, true);
        create(root + "/a");
        all.assertNext("NodeCreated " + root + "/a", "NodeChildrenChanged " + root);
    }

    @Test
    void oneEventPerWatcherAndPath() throws Exception {
        create(root + "/a");
        watching.getData(root + "/a", events, null);
        watching.getData(root + "/a", events, null);
        watching.exists(root + "/a", events);
        Events other = new Events();
        watching.getData(root + "/a", other, null);
        zk.setData(root + "/a", null, -1);
        events.assertNext("NodeDataChanged " + root + "/a");
        other.assertNext("NodeDataChanged " + root + "/a");
        events.assertNoMore(watching);
        other.assertNoMore(watching);
    }

    @Test
    void failedReadsLeaveNoWatch() throws Exception {
        assertFails(Code.NONODE, () -> watching.getData(root + "/a", events, null));
        assertFails(Code.NONODE, () -> watching.getChildren(root + "/a", events));
        create(root + "/a");
        events.assertNoMore(watching);
    }

    @Test
    void failedWritesFireNothing() throws Exception {
        create(root + "/a");
        watching.getData(root + "/a", events, null);
        watching.getChildren(root, events);
        assertFails(Code.BADVERSION, () -> zk.setData(root + "/a", null, 7));
        assertFails(Code.NODEEXISTS, () -> create(root + "/a"));
        assertFails(Code.BADVERSION, () -> zk.delete(root + "/a", 7));
        events.assertNoMore(watching);
    }

    @Test
    void ephemeralsGoWithTheirSession() throws Exception {
        ZooKeeper owner = connect();
        owner.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        watching.getData(root + "/e", events, null);
        watching.getChildren(root, events);
        owner.close();
        events.assertNext("NodeDeleted " + root + "/e", "NodeChildrenChanged " + root);
    }

    @Test
    void aclChangesFireNothing() throws Exception {
        watching.getData(root, events, null);
        zk.setACL(root, Ids.OPEN_ACL_UNSAFE, -1);
        events.assertNoMore(watching);
    }

    /** The callback of a read that shows a change runs after the change's event. */
    @Test
    void eventBeforeReply() throws Exception {
        create(root + "/a");
        for (int i = 1; i <= 300; i++) {
            watching.getData(root + "/a", events, null);
            zk.setData(root + "/a", null, -1, (rc, path, ctx, stat) -> { }, null);
            int version = i;
            eventually("version " + i, () -> watching.exists(root + "/a", false).getVersion() == version);
            drain(watching);
            assertEquals("NodeDataChanged " + root + "/a", events.next());
        }
    }

    @Test
    void manyWatches() throws Exception {
        int nodes = 2000;
        for (int i = 0; i < nodes; i++) {
            int n = i;
            watching.exists(root + "/n" + n, events, (rc, path, ctx, stat) -> { }, null);
        }
        drain(watching);
        for (int i = 0; i < nodes; i++) {
            zk.create(root + "/n" + i, null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL,
                (rc, path, ctx, name) -> { }, null);
        }
        for (int i = 0; i < nodes; i++) {
            assertEquals("NodeCreated " + root + "/n" + i, events.next());
        }
    }
}
