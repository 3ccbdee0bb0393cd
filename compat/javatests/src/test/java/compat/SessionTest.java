package compat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Reconnecting, expiring, moving sessions, and the watches that are set again. */
class SessionTest extends Base {
    private final Events states = new Events();
    private final Events events = new Events();

    @Test
    void reconnectKeepsSessionEphemeralsAndWatches() throws Exception {
        ZooKeeper client = connectThroughProxy(10_000, states);
        long session = client.getSessionId();
        client.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        client.getData(root, events, null);
        control("drop");
        states.await("state Disconnected");
        states.await("state SyncConnected");
        assertEquals(session, client.getSessionId());
        assertNotNull(zk.exists(root + "/e", false));
        zk.setData(root, null, -1);
        events.await("NodeDataChanged " + root);
    }

    /** What changed while the client was away is told when its watches are set again. */
    @Test
    void changesWhileAway() throws Exception {
        for (String name : new String[] {"data", "deleted", "same", "parent", "persistent"}) {
            create(root + "/" + name);
        }
        ZooKeeper client = connectThroughProxy(10_000, states);
        Events data = new Events();
        Events deleted = new Events();
        Events same = new Events();
        Events children = new Events();
        Events created = new Events();
        Events never = new Events();
        Events persistent = new Events();
        Events recursive = new Events();
        client.getData(root + "/data", data, null);
        client.getData(root + "/deleted", deleted, null);
        client.getData(root + "/same", same, null);
        client.getChildren(root + "/parent", children);
        client.exists(root + "/created", created);
        client.exists(root + "/never", never);
        client.addWatch(root + "/persistent", persistent, AddWatchMode.PERSISTENT);
        client.addWatch(root, recursive, AddWatchMode.PERSISTENT_RECURSIVE);

        control("partition");
        states.await("state Disconnected");
        zk.setData(root + "/data", null, -1);
        zk.delete(root + "/deleted", -1);
        create(root + "/parent/child");
        create(root + "/created");
        zk.setData(root + "/persistent", null, -1);
        control("heal");
        states.await("state SyncConnected");

        data.await("NodeDataChanged " + root + "/data");
        deleted.await("NodeDeleted " + root + "/deleted");
        children.await("NodeChildrenChanged " + root + "/parent");
        created.await("NodeCreated " + root + "/created");
        for (Events each : new Events[] {same, never, persistent, recursive}) {
            each.await("state SyncConnected");
        }
        // Now every watch that is left works.
        zk.setData(root + "/same", null, -1);
        same.assertNext("NodeDataChanged " + root + "/same");
        create(root + "/never");
        never.assertNext("NodeCreated " + root + "/never");
        zk.setData(root + "/persistent", null, -1);
        persistent.await("NodeDataChanged " + root + "/persistent");
        recursive.await("NodeCreated " + root + "/never");
        recursive.await("NodeDataChanged " + root + "/persistent");
        // Those that fired are gone.
        zk.setData(root + "/data", null, -1);
        data.assertNoMore(client);
    }

