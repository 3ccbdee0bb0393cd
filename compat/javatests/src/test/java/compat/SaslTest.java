package compat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.URIParameter;
import java.util.Collections;
import java.util.List;
import javax.security.auth.login.Configuration;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** SASL DIGEST-MD5 with a JAAS file, as applications of the Java client have it. */
class SaslTest extends Base {
    private static final List<ACL> BOBS = Collections.singletonList(new ACL(ZooDefs.Perms.ALL, new Id("sasl", "bob")));

    @TempDir
    static Path dir;

    @BeforeAll
    static void sections() throws Exception {
        String module = " { org.apache.zookeeper.server.auth.DigestLoginModule required username=";
        Path jaas = Files.writeString(dir.resolve("jaas.conf"),
            "Good" + module + "bob password=\"bob's secret\"; };\nWrong" + module + "bob password=other; };\nNobody" + module + "nobody password=x; };\n");
        Configuration.setConfiguration(Configuration.getInstance("JavaLoginConfig", new URIParameter(jaas.toUri())));
    }

    @AfterAll
    static void noSections() {
        Configuration.setConfiguration(null);
    }

    /** Connects with a section; in FIPS mode, which is the default, the client has no DIGEST-MD5. */
    private ZooKeeper connectAs(String section, String hosts, Events events) throws Exception {
        ZKClientConfig config = new ZKClientConfig();
        config.setProperty(ZKClientConfig.LOGIN_CONTEXT_NAME_KEY, section);
        config.setProperty("zookeeper.fips-mode", "false");
        return connect(events, watcher -> new ZooKeeper(setting(hosts), 10_000, watcher, config));
    }

    @Test
    void identity() throws Exception {
        Events events = new Events();
        ZooKeeper bob = connectAs("Good", "zk.hosts", events);
        assertEquals("state SaslAuthenticated", events.next());
        assertTrue(bob.whoAmI().stream().anyMatch(who -> who.getAuthScheme().equals("sasl") && who.getUser().equals("bob")));
        String path = bob.create(root + "/bob", bytes("x"), BOBS, CreateMode.PERSISTENT);
        assertEquals(BOBS, bob.getACL(path, new Stat()));
        bob.setData(path, bytes("y"), -1);
        assertFails(Code.NOAUTH, () -> zk.getData(path, false, null));
        bob.setACL(path, ZooDefs.Ids.CREATOR_ALL_ACL, -1);
        assertEquals(BOBS, bob.getACL(path, new Stat()));
    }

    @Test
    void afterReconnect() throws Exception {
        Events events = new Events();
        ZooKeeper bob = connectAs("Good", "zk.proxy", events);
        assertEquals("state SaslAuthenticated", events.next());
        String path = bob.create(root + "/bob", bytes("x"), BOBS, CreateMode.PERSISTENT);
        control("drop");
        assertEquals("state Disconnected", events.next());
        assertEquals("state SyncConnected", events.next());
        assertEquals("state SaslAuthenticated", events.next());
        bob.getData(path, false, null);
    }

    @Test
    void wrongPassword() throws Exception {
        for (String name : List.of("Wrong", "Nobody")) {
            Events events = new Events();
            ZooKeeper client = connectAs(name, "zk.hosts", events);
            events.await("state AuthFailed");
            assertFails(Code.AUTHFAILED, () -> client.getData(root, false, null));
        }
    }
}
