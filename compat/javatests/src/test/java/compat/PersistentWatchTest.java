package compat;

import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** addWatch in both modes, and taking watches back. */
class PersistentWatchTest extends Base {
    private ZooKeeper watching;
    private final Events events = new Events();

    @BeforeEach
    void openWatching() throws Exception {
        watching = connect();
    }

    @Test
    void persistent() throws Exception {
        watching.addWatch(root + "/a", events, AddWatchMode.PERSISTENT);
        for (int i = 0; i < 2; i++) {
            create(root + "/a");
            zk.setData(root + "/a", null, -1);
            create(root + "/a/b");
            zk.setData(root + "/a/b", null, -1);
            create(root + "/a/b/c");
            zk.delete(root + "/a/b/c", -1);
            zk.delete(root + "/a/b", -1);
            zk.delete(root + "/a", -1);
            events.assertNext(
                "NodeCreated " + root + "/a",
                "NodeDataChanged " + root + "/a",
                "NodeChildrenChanged " + root + "/a",
                "NodeChildrenChanged " + root + "/a",
                "NodeDeleted " + root + "/a");
        }
        events.assertNoMore(watching);
    }

    @Test
    void recursive() throws Exception {
        watching.addWatch(root + "/a", events, AddWatchMode.PERSISTENT_RECURSIVE);
        create(root + "/ab");
        for (int i = 0; i < 2; i++) {
            create(root + "/a");
            create(root + "/a/b");
            create(root + "/a/b/c");
            zk.setData(root + "/a/b/c", null, -1);
            zk.delete(root + "/a/b/c", -1);
            zk.delete(root + "/a/b", -1);
            zk.delete(root + "/a", -1);
            events.assertNext(
                "NodeCreated " + root + "/a",
                "NodeCreated " + root + "/a/b",
                "NodeCreated " + root + "/a/b/c",
                "NodeDataChanged " + root + "/a/b/c",
                "NodeDeleted " + root + "/a/b/c",
                "NodeDeleted " + root + "/a/b",
                "NodeDeleted " + root + "/a");
        }
        events.assertNoMore(watching);
    }

    @Test
    void recursiveFromTheTop() throws Exception {
        watching.addWatch("/", events, AddWatchMode.PERSISTENT_RECURSIVE);
        create(root + "/a");
        events.await("NodeCreated " + root + "/a");
        watching.removeWatches("/", events, WatcherType.Any, false);
    }

    @Test
    void defaultWatcherAndAsync() throws Exception {
        Events all = new Events();
        ZooKeeper client = connect(setting("zk.hosts"), 10_000, all);
        client.addWatch(root, AddWatchMode.PERSISTENT);
        var done = new java.util.concurrent.CompletableFuture<Integer>();
        client.addWatch(root + "/a", AddWatchMode.PERSISTENT_RECURSIVE, (rc, path, ctx) -> done.complete(rc), null);
        done.get(PATIENCE_SECONDS, java.util.concurrent.TimeUnit.SECONDS);
        create(root + "/a");
        all.assertNext("NodeCreated " + root + "/a", "NodeChildrenChanged " + root);
    }

    @Test
    void besideOneShotWatches() throws Exception {
        create(root + "/a");
        Events once = new Events();
        watching.addWatch(root, events, AddWatchMode.PERSISTENT_RECURSIVE);
        watching.getData(root + "/a", once, null);
        watching.getChildren(root, once);
        zk.setData(root + "/a", null, -1);
        once.assertNext("NodeDataChanged " + root + "/a");
        events.assertNext("NodeDataChanged " + root + "/a");
        create(root + "/b");
        once.assertNext("NodeChildrenChanged " + root);
        events.assertNext("NodeCreated " + root + "/b");
        zk.setData(root + "/a", null, -1);
        events.assertNext("NodeDataChanged " + root + "/a");
        once.assertNoMore(watching);
        events.assertNoMore(watching);
    }

    /** A second addWatch on the path replaces the mode. */
    @Test
    void modeCanChange() throws Exception {
        watching.addWatch(root, events, AddWatchMode.PERSISTENT);
        watching.addWatch(root, events, AddWatchMode.PERSISTENT_RECURSIVE);
        create(root + "/a");
        create(root + "/a/b");
        events.await("NodeCreated " + root + "/a/b");
    }