    /** More watches than fit one setWatches request. */
    @Test
    void manyWatchesAreSetAgain() throws Exception {
        ZooKeeper client = connectThroughProxy(10_000, states);
        int count = 3000;
        String name = "/a-rather-long-name-so-that-the-client-has-to-send-several-requests-";
        for (int i = 0; i < count; i++) {
            client.exists(root + name + i, events, (rc, path, ctx, stat) -> { }, null);
        }
        drain(client);
        control("drop");
        states.await("state SyncConnected");
        events.await("state SyncConnected");
        assertNull(retry(() -> client.exists(root + "/x", false)));
        for (int i = 0; i < count; i += 500) {
            create(root + name + i);
            events.await("NodeCreated " + root + name + i);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"restart", "crash"})
    void serverRestart(String how) throws Exception {
        ZooKeeper client = connectForRestart(states);
        long session = client.getSessionId();
        client.create(root + "/e", bytes("mine"), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        client.create(root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
        client.setData(root, bytes("kept"), -1);
        Stat before = client.exists(root, false);
        Events data = new Events();
        Events persistent = new Events();
        client.getData(root, data, null);
        client.addWatch(root, persistent, AddWatchMode.PERSISTENT_RECURSIVE);
        control(how);
        states.await("state Disconnected");
        states.await("state SyncConnected");
        assertEquals(session, client.getSessionId());
        Stat after = new Stat();
        assertArrayEquals(bytes("kept"), retry(() -> client.getData(root, false, after)));
        assertEquals(before, after);
        assertEquals(session, client.exists(root + "/e", false).getEphemeralOwner());
        // Sequence numbers, versions and zxids go on.
        assertEquals(root + "/s-0000000002",
            client.create(root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL));
        Stat set = connect().setData(root, null, before.getVersion());
        assertEquals(before.getVersion() + 1, set.getVersion());
        data.await("NodeDataChanged " + root);
        persistent.await("NodeCreated " + root + "/s-0000000002");
        persistent.await("NodeDataChanged " + root);
    }

    @Test
    void expiryWhileCutOff() throws Exception {
        ZooKeeper client = connectThroughProxy(1_000, states);
        client.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.exists(root + "/e", events);
        client.exists(root + "/x", states);
        control("partition");
        states.await("state Disconnected");
        events.assertNext("NodeDeleted " + root + "/e");
        control("heal");
        states.await("state Expired");
        assertFails(Code.SESSIONEXPIRED, () -> client.exists(root, false));
        assertNotEquals(client.getSessionId(), connect().getSessionId());
    }

    /** Somebody with id and password closes the session. */
    @Test
    void closedByAnother() throws Exception {
        ZooKeeper client = connectThroughProxy(10_000, states);
        client.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        control("partition");
        states.await("state Disconnected");
        Events thief = new Events();
        ZooKeeper other = new ZooKeeper(setting("zk.hosts"), 10_000, thief, client.getSessionId(), client.getSessionPasswd());
        thief.await("state SyncConnected");
        assertEquals(client.getSessionId(), other.getSessionId());
        assertEquals(client.getSessionId(), other.exists(root + "/e", false).getEphemeralOwner());
        other.close();
        assertNull(zk.exists(root + "/e", false));
        control("heal");
        states.await("state Expired");
    }

    @Test
    void wrongPassword() throws Exception {
        ZooKeeper other = new ZooKeeper(setting("zk.hosts"), 10_000, states, zk.getSessionId(), new byte[16]);
        states.await("state Expired");
        other.close();
        // Java cuts the owner's connection before it looks at the password; the session lives on.
        long session = zk.getSessionId();
        assertNotNull(retry(() -> zk.exists(root, false)));
        assertEquals(session, zk.getSessionId());
    }

    @Test
    void unknownSession() throws Exception {
        ZooKeeper other = new ZooKeeper(setting("zk.hosts"), 10_000, states, 0x1234_5678L, zk.getSessionPasswd());
        states.await("state Expired");
        other.close();
    }

    @Test
    void timeoutsAreBounded() throws Exception {
        // tickTime 200, maxSessionTimeout 60000 in these suites.
        assertEquals(400, connect(setting("zk.hosts"), 100, new Events()).getSessionTimeout());
        assertEquals(60_000, connect(setting("zk.hosts"), 1_000_000, new Events()).getSessionTimeout());
        assertEquals(7_000, connect(setting("zk.hosts"), 7_000, new Events()).getSessionTimeout());
    }

    @Test
    void readOnlyClientsAreServed() throws Exception {
        ZooKeeper client = new ZooKeeper(setting("zk.hosts"), 10_000, states, true);
        states.await("state SyncConnected");
        client.create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        client.close();
    }

    /** A client alive but idle keeps its session by pings. */
    @Test
    void idleSessionLives() throws Exception {
        ZooKeeper client = connect(setting("zk.hosts"), 600, states);
        client.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.create(root + "/clock", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, null, 2000);
        eventually("two seconds by the server's clock", () -> zk.exists(root + "/clock", false) == null);
        assertNotNull(zk.exists(root + "/e", false));
        states.assertNoMore(client);
    }

    @Test
    void watchesOfAClosedSessionAreGone() throws Exception {
        ZooKeeper leaving = connect();
        leaving.getData(root, events, null);
        leaving.close();
        zk.setData(root, null, -1);
        drain(zk);
        // The client itself reports its end, and no node event.
        assertEquals("state Closed", events.next());
        events.assertNoMore(zk);
    }
}
