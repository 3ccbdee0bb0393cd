package compat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.junit.jupiter.api.Test;

/** A client whose root is a znode. */
class ChrootTest extends Base {
    @Test
    void pathsAreRelative() throws Exception {
        ZooKeeper client = connect(setting("zk.hosts") + root, 10_000, new Events());
        assertEquals("/a", client.create("/a", bytes("v"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        assertArrayEquals(bytes("v"), zk.getData(root + "/a", false, null));
        assertEquals("/s0000000001", client.create("/s", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL));
        assertEquals(2, client.getChildren("/", false).size());
        assertEquals(2, client.getAllChildrenNumber("/"));
        List<OpResult> results = client.multi(List.of(
            Op.create("/m", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), Op.check("/a", 0)));
        // This client does not strip the chroot from the results of a multi.
        assertEquals(root + "/m", ((OpResult.CreateResult) results.get(0)).getPath());
        client.delete("/a", -1);
        client.sync("/");
    }

    @Test
    void eventsAreRelative() throws Exception {
        ZooKeeper client = connect(setting("zk.hosts") + root, 10_000, new Events());
        Events events = new Events();
        Events recursive = new Events();
        client.exists("/a", events);
        client.getChildren("/", events);
        client.addWatch("/", recursive, AddWatchMode.PERSISTENT_RECURSIVE);
        create(root + "/a");
        events.assertNext("NodeCreated /a", "NodeChildrenChanged /");
        recursive.assertNext("NodeCreated /a");
    }

    @Test
    void missingRoot() throws Exception {
        ZooKeeper client = connect(setting("zk.hosts") + root + "/none", 10_000, new Events());
        assertFails(Code.NONODE, () -> client.create("/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        create(root + "/none");
        client.create("/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        assertNotNull(zk.exists(root + "/none/a", false));
    }
}
