package compat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.CreateMode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Curator's users see when the network or the server fails. */
class CuratorConnectionTest extends CuratorBase {
    private static BlockingQueue<ConnectionState> states(CuratorFramework client) {
        BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        client.getConnectionStateListenable().addListener((c, state) -> states.add(state));
        return states;
    }

    /** The next state is the wanted one; the first, CONNECTED, may still be told after the client is connected. */
    private static void await(BlockingQueue<ConnectionState> states, ConnectionState want) throws InterruptedException {
        ConnectionState next;
        do {
            next = states.poll(2 * PATIENCE_SECONDS, TimeUnit.SECONDS);
        } while (next == ConnectionState.CONNECTED);
        assertEquals(want, next);
    }

    @Test
    void suspendedAndReconnected() throws Exception {
        CuratorFramework client = curator(setting("zk.proxy"));
        BlockingQueue<ConnectionState> states = states(client);
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        client.create().withMode(CreateMode.EPHEMERAL).forPath(root + "/e");
        control("partition");
        await(states, ConnectionState.SUSPENDED);
        control("heal");
        await(states, ConnectionState.RECONNECTED);
        assertEquals(session, client.getZookeeperClient().getZooKeeper().getSessionId());
        assertNotNull(client.checkExists().forPath(root + "/e"));
    }

    /** After the session's end leadership is given up, and ephemerals are made again in a new session. */
    @Test
    void lost() throws Exception {
        CuratorFramework client = curator(setting("zk.proxy"), 1_500);
        BlockingQueue<ConnectionState> states = states(client);
        try (var latch = new LeaderLatch(client, root + "/latch", "cut off");
            var other = new LeaderLatch(curator(), root + "/latch", "other");
            var node = new PersistentNode(client, CreateMode.EPHEMERAL, false, root + "/mine", bytes("v"))) {
            latch.start();
            assertTrue(latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
            other.start();
            eventually("both take part", () -> latch.getParticipants().size() == 2);
            node.start();
            assertTrue(node.waitForInitialCreate(PATIENCE_SECONDS, TimeUnit.SECONDS));
            long owner = zk.exists(root + "/mine", false).getEphemeralOwner();
            control("partition");
            await(states, ConnectionState.SUSPENDED);
            eventually("leadership given up", () -> !latch.hasLeadership());
            assertTrue(other.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
            await(states, ConnectionState.LOST);
            control("heal");
            await(states, ConnectionState.RECONNECTED);
            eventually("the node made again", () -> {
                var stat = zk.exists(root + "/mine", false);
                return stat != null && stat.getEphemeralOwner() != owner;
            });
            assertFalse(latch.hasLeadership());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"restart", "crash"})
    void recipesGoOnAfter(String how) throws Exception {
        CuratorFramework client = curator(setting("zk.restart.hosts"), 30_000);
        BlockingQueue<ConnectionState> states = states(client);
        Events events = new Events();
        InterProcessMutex mutex = new InterProcessMutex(client, root + "/lock");
        mutex.acquire();
        try (var cache = CuratorCache.build(client, root + "/cached");
            var watcher = new PersistentWatcher(client, root, true);
            var latch = new LeaderLatch(client, root + "/latch", "it")) {
            create(root + "/cached", "1");
            cache.start();
            watcher.getListenable().addListener(events);
            watcher.start();
            latch.start();
            assertTrue(latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
            eventually("cached", () -> cache.get(root + "/cached").isPresent());
            control(how);
            await(states, ConnectionState.SUSPENDED);
            await(states, ConnectionState.RECONNECTED);
            assertEquals(1, mutex.getParticipantNodes().size());
            assertTrue(latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
            var changing = connect();
            changing.setData(root + "/cached", bytes("2"), -1);
            eventually("the change", () -> new String(cache.get(root + "/cached").get().getData()).equals("2"));
            events.await("NodeDataChanged " + root + "/cached");
        }
        mutex.release();
    }

    /** A change while the client was cut off is in the cache after it. */
    @Test
    void cacheCatchesUp() throws Exception {
        create(root + "/a", "1");
        create(root + "/b", "1");
        CuratorFramework client = curator(setting("zk.proxy"));
        BlockingQueue<ConnectionState> states = states(client);
        try (var cache = CuratorCache.build(client, root)) {
            cache.start();
            eventually("cached", () -> cache.size() == 3);
            control("partition");
            await(states, ConnectionState.SUSPENDED);
            zk.setData(root + "/a", bytes("2"), -1);
            zk.delete(root + "/b", -1);
            create(root + "/c", "new");
            control("heal");
            await(states, ConnectionState.RECONNECTED);
            eventually("caught up", () -> new String(cache.get(root + "/a").get().getData()).equals("2")
                && cache.get(root + "/b").isEmpty() && cache.get(root + "/c").isPresent());
        }
    }
}
