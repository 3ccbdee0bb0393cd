package compat;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryForever;
import org.junit.jupiter.api.AfterEach;

/** Curator's clients, closed in the end, and threads for those that wait. */
abstract class CuratorBase extends Base {
    private final List<CuratorFramework> frameworks = new ArrayList<>();
    final ExecutorService pool = Executors.newCachedThreadPool();

    CuratorFramework curator() throws Exception {
        return curator(setting("zk.hosts"));
    }

    CuratorFramework curator(String hosts) throws Exception {
        return curator(hosts, 15_000);
    }

    CuratorFramework curator(String hosts, int sessionMillis) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder()
            .connectString(hosts).sessionTimeoutMs(sessionMillis).connectionTimeoutMs(10_000)
            .retryPolicy(new RetryForever(50)).build();
        frameworks.add(client);
        client.start();
        assertTrue(client.blockUntilConnected(PATIENCE_SECONDS, TimeUnit.SECONDS));
        return client;
    }

    @AfterEach
    void closeFrameworks() throws Exception {
        pool.shutdownNow();
        // Closing waits for the server.
        control("up");
        control("heal");
        frameworks.forEach(CuratorFramework::close);
    }
}
