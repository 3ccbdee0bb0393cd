package compat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedCountListener;
import org.apache.curator.framework.recipes.shared.SharedCountReader;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.zookeeper.CreateMode;
import org.junit.jupiter.api.Test;

/** The rest of Curator's recipes, and service discovery. */
class CuratorRecipesTest extends CuratorBase {
    @Test
    void semaphoreMutexBelongsToNoThread() throws Exception {
        var a = new InterProcessSemaphoreMutex(curator(), root + "/lock");
        var b = new InterProcessSemaphoreMutex(curator(), root + "/lock");
        a.acquire();
        assertFalse(b.acquire(100, TimeUnit.MILLISECONDS));
        pool.submit(() -> {
            a.release();
            return null;
        }).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertTrue(b.acquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
        b.release();
    }

    @Test
    void multiLockIsAllOrNothing() throws Exception {
        CuratorFramework one = curator();
        CuratorFramework two = curator();
        var both = new InterProcessMultiLock(one, List.of(root + "/a", root + "/b"));
        var other = new InterProcessMultiLock(two, List.of(root + "/b", root + "/c"));
        both.acquire();
        assertFalse(other.acquire(100, TimeUnit.MILLISECONDS));
        eventually("nothing held of c", () -> zk.exists(root + "/c", false) == null || zk.getChildren(root + "/c", false).isEmpty());
        both.release();
        assertTrue(other.acquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
        other.release();
    }

    /** Writers keep order, readers share, and a writer may become a reader. */
    @Test
    void readWriteLockDowngrades() throws Exception {
        var a = new InterProcessReadWriteLock(curator(), root + "/rw");
        var b = new InterProcessReadWriteLock(curator(), root + "/rw");
        a.writeLock().acquire();
        a.readLock().acquire();
        assertFalse(b.readLock().acquire(100, TimeUnit.MILLISECONDS));
        a.writeLock().release();
        assertTrue(b.readLock().acquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals(2, zk.getChildren(root + "/rw", false).size());
        a.readLock().release();
        b.readLock().release();
    }

    @Test
    void semaphoreNeverLeasesTooMany() throws Exception {
        int leases = 3;
        AtomicInteger inside = new AtomicInteger();
        List<Future<?>> work = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            CuratorFramework client = curator();
            work.add(pool.submit(() -> {
                var semaphore = new InterProcessSemaphoreV2(client, root + "/sem", leases);
                for (int j = 0; j < 5; j++) {
                    Lease lease = semaphore.acquire(60, TimeUnit.SECONDS);
                    assertNotNull(lease);
                    assertTrue(inside.incrementAndGet() <= leases);
                    inside.decrementAndGet();
                    semaphore.returnLease(lease);
                }
                return null;
            }));
        }
        for (Future<?> each : work) {
            each.get(90, TimeUnit.SECONDS);
        }
    }

    @Test
    void leaderSelectorTakesTurns() throws Exception {
        BlockingQueue<String> led = new LinkedBlockingQueue<>();
        List<LeaderSelector> selectors = new ArrayList<>();
        for (String name : List.of("a", "b", "c")) {
            var selector = new LeaderSelector(curator(), root + "/leader", new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework client) {
                    led.add(name);
                }
            });
            selector.setId(name);
            selector.autoRequeue();
            selectors.add(selector);
            selector.start();
        }
        Set<String> seen = new java.util.TreeSet<>();
        while (seen.size() < 3) {
            String name = led.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            assertNotNull(name, "leaders so far: " + seen);
            seen.add(name);
        }
        selectors.forEach(LeaderSelector::close);
    }

    @Test
    void barriers() throws Exception {
        var barrier = new DistributedBarrier(curator(), root + "/barrier");
        barrier.setBarrier();
        var waiting = new DistributedBarrier(curator(), root + "/barrier");
        assertFalse(waiting.waitOnBarrier(100, TimeUnit.MILLISECONDS));
        Future<Boolean> through = pool.submit(() -> waiting.waitOnBarrier(PATIENCE_SECONDS, TimeUnit.SECONDS));
        barrier.removeBarrier();
        assertTrue(through.get(PATIENCE_SECONDS, TimeUnit.SECONDS));

        int members = 3;
        List<Future<Boolean>> work = new ArrayList<>();
        CountDownLatch inside = new CountDownLatch(members);
        for (int i = 0; i < members; i++) {
            var each = new DistributedDoubleBarrier(curator(), root + "/double", members);
            work.add(pool.submit(() -> {
                boolean in = each.enter(PATIENCE_SECONDS, TimeUnit.SECONDS);
                inside.countDown();
                return in && inside.await(PATIENCE_SECONDS, TimeUnit.SECONDS) && each.leave(PATIENCE_SECONDS, TimeUnit.SECONDS);
            }));
        }
        for (Future<Boolean> each : work) {
            assertTrue(each.get(2 * PATIENCE_SECONDS, TimeUnit.SECONDS));
        }
    }

