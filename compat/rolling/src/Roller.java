import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/**
 * Two Curator clients: each holds an ephemeral, and in turn takes one lock with the other, counts up under it, and
 * makes a sequence node. Ends with its standard input and says what was acknowledged.
 */
public class Roller {
    static final AtomicInteger ACKED = new AtomicInteger();
    static final AtomicInteger UNSURE = new AtomicInteger();
    static final AtomicInteger EXPIRED = new AtomicInteger();
    static final List<String> MADE = Collections.synchronizedList(new ArrayList<>());
    static volatile boolean ending;

    static CuratorFramework connect(String hosts, String root, int number) throws Exception {
        CuratorFramework zk = CuratorFrameworkFactory.builder().connectString(hosts).sessionTimeoutMs(20000)
                .connectionTimeoutMs(15000).retryPolicy(new RetryForever(200)).build();
        zk.getConnectionStateListenable().addListener((c, state) -> {
            if (state == ConnectionState.LOST) {
                EXPIRED.incrementAndGet();
            }
        });
        zk.start();
        zk.blockUntilConnected();
        zk.create().withMode(CreateMode.EPHEMERAL).forPath(root + "/alive-" + number, new byte[0]);
        return zk;
    }

    /**
     * Takes the lock. Curator 5.9 can forget the path of a create that a server which was stopped has left without an
     * answer, and fails over it; its node, which would hold the lock for ever, is found by its owner and deleted.
     */
    static boolean acquire(CuratorFramework zk, InterProcessMutex lock, String root) throws Exception {
        try {
            return lock.acquire(60, TimeUnit.SECONDS);
        } catch (NullPointerException e) {
            long me = zk.getZookeeperClient().getZooKeeper().getSessionId();
            for (String name : zk.getChildren().forPath(root + "/lock")) {
                Stat stat = zk.checkExists().forPath(root + "/lock/" + name);
                if (stat != null && stat.getEphemeralOwner() == me) {
                    zk.delete().forPath(root + "/lock/" + name);
                }
            }
            return false;
        }
    }

    static void work(CuratorFramework zk, String root) {
        InterProcessMutex lock = new InterProcessMutex(zk, root + "/lock");
        try {
            while (!ending) {
                if (!acquire(zk, lock, root)) {
                    continue;
                }
                try {
                    int n = Integer.parseInt(new String(zk.getData().forPath(root + "/count"), StandardCharsets.UTF_8));
                    // Without a version: a lock that two hold loses an increment. Written again where the answer was
                    // lost, which does no harm under the lock.
                    zk.setData().forPath(root + "/count", Integer.toString(n + 1).getBytes(StandardCharsets.UTF_8));
                    ACKED.incrementAndGet();
                } finally {
                    lock.release();
                }
                try {
                    MADE.add(zk.getZookeeperClient().getZooKeeper().create(root + "/seq/n-", new byte[0],
                            org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL));
                } catch (KeeperException.ConnectionLossException e) {
                    UNSURE.incrementAndGet();
                }
            }
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    public static void main(String[] args) throws Exception {
        String hosts = args[0];
        String root = args[1];
        CuratorFramework first = CuratorFrameworkFactory.newClient(hosts, new RetryOneTime(1000));
        first.start();
        first.create().creatingParentsIfNeeded().forPath(root + "/count", "0".getBytes(StandardCharsets.UTF_8));
        first.create().forPath(root + "/seq", new byte[0]);
        first.close();
        List<Thread> threads = new ArrayList<>();
        List<CuratorFramework> clients = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            CuratorFramework zk = connect(hosts, root, i);
            clients.add(zk);
            Thread t = new Thread(() -> work(zk, root));
            threads.add(t);
            t.start();
        }
        System.out.println("working");
        while (System.in.available() == 0) {
            Thread.sleep(50);
        }
        ending = true;
        for (Thread t : threads) {
            t.join();
        }
        CuratorFramework zk = clients.get(0);
        zk.sync().forPath(root);
        String count = new String(zk.getData().forPath(root + "/count"), StandardCharsets.UTF_8);
        List<String> there = zk.getChildren().forPath(root + "/seq");
        int missing = 0;
        for (String path : MADE) {
            if (!there.contains(path.substring(path.lastIndexOf('/') + 1))) {
                missing++;
            }
        }
        int alive = 0;
        for (int i = 0; i < clients.size(); i++) {
            if (zk.checkExists().forPath(root + "/alive-" + i) != null) {
                alive++;
            }
        }
        System.out.printf("count=%s acked=%d made=%d missing=%d there=%d unsure=%d alive=%d expired=%d%n", count, ACKED.get(),
                MADE.size(), missing, there.size(), UNSURE.get(), alive, EXPIRED.get());
        for (CuratorFramework c : clients) {
            c.close();
        }
    }
}
