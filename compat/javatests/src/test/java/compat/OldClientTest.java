package compat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a client of 3.4 can do; it is compiled and run with old clients too. They send other requests than
 * new ones: create, never create2; all their watches in one setWatches; no read-only flag before 3.4.
 */
class OldClientTest extends Base {
    private final Events states = new Events();

    @Test
    void createGetSetDelete() throws Exception {
        assertEquals(root + "/a", create(root + "/a", "v"));
        Stat stat = new Stat();
        assertArrayEquals(bytes("v"), zk.getData(root + "/a", false, stat));
        assertEquals(stat, zk.exists(root + "/a", false));
        assertEquals(stat.getCzxid(), stat.getPzxid());
        assertEquals(1, zk.setData(root + "/a", bytes("longer"), 0).getVersion());
        assertFails(Code.BADVERSION, () -> zk.setData(root + "/a", null, 0));
        assertFails(Code.NODEEXISTS, () -> create(root + "/a"));
        assertFails(Code.NONODE, () -> create(root + "/x/y"));
        create(root + "/a/b");
        assertFails(Code.NOTEMPTY, () -> zk.delete(root + "/a", -1));
        assertEquals(List.of("b"), zk.getChildren(root + "/a", false));
        zk.delete(root + "/a/b", 0);
        zk.delete(root + "/a", 1);
        assertNull(zk.exists(root + "/a", false));
        zk.create(root + "/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        assertNull(zk.getData(root + "/null", false, null));
        byte[] value = new byte[900_000];
        zk.setData(root + "/null", value, -1);
        assertArrayEquals(value, zk.getData(root + "/null", false, null));
    }

    @Test
    void sequencesAndEphemerals() throws Exception {
        ZooKeeper owner = connect();
        List<String> made = new ArrayList<>();
        for (CreateMode mode : new CreateMode[] {
            CreateMode.PERSISTENT_SEQUENTIAL, CreateMode.EPHEMERAL_SEQUENTIAL, CreateMode.PERSISTENT, CreateMode.EPHEMERAL}) {
            made.add(owner.create(root + "/n-", null, Ids.OPEN_ACL_UNSAFE, mode).substring(root.length()));
            if (mode == CreateMode.PERSISTENT) {
                owner.delete(root + "/n-", -1);
            }
        }
        assertEquals(List.of("/n-0000000000", "/n-0000000001", "/n-", "/n-"), made);
        assertEquals(owner.getSessionId(), zk.exists(root + "/n-", false).getEphemeralOwner());
        assertFails(Code.NOCHILDRENFOREPHEMERALS, () -> create(root + "/n-/c"));
        owner.close();
        assertEquals(List.of("n-0000000000"), zk.getChildren(root, false));
    }

    @Test
    void multi() throws Exception {
        create(root + "/a", "1");
        List<OpResult> results = zk.multi(List.of(
            Op.check(root + "/a", 0),
            Op.create(root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
            Op.setData(root + "/a", bytes("2"), 0),
            Op.create(root + "/gone", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.delete(root + "/gone", 0)));
        assertEquals(5, results.size());
        assertEquals(root + "/s-0000000001", ((OpResult.CreateResult) results.get(1)).getPath());
        assertEquals(1, ((OpResult.SetDataResult) results.get(2)).getStat().getVersion());
        KeeperException e = assertThrows(KeeperException.class, () -> zk.transaction()
            .create(root + "/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
            .delete(root + "/a", 7).setData(root + "/a", null, -1).commit());
        assertEquals(Code.BADVERSION, e.code());
        assertEquals(List.of(0, Code.BADVERSION.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()),
            e.getResults().stream().map(r -> ((OpResult.ErrorResult) r).getErr()).toList());
        assertNull(zk.exists(root + "/b", false));
    }

    @Test
    void pipelinedCallsKeepTheirOrder() throws Exception {
        create(root + "/a");
        int calls = 500;
        List<String> order = new ArrayList<>();
        List<String> want = new ArrayList<>();
        CountDownLatch done = new CountDownLatch(2 * calls);
        for (int i = 1; i <= calls; i++) {
            want.add("set " + i);
            want.add("get " + i);
            zk.setData(root + "/a", null, -1, (rc, path, ctx, stat) -> {
                order.add("set " + stat.getVersion());
                done.countDown();
            }, null);
            zk.getData(root + "/a", false, (rc, path, ctx, data, stat) -> {
                order.add("get " + stat.getVersion());
                done.countDown();
            }, null);
        }
        assertEquals(true, done.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals(want, order);
    }

    @Test
    void chroot() throws Exception {
        ZooKeeper client = connect(setting("zk.hosts") + root, 10_000, new Events());
        Events events = new Events();
        client.getChildren("/", events);
        assertEquals("/a", client.create("/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        events.assertNext("NodeChildrenChanged /");
        assertNotNull(zk.exists(root + "/a", false));
    }

    /** The client sends all its watches again in one request. */
    @Test
    void reconnectSetsWatchesAgain() throws Exception {
        create(root + "/data");
        create(root + "/gone");
        create(root + "/same");
        ZooKeeper client = connectThroughProxy(10_000, states);
        long session = client.getSessionId();
        client.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Events away = new Events();
        Events later = new Events();
        client.getData(root + "/data", away, null);
        client.getData(root + "/gone", away, null);
        client.exists(root + "/new", away);
        client.getChildren(root, away);
        client.getData(root + "/same", later, null);
        control("partition");
        states.await("state Disconnected");
        zk.setData(root + "/data", null, -1);
        zk.delete(root + "/gone", -1);
        create(root + "/new");
        control("heal");
        states.await("state SyncConnected");
        assertEquals(session, client.getSessionId());
        TreeSet<String> told = new TreeSet<>();
        while (told.size() < 4) {
            String event = away.next();
            if (!event.startsWith("state ")) {
                told.add(event);
            }
        }
        assertEquals(new TreeSet<>(List.of("NodeChildrenChanged " + root, "NodeCreated " + root + "/new",
            "NodeDataChanged " + root + "/data", "NodeDeleted " + root + "/gone")), told);
        zk.setData(root + "/same", null, -1);
        later.await("NodeDataChanged " + root + "/same");
        assertEquals(session, zk.exists(root + "/e", false).getEphemeralOwner());
    }

    @ParameterizedTest
    @ValueSource(strings = {"restart", "crash"})
    void serverRestarts(String how) throws Exception {
        ZooKeeper client = connectForRestart(states);
        long session = client.getSessionId();
        client.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Events events = new Events();
        client.getData(root, events, null);
        control(how);
        states.await("state Disconnected");
        states.await("state SyncConnected");
        assertEquals(session, client.getSessionId());
        assertEquals(session, retry(() -> client.exists(root + "/e", false)).getEphemeralOwner());
        connect().setData(root, null, -1);
        events.await("NodeDataChanged " + root);
    }

    @Test
    void expiry() throws Exception {
        ZooKeeper client = connectThroughProxy(1_000, states);
        client.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Events events = new Events();
        zk.exists(root + "/e", events);
        control("partition");
        states.await("state Disconnected");
        events.assertNext("NodeDeleted " + root + "/e");
        control("heal");
        states.await("state Expired");
        assertFails(Code.SESSIONEXPIRED, () -> client.exists(root, false));
    }

    @Test
    void idleSessionLives() throws Exception {
        ZooKeeper client = connect(setting("zk.hosts"), 600, states);
        client.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        // Another session of the same length, of a client that was cut off, ends meanwhile.
        Events other = new Events();
        ZooKeeper silent = connectThroughProxy(1_200, other);
        silent.create(root + "/clock", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        control("partition");
        eventually("the silent session's end", () -> zk.exists(root + "/clock", false) == null);
        assertNotNull(zk.exists(root + "/e", false));
        states.assertNoMore(client);
    }
}
