import java.io.File;
import java.util.Arrays;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;

/** Reads each zoo.cfg below a folder as Apache ZooKeeper does and prints what came of it, one line a file. */
public class Read {
    public static void main(String[] args) throws Exception {
        File[] cases = new File(args[0]).listFiles();
        Arrays.sort(cases);
        for (File c : cases) {
            QuorumPeerConfig.setStandaloneEnabled(true);
            QuorumPeerConfig.setReconfigEnabled(false);
            String line;
            try {
                QuorumPeerConfig q = new QuorumPeerConfig();
                q.parse(new File(c, "zoo.cfg").getPath());
                line = "ok\t" + q.isDistributed() + "\t" + q.getPeerType() + "\t"
                    + (q.getClientPortAddress() == null ? -1 : q.getClientPortAddress().getPort()) + "\t"
                    + q.getQuorumVerifier().toString().replace('\n', ' ');
            } catch (Throwable e) {
                Throwable why = e.getCause() == null ? e : e.getCause();
                line = "refused\t" + why.toString().replace('\n', ' ');
            }
            System.out.println(c.getName() + "\t" + line);
        }
    }
}
