package compat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/**
 * What the tests share: clients that are closed in the end, a znode of the test's own, waiting for
 * conditions and the strings of the server (package compat/control). Nothing sleeps for its own sake.
 */
@Timeout(120)
abstract class Base {
    /** How long anything may take on a loaded machine; only a failure waits this long. */
    static final int PATIENCE_SECONDS = 20;

    private final List<ZooKeeper> clients = new ArrayList<>();
    private boolean broken;

    /** A client that does nothing special. */
    ZooKeeper zk;
    /** A znode that exists for this test alone. */
    String root;

    static String setting(String name) {
        String value = System.getProperty(name, "");
        Assumptions.assumeFalse(value.isEmpty(), "needs -D" + name);
        return value;
    }

    @BeforeEach
    void open(TestInfo test) throws Exception {
        zk = connect();
        String name = test.getTestClass().get().getSimpleName() + "-" + test.getTestMethod().get().getName();
        root = zk.create("/java-" + name + "-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
    }

    @AfterEach
    void close() throws Exception {
        if (broken) {
            control("up");
            control("heal");
        }
        ZooKeeper cleaner = connect();
        if (!System.getProperty("zk.super", "").isEmpty()) {
            cleaner.addAuthInfo("digest", bytes("super:" + setting("zk.super")));
        }
        if (root != null) {
            deleteTree(cleaner);
        }
        for (ZooKeeper client : clients) {
            client.close();
        }
    }

    /** Deletes what a test has made. The server may delete an empty container meanwhile, and then the list is old. */
    private void deleteTree(ZooKeeper cleaner) throws Exception {
        for (int tries = 0; cleaner.exists(root, false) != null; tries++) {
            try {
                ZKUtil.deleteRecursive(cleaner, root);
            } catch (KeeperException.NoNodeException e) {
                if (tries == 10) {
                    throw e;
                }
            }
        }
    }

    /** Connects to the server itself. */
    ZooKeeper connect() throws Exception {
        return connect(setting("zk.hosts"), 10_000, new Events());
    }

    /** Connects through the proxy, whose connections the test may cut. */
    ZooKeeper connectThroughProxy(int timeoutMillis, Events events) throws Exception {
        return connect(setting("zk.proxy"), timeoutMillis, events);
    }

    /** Connects so that the client lives through a restart of the server. */
    ZooKeeper connectForRestart(Events events) throws Exception {
        return connect(setting("zk.restart.hosts"), 30_000, events);
    }

    ZooKeeper connect(String hosts, int timeoutMillis, Events events) throws Exception {
        return connect(events, watcher -> new ZooKeeper(hosts, timeoutMillis, watcher));
    }

    /** Makes a client with settings of its own. */
    interface Opener {
        ZooKeeper open(Watcher watcher) throws Exception;
    }

    ZooKeeper connect(Events events, Opener opener) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = opener.open(event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
            events.process(event);
        });
        clients.add(client);
        assertTrue(connected.await(PATIENCE_SECONDS, TimeUnit.SECONDS), "connected");
        assertEquals("state SyncConnected", events.next());
        return client;
    }

    /** Asks the control port; answered when done. */
    void control(String action) throws Exception {
        broken = true;
        HttpResponse<String> response = HttpClient.newHttpClient().send(
            HttpRequest.newBuilder(URI.create(setting("zk.control") + "/" + action))
                .POST(HttpRequest.BodyPublishers.noBody()).build(),
            HttpResponse.BodyHandlers.ofString());
        assertEquals(200, response.statusCode(), response.body());
    }

    String create(String path) throws Exception {
        return create(path, "");
    }

    String create(String path, String data) throws Exception {
        return zk.create(path, bytes(data), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    static void assertFails(KeeperException.Code code, Executable call) {
        assertEquals(code, assertThrows(KeeperException.class, call).code());
    }

    /** Waits until the condition is true. */
    static void eventually(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.call()) {
            assertTrue(System.nanoTime() < end, "not in time: " + what);
            Thread.sleep(10);
        }
    }

    /** Waits for something that fails while the connection is away. */
    static <T> T retry(Callable<T> call) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (true) {
            try {
                return call.call();
            } catch (KeeperException.ConnectionLossException e) {
                assertTrue(System.nanoTime() < end, "no connection");
                Thread.sleep(10);
            }
        }
    }

    /** Waits until all events that came before now have been delivered to the client's watchers. */
    static void drain(ZooKeeper client) throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        client.sync("/", (rc, path, ctx) -> done.countDown(), null);
        assertTrue(done.await(PATIENCE_SECONDS, TimeUnit.SECONDS), "sync");
    }

    /** A watcher that keeps its events, as "type path" or "state name". */
    static final class Events implements Watcher {
        private final BlockingQueue<String> events = new LinkedBlockingQueue<>();

        @Override
        public void process(WatchedEvent event) {
            events.add(event.getType() == Event.EventType.None
                ? "state " + event.getState()
                : event.getType() + " " + event.getPath());
        }

        /** The next event; waits for it. */
        String next() throws InterruptedException {
            String event = events.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            return event == null ? "no event within " + PATIENCE_SECONDS + " s" : event;
        }

        /** Waits for this event and drops all before it. */
        void await(String event) throws InterruptedException {
            List<String> seen = new ArrayList<>();
            while (true) {
                String next = next();
                if (next.equals(event)) {
                    return;
                }
                seen.add(next);
                assertTrue(!next.startsWith("no event"), event + " not in " + seen);
            }
        }

        void assertNext(String... expected) throws InterruptedException {
            for (String event : expected) {
                assertEquals(event, next());
            }
        }

        /** No event is left, also none under way. */
        void assertNoMore(ZooKeeper client) throws Exception {
            drain(client);
            assertEquals(List.of(), List.copyOf(events));
        }
    }
}
