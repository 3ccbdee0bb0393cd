package compat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;
import org.junit.jupiter.api.Test;

/** Curator's recipes in everyday use. */
class CuratorTest extends CuratorBase {
    @Test
    void mutexExcludes() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger total = new AtomicInteger();
        List<Future<?>> work = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            CuratorFramework client = curator();
            work.add(pool.submit(() -> {
                InterProcessMutex mutex = new InterProcessMutex(client, root + "/lock");
                for (int j = 0; j < 10; j++) {
                    assertTrue(mutex.acquire(60, TimeUnit.SECONDS));
                    assertEquals(1, inside.incrementAndGet());
                    total.incrementAndGet();
                    inside.decrementAndGet();
                    mutex.release();
                }
                return null;
            }));
        }
        for (Future<?> each : work) {
            each.get(90, TimeUnit.SECONDS);
        }
        assertEquals(40, total.get());
    }

    @Test
    void mutexIsReentrantAndPassesOn() throws Exception {
        CuratorFramework first = curator();
        InterProcessMutex a = new InterProcessMutex(first, root + "/lock");
        InterProcessMutex b = new InterProcessMutex(curator(), root + "/lock");
        a.acquire();
        a.acquire();
        assertFalse(b.acquire(50, TimeUnit.MILLISECONDS));
        a.release();
        assertTrue(a.isAcquiredInThisProcess());
        Future<Boolean> waiting = pool.submit(() -> b.acquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
        eventually("two in the queue", () -> a.getParticipantNodes().size() == 2);
        first.close(); // the holder dies
        assertTrue(waiting.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    }

    /** Curator makes the lock's parent a container. */
    @Test
    void theLocksNodeGoesWhenUnused() throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(curator(), root + "/lock");
        mutex.acquire();
        assertNotNull(zk.exists(root + "/lock", false));
        mutex.release();
        eventually("container deleted", () -> zk.exists(root + "/lock", false) == null);
    }

    @Test
    void mutexSurvivesARestart() throws Exception {
        CuratorFramework client = curator(setting("zk.restart.hosts"));
        InterProcessMutex mutex = new InterProcessMutex(client, root + "/lock");
        mutex.acquire();
        control("restart");
        assertTrue(mutex.isAcquiredInThisProcess());
        assertEquals(1, mutex.getParticipantNodes().size());
        mutex.release();
        InterProcessMutex other = new InterProcessMutex(curator(setting("zk.restart.hosts")), root + "/lock");
        assertTrue(other.acquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
        other.release();
    }

    @Test
    void readWriteLockAndSemaphore() throws Exception {
        var a = new InterProcessReadWriteLock(curator(), root + "/rw");
        var b = new InterProcessReadWriteLock(curator(), root + "/rw");
        a.readLock().acquire();
        assertTrue(b.readLock().acquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
        b.readLock().release();
        assertFalse(b.writeLock().acquire(50, TimeUnit.MILLISECONDS));
        a.readLock().release();
        assertTrue(b.writeLock().acquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
        b.writeLock().release();

        var semaphore = new InterProcessSemaphoreV2(curator(), root + "/sem", 2);
        var one = semaphore.acquire();
        var two = semaphore.acquire();
        assertNull(semaphore.acquire(50, TimeUnit.MILLISECONDS));
        semaphore.returnLease(one);
        assertNotNull(semaphore.acquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
        semaphore.returnLease(two);
    }

    @Test
    void leaderLatch() throws Exception {
        LeaderLatch a = new LeaderLatch(curator(), root + "/latch", "a");
        LeaderLatch b = new LeaderLatch(curator(), root + "/latch", "b");
        a.start();
        assertTrue(a.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
        b.start();
        eventually("both take part", () -> a.getParticipants().size() == 2);
        assertFalse(b.hasLeadership());
        a.close();
        assertTrue(b.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
        b.close();
    }

    /** CuratorCache stands on one persistent recursive watch. */
    @Test
    void cache() throws Exception {
        create(root + "/a", "1");
        try (CuratorCache cache = CuratorCache.build(curator(), root)) {
            var initialized = new CompletableFuture<Void>();
            cache.listenable().addListener(CuratorCacheListener.builder().forInitialized(() -> initialized.complete(null)).build());
            cache.start();
            initialized.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            assertEquals(2, cache.size());
            create(root + "/b", "2");
            zk.setData(root + "/a", bytes("3"), -1);
            eventually("both in the cache", () -> cache.get(root + "/b").isPresent()
                && new String(cache.get(root + "/a").get().getData()).equals("3"));
            zk.delete(root + "/a", -1);
            eventually("deleted from the cache", () -> cache.get(root + "/a").isEmpty());
        }
    }

    @Test
    void atomicLongAndTtlNode() throws Exception {
        var value = new DistributedAtomicLong(curator(), root + "/n", new RetryOneTime(1));
        assertTrue(value.add(40L).succeeded());
        assertEquals(42L, value.add(2L).postValue());
        try (PersistentTtlNode node = new PersistentTtlNode(curator(), root + "/ttl", 400, bytes("v"))) {
            node.start();
            assertTrue(node.waitForInitialCreate(PATIENCE_SECONDS, TimeUnit.SECONDS));
            assertNotNull(zk.exists(root + "/ttl", false));
        }
        eventually("TTL node gone", () -> zk.exists(root + "/ttl", false) == null);
    }

    @Test
    void transactionsAndNamespaces() throws Exception {
        CuratorFramework client = curator().usingNamespace(root.substring(1));
        client.create().creatingParentsIfNeeded().withMode(CreateMode.PERSISTENT).forPath("/x/y", bytes("v"));
        assertNotNull(zk.exists(root + "/x/y", false));
        var results = client.transaction().forOperations(
            client.transactionOp().create().forPath("/x/z"),
            client.transactionOp().setData().forPath("/x/y", bytes("w")));
        assertEquals(2, results.size());
        client.delete().deletingChildrenIfNeeded().forPath("/x");
        assertEquals(List.of(), zk.getChildren(root, false));
    }
}
