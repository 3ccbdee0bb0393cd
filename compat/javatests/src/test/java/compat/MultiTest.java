package compat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;

/** multi, Transaction and the read-only multi. */
class MultiTest extends Base {
    @Test
    void allOrNothing() throws Exception {
        create(root + "/a", "1");
        List<OpResult> results = zk.multi(List.of(
            Op.check(root + "/a", 0),
            Op.create(root + "/b", bytes("b"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.create(root + "/b/s", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
            Op.setData(root + "/a", bytes("2"), 0),
            Op.setData(root + "/b", bytes("bb"), 0),
            Op.create(root + "/gone", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.delete(root + "/gone", 0)));
        assertEquals(7, results.size());
        assertEquals(root + "/b", ((OpResult.CreateResult) results.get(1)).getPath());
        assertEquals(root + "/b/s0000000000", ((OpResult.CreateResult) results.get(2)).getPath());
        assertEquals(1, ((OpResult.SetDataResult) results.get(3)).getStat().getVersion());
        assertArrayEquals(bytes("bb"), zk.getData(root + "/b", false, null));
        // One transaction has one zxid.
        assertEquals(zk.exists(root + "/b", false).getCzxid(), zk.exists(root + "/a", false).getMzxid());
    }

    @Test
    void failure() throws Exception {
        create(root + "/a");
        Stat before = zk.exists(root, false);
        KeeperException e = assertThrows(KeeperException.class, () -> zk.multi(List.of(
            Op.create(root + "/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.delete(root + "/a", 5),
            Op.setData(root + "/a", null, -1))));
        assertEquals(Code.BADVERSION, e.code());
        assertEquals(List.of(0, Code.BADVERSION.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()),
            e.getResults().stream().map(r -> ((OpResult.ErrorResult) r).getErr()).toList());
        assertNull(zk.exists(root + "/b", false));
        assertEquals(before, zk.exists(root, false));
    }

    @Test
    void checksSeeWhatCameBefore() throws Exception {
        zk.multi(List.of(
            Op.create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.setData(root + "/a", bytes("x"), 0),
            Op.check(root + "/a", 1),
            Op.setData(root + "/a", bytes("y"), 1)));
        assertEquals(2, zk.exists(root + "/a", false).getVersion());
    }

    @Test
    void everyKindOfCreate() throws Exception {
        List<OpResult> results = zk.multi(List.of(
            Op.create(root + "/container", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
            Op.create(root + "/container/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.create(root + "/ttl", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 600_000),
            Op.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL)));
        assertEquals(List.of(root + "/container", root + "/container/child", root + "/ttl", root + "/e"),
            results.stream().map(r -> ((OpResult.CreateResult) r).getPath()).toList());
        assertEquals(zk.getSessionId(), zk.exists(root + "/e", false).getEphemeralOwner());
    }

    @Test
    void transaction() throws Exception {
        create(root + "/a");
        List<OpResult> results = zk.transaction()
            .create(root + "/b", bytes("b"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
            .check(root + "/b", 0)
            .setData(root + "/b", bytes("c"), 0)
            .delete(root + "/a", 0)
            .commit();
        assertEquals(4, results.size());
        assertNull(zk.exists(root + "/a", false));
        assertArrayEquals(bytes("c"), zk.getData(root + "/b", false, null));
    }

    @Test
    void reads() throws Exception {
        create(root + "/a", "data");
        create(root + "/a/x");
        create(root + "/a/y");
        List<OpResult> results = zk.multi(List.of(
            Op.getData(root + "/a"), Op.getChildren(root + "/a"), Op.getData(root + "/none"), Op.getChildren(root)));
        assertArrayEquals(bytes("data"), ((OpResult.GetDataResult) results.get(0)).getData());
        assertEquals(2, ((OpResult.GetDataResult) results.get(0)).getStat().getNumChildren());
        assertEquals(List.of("x", "y"), ((OpResult.GetChildrenResult) results.get(1)).getChildren().stream().sorted().toList());
        // Unlike in a write multi, a failed read does not touch the others.
        assertEquals(Code.NONODE.intValue(), ((OpResult.ErrorResult) results.get(2)).getErr());
        assertEquals(List.of("a"), ((OpResult.GetChildrenResult) results.get(3)).getChildren());
    }

    @Test
    void empty() throws Exception {
        assertEquals(List.of(), zk.multi(List.of()));
    }

    @Test
    void watchesFireInOrder() throws Exception {
        create(root + "/a");
        create(root + "/b");
        ZooKeeper watching = connect();
        Events events = new Events();
        watching.getData(root + "/a", events, null);
        watching.exists(root + "/c", events);
        watching.getData(root + "/b", events, null);
        zk.multi(List.of(
            Op.delete(root + "/b", -1),
            Op.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.setData(root + "/a", null, -1)));
        events.assertNext("NodeDeleted " + root + "/b", "NodeCreated " + root + "/c", "NodeDataChanged " + root + "/a");
    }
}
