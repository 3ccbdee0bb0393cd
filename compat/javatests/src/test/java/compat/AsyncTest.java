package compat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AsyncCallback.Create2Callback;
import org.apache.zookeeper.AsyncCallback.StringCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;

/** The asynchronous calls; each future holds what the callback got. */
class AsyncTest extends Base {
    private static <T> T get(CompletableFuture<T> f) throws Exception {
        return f.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private static String show(int rc, Object value) {
        return Code.get(rc) + " " + value;
    }

    @Test
    void everyCall() throws Exception {
        var created = new CompletableFuture<String>();
        zk.create(root + "/a", bytes("v"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT,
            (StringCallback) (rc, path, ctx, name) -> created.complete(show(rc, name) + ctx), "!");
        assertEquals("OK " + root + "/a!", get(created));

        var created2 = new CompletableFuture<Stat>();
        zk.create(root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL,
            (Create2Callback) (rc, path, ctx, name, stat) -> {
                assertEquals(root + "/s-0000000001", name);
                created2.complete(stat);
            }, null);
        assertEquals(zk.getSessionId(), get(created2).getEphemeralOwner());

        var exists = new CompletableFuture<Stat>();
        zk.exists(root + "/a", false, (rc, path, ctx, stat) -> exists.complete(stat), null);
        var data = new CompletableFuture<byte[]>();
        zk.getData(root + "/a", false, (rc, path, ctx, bytes, stat) -> data.complete(bytes), null);
        var children = new CompletableFuture<List<String>>();
        zk.getChildren(root, false, (rc, path, ctx, names, stat) -> {
            assertEquals(2, stat.getNumChildren());
            children.complete(names);
        }, null);
        var set = new CompletableFuture<Stat>();
        zk.setData(root + "/a", bytes("w"), 0, (rc, path, ctx, stat) -> set.complete(stat), null);
        var acl = new CompletableFuture<Object>();
        zk.getACL(root + "/a", null, (rc, path, ctx, list, stat) -> acl.complete(list), null);
        var setAcl = new CompletableFuture<Stat>();
        zk.setACL(root + "/a", Ids.OPEN_ACL_UNSAFE, 0, (rc, path, ctx, stat) -> setAcl.complete(stat), null);
        var count = new CompletableFuture<Integer>();
        zk.getAllChildrenNumber(root, (rc, path, ctx, n) -> count.complete(n), null);
        var ephemerals = new CompletableFuture<List<String>>();
        zk.getEphemerals((rc, ctx, paths) -> ephemerals.complete(paths), null);
        var sync = new CompletableFuture<String>();
        zk.sync(root, (rc, path, ctx) -> sync.complete(show(rc, path)), null);
        var config = new CompletableFuture<Integer>();
        zk.getConfig(false, (rc, path, ctx, bytes, stat) -> config.complete(rc), null);
        var multi = new CompletableFuture<String>();
        zk.multi(List.of(Op.check(root + "/a", 1), Op.delete(root + "/a", 1)),
            (rc, path, ctx, results) -> multi.complete(show(rc, results.size())), null);
        var gone = new CompletableFuture<String>();
        zk.delete(root + "/a", -1, (rc, path, ctx) -> gone.complete(show(rc, path)), null);

        assertEquals(0, get(exists).getVersion());
        assertArrayEquals(bytes("v"), get(data));
        assertEquals(new TreeSet<>(List.of("a", "s-0000000001")), new TreeSet<>(get(children)));
        assertEquals(1, get(set).getVersion());
        assertEquals(Ids.OPEN_ACL_UNSAFE, get(acl));
        assertEquals(1, get(setAcl).getAversion());
        assertEquals(2, get(count));
        assertEquals(List.of(root + "/s-0000000001"), get(ephemerals));
        assertEquals("OK " + root, get(sync));
        assertEquals(0, get(config));
        assertEquals("OK 2", get(multi));
        assertEquals("NONODE " + root + "/a", get(gone));
    }

    @Test
    void callbacksKeepTheOrderOfTheCalls() throws Exception {
        create(root + "/a");
        int calls = 1000;
        List<String> order = new ArrayList<>();
        List<String> want = new ArrayList<>();
        CountDownLatch done = new CountDownLatch(2 * calls);
        for (int i = 0; i < calls; i++) {
            int n = i;
            want.add("set " + (n + 1));
            want.add("get " + (n + 1));
            zk.setData(root + "/a", bytes("" + i), -1, (rc, path, ctx, stat) -> {
                order.add("set " + stat.getVersion());
                done.countDown();
            }, null);
            zk.getData(root + "/a", false, (rc, path, ctx, data, stat) -> {
                order.add("get " + stat.getVersion());
                done.countDown();
            }, null);
        }
        assertTrue(done.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals(want, order);
    }

    @Test
    void errorsKeepTheirPlace() throws Exception {
        List<String> order = new ArrayList<>();
        CountDownLatch done = new CountDownLatch(4);
        StringCallback note = (rc, path, ctx, name) -> {
            order.add(show(rc, ctx));
            done.countDown();
        };
        zk.create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, note, 1);
        zk.create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, note, 2);
        zk.create(root + "/x/y", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, note, 3);
        zk.create(root + "/a/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, note, 4);
        assertTrue(done.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals(List.of("OK 1", "NODEEXISTS 2", "NONODE 3", "OK 4"), order);
    }
}
