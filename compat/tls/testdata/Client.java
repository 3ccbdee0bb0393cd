import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ClientInfo;

/** Does a few things over TLS, as the system properties say, and tells who the server takes it for. */
public class Client {
    public static void main(String[] args) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        CountDownLatch changed = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(args[0], 20000, event -> {
            if (event.getState() == KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        if (!connected.await(60, TimeUnit.SECONDS)) {
            throw new IllegalStateException("not connected");
        }
        byte[] large = new byte[700000];
        String path = zk.create("/java", large, ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.EPHEMERAL_SEQUENTIAL);
        if (zk.getData(path, event -> changed.countDown(), null).length != large.length) {
            throw new IllegalStateException("other data");
        }
        zk.setData(path, "x".getBytes(), 0);
        if (!changed.await(20, TimeUnit.SECONDS)) {
            throw new IllegalStateException("no event");
        }
        List<ClientInfo> infos = zk.whoAmI();
        String x509 = infos.stream().filter(i -> i.getAuthScheme().equals("x509")).map(ClientInfo::getUser).collect(Collectors.joining());
        boolean ip = infos.stream().anyMatch(i -> i.getAuthScheme().equals("ip"));
        zk.close();
        System.out.println("java ok" + (ip ? " ip" : "") + " x509:" + x509);
    }
}
