import java.util.concurrent.CountDownLatch;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/** Counts up a znode of its own through one server until its standard input ends; then says what was acknowledged. */
public class Worker {
    public static void main(String[] args) throws Exception {
        String path = args[1];
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(args[0], 60000, e -> {
            if (e.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        connected.await();
        zk.create(path, "0".getBytes(), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create(path + "/alive", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        long acked = 0;
        long sent = 0;
        int lost = 0;
        System.out.println("working");
        while (System.in.available() == 0) {
            sent++;
            try {
                zk.setData(path, Long.toString(sent).getBytes(), -1);
                acked = sent;
            } catch (KeeperException.ConnectionLossException e) {
                lost++;
            }
            Thread.sleep(20);
        }
        System.out.println("acked=" + acked + " sent=" + sent + " lost=" + lost);
        zk.close();
    }
}