    @Test
    void inAMulti() throws Exception {
        watching.addWatch(root, events, AddWatchMode.PERSISTENT_RECURSIVE);
        zk.multi(List.of(
            Op.create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.setData(root + "/a", null, -1),
            Op.delete(root + "/a", -1)));
        events.assertNext("NodeCreated " + root + "/a", "NodeDataChanged " + root + "/a", "NodeDeleted " + root + "/a");
    }

    /** Who may not read a node doesn't get its events. */
    @Test
    void eventsAskForReadPermission() throws Exception {
        zk.addAuthInfo("digest", bytes("alice:secret"));
        watching.addWatch(root, events, AddWatchMode.PERSISTENT_RECURSIVE);
        zk.create(root + "/secret", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        zk.setData(root + "/secret", null, -1);
        create(root + "/open");
        events.assertNext("NodeCreated " + root + "/open");
        zk.setACL(root + "/secret", Ids.OPEN_ACL_UNSAFE, -1);
        zk.setData(root + "/secret", null, -1);
        events.assertNext("NodeDataChanged " + root + "/secret");
    }

    @Test
    void removePersistent() throws Exception {
        watching.addWatch(root, events, AddWatchMode.PERSISTENT);
        watching.removeWatches(root, events, WatcherType.Any, false);
        events.assertNext("PersistentWatchRemoved " + root);
        create(root + "/a");
        events.assertNoMore(watching);
        assertFails(Code.NOWATCHER, () -> watching.removeWatches(root, events, WatcherType.Any, false));
    }

    @Test
    void removeByType() throws Exception {
        Events data = new Events();
        Events children = new Events();
        watching.getData(root, data, null);
        watching.getChildren(root, children);
        watching.addWatch(root, events, AddWatchMode.PERSISTENT);
        assertFails(Code.NOWATCHER, () -> watching.removeWatches(root, data, WatcherType.Children, false));
        watching.removeWatches(root, data, WatcherType.Data, false);
        data.assertNext("DataWatchRemoved " + root);
        watching.removeWatches(root, children, WatcherType.Children, false);
        children.assertNext("ChildWatchRemoved " + root);
        zk.setData(root, null, -1);
        create(root + "/a");
        events.assertNext("NodeDataChanged " + root, "NodeChildrenChanged " + root);
        data.assertNoMore(watching);
        children.assertNoMore(watching);
        watching.removeWatches(root, events, WatcherType.Persistent, false);
        events.assertNext("PersistentWatchRemoved " + root);
    }

    @Test
    void removeRecursiveByType() throws Exception {
        watching.addWatch(root, events, AddWatchMode.PERSISTENT_RECURSIVE);
        assertFails(Code.NOWATCHER, () -> watching.removeWatches(root, events, WatcherType.Persistent, false));
        watching.removeWatches(root, events, WatcherType.PersistentRecursive, false);
        events.assertNext("PersistentWatchRemoved " + root);
        create(root + "/a");
        events.assertNoMore(watching);
    }

    /** Of two watchers at one path one goes: the server keeps the watch for the other. */
    @Test
    void removeOneOfTwo() throws Exception {
        Events other = new Events();
        watching.exists(root + "/a", events);
        watching.exists(root + "/a", other);
        watching.removeWatches(root + "/a", events, WatcherType.Data, false);
        events.assertNext("DataWatchRemoved " + root + "/a");
        create(root + "/a");
        other.assertNext("NodeCreated " + root + "/a");
        events.assertNoMore(watching);
    }

    @Test
    void removeAll() throws Exception {
        Events other = new Events();
        watching.getData(root, events, null);
        watching.getData(root, other, null);
        watching.getChildren(root, other);
        watching.removeAllWatches(root, WatcherType.Any, false);
        events.assertNext("DataWatchRemoved " + root);
        other.await("DataWatchRemoved " + root);
        zk.setData(root, null, -1);
        create(root + "/a");
        events.assertNoMore(watching);
    }

    @Test
    void removeWhatNobodySet() {
        assertFails(Code.NOWATCHER, () -> watching.removeWatches(root, events, WatcherType.Any, false));
        assertThrows(IllegalArgumentException.class,
            () -> watching.removeWatches(root, null, WatcherType.Any, false));
    }

    /** Exists-watches of a node that isn't there are kept under their own type. */
    @Test
    void removeExistsWatch() throws Exception {
        watching.exists(root + "/none", events);
        watching.removeWatches(root + "/none", events, WatcherType.Data, false);
        events.assertNext("DataWatchRemoved " + root + "/none");
        create(root + "/none");
        events.assertNoMore(watching);
    }
}