    @Test
    void queueAndSharedCount() throws Exception {
        var in = new SimpleDistributedQueue(curator(), root + "/queue");
        var out = new SimpleDistributedQueue(curator(), root + "/queue");
        for (int i = 0; i < 20; i++) {
            assertTrue(in.offer(bytes("item " + i)));
        }
        for (int i = 0; i < 20; i++) {
            assertEquals("item " + i, new String(out.poll(PATIENCE_SECONDS, TimeUnit.SECONDS)));
        }

        BlockingQueue<Integer> told = new LinkedBlockingQueue<>();
        try (var a = new SharedCount(curator(), root + "/count", 7); var b = new SharedCount(curator(), root + "/count", 7)) {
            a.start();
            b.start();
            b.addListener(new SharedCountListener() {
                @Override
                public void countHasChanged(SharedCountReader count, int value) {
                    told.add(value);
                }

                @Override
                public void stateChanged(CuratorFramework client, ConnectionState state) {}
            });
            assertEquals(7, b.getCount());
            var stale = b.getVersionedValue();
            a.setCount(8);
            assertEquals(8, told.poll(PATIENCE_SECONDS, TimeUnit.SECONDS));
            assertFalse(b.trySetCount(stale, 9));
            assertTrue(b.trySetCount(b.getVersionedValue(), 9));
            eventually("nine", () -> a.getCount() == 9);
        }
    }

    @Test
    @SuppressWarnings("deprecation") // many programs still use them
    void oldCaches() throws Exception {
        var paths = new org.apache.curator.framework.recipes.cache.PathChildrenCache(curator(), root, true);
        var node = new org.apache.curator.framework.recipes.cache.NodeCache(curator(), root + "/a");
        var tree = new org.apache.curator.framework.recipes.cache.TreeCache(curator(), root);
        try (paths; node; tree) {
            paths.start();
            node.start(true);
            tree.start();
            create(root + "/a", "1");
            create(root + "/a/deep", "2");
            eventually("the child", () -> paths.getCurrentData().size() == 1);
            eventually("the node", () -> node.getCurrentData() != null);
            eventually("the tree", () -> tree.getCurrentData(root + "/a/deep") != null);
            zk.setData(root + "/a", bytes("3"), -1);
            eventually("the change", () -> new String(node.getCurrentData().getData()).equals("3")
                && new String(paths.getCurrentData().get(0).getData()).equals("3")
                && new String(tree.getCurrentData(root + "/a").getData()).equals("3"));
            zk.delete(root + "/a/deep", -1);
            zk.delete(root + "/a", -1);
            eventually("the end", () -> node.getCurrentData() == null && paths.getCurrentData().isEmpty()
                && tree.getCurrentData(root + "/a") == null);
        }
    }

    @Test
    void persistentNodesAndMembers() throws Exception {
        try (var node = new PersistentNode(curator(), CreateMode.EPHEMERAL, false, root + "/mine", bytes("v"))) {
            node.start();
            assertTrue(node.waitForInitialCreate(PATIENCE_SECONDS, TimeUnit.SECONDS));
            zk.delete(root + "/mine", -1);
            eventually("made again", () -> zk.exists(root + "/mine", false) != null);
            node.setData(bytes("w"));
            eventually("set", () -> new String(zk.getData(root + "/mine", false, null)).equals("w"));
        }
        assertEquals(null, zk.exists(root + "/mine", false));
        try (var a = new GroupMember(curator(), root + "/group", "a"); var b = new GroupMember(curator(), root + "/group", "b")) {
            a.start();
            b.start();
            eventually("two members", () -> a.getCurrentMembers().size() == 2 && b.getCurrentMembers().size() == 2);
        }
    }

    @Test
    void persistentWatcher() throws Exception {
        Events events = new Events();
        try (var watcher = new PersistentWatcher(curator(), root, true)) {
            CountDownLatch set = new CountDownLatch(1);
            watcher.getResetListenable().addListener(set::countDown);
            watcher.getListenable().addListener(events);
            watcher.start();
            assertTrue(set.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
            create(root + "/a");
            create(root + "/a/b");
            zk.setData(root + "/a/b", null, -1);
            zk.delete(root + "/a/b", -1);
            events.assertNext("NodeCreated " + root + "/a", "NodeCreated " + root + "/a/b",
                "NodeDataChanged " + root + "/a/b", "NodeDeleted " + root + "/a/b");
        }
    }

    @Test
    void serviceDiscovery() throws Exception {
        CuratorFramework leaving = curator();
        List<ServiceDiscovery<Void>> open = new ArrayList<>();
        for (int port : new int[] {81, 82}) {
            var instance = ServiceInstance.<Void>builder().name("web").address("127.0.0.1").port(port).build();
            var discovery = ServiceDiscoveryBuilder.builder(Void.class).client(port == 81 ? leaving : curator())
                .basePath(root + "/services").thisInstance(instance).build();
            discovery.start();
            open.add(discovery);
        }
        var reader = ServiceDiscoveryBuilder.builder(Void.class).client(curator()).basePath(root + "/services").build();
        reader.start();
        open.add(reader);
        assertEquals(List.of("web"), List.copyOf(reader.queryForNames()));
        assertEquals(2, reader.queryForInstances("web").size());
        try (var provider = reader.serviceProviderBuilder().serviceName("web").build()) {
            provider.start();
            eventually("both offered", () -> provider.getAllInstances().size() == 2);
            leaving.close(); // its instance goes with its session
            eventually("one left", () -> provider.getAllInstances().size() == 1);
            assertEquals(82, provider.getInstance().getPort());
        }
        open.get(1).close();
        reader.close();
    }
}
