import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.URIParameter;
import java.util.HexFormat;
import java.util.Random;
import java.util.TreeMap;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.Configuration;

/**
 * Makes random texts of JAAS files and prints what the JDK reads in them. Arguments: seed, count. A line has
 * the text in hexadecimal and "error", or the sections among NAMES: NAME{CLASS,FLAG,KEY=VALUE,...;...}, all in
 * hexadecimal but the flag. The properties a.b and empty are set.
 */
public final class Jaas {
    private static final String[] NAMES = {"A", "B", "Server", "x-y", "a b", "$_*", "ü", "", "a.b"};
    private static final String[] PIECES = {
        "\"", "'", "\\", "/", "//", "/*", "*/", "*", "{", "}", ";", "=", ",", "\n", "\r\n", "\r", "\t", " ", "#", "@", "-", "-x", "-1", ".5", "12", "1e", "x1", "x-1.2",
        "\\n", "\\t", "\\\"", "\\\\", "\\101", "\\7", "\\400", "\\x", "\\\n", "${a.b}", "${empty}", "${nosuch}", "${/}", "${{x}}", "${{x", "${a.b", "$", "${}", "\u00e9", "\u0085",
        "\u00a0", "名", "\ud83d\ude00", "user_a=\"b\"", "user_b=c", "required", "Optional", "com.example.Module", ":", "\u0000", "\u007f", "_",
    };

    private final Random random;

    private Jaas(Random random) {
        this.random = random;
    }

    public static void main(String[] args) throws Exception {
        System.setProperty("a.b", "value$\\");
        System.setProperty("empty", "");
        Jaas jaas = new Jaas(new Random(Long.parseLong(args[0])));
        Path file = Files.createTempFile("jaas", ".conf");
        try {
            for (int i = 0; i < Integer.parseInt(args[1]); i++) {
                String text = jaas.file();
                Files.write(file, text.getBytes(StandardCharsets.UTF_8));
                System.out.println(hex(text) + " " + read(file));
            }
        } finally {
            Files.delete(file);
        }
    }

    private static String read(Path file) {
        Configuration c;
        try {
            c = Configuration.getInstance("JavaLoginConfig", new URIParameter(file.toUri()));
        } catch (Exception e) {
            return "error";
        }
        StringBuilder b = new StringBuilder("ok");
        for (String name : NAMES) {
            AppConfigurationEntry[] entries = c.getAppConfigurationEntry(name);
            if (entries == null) {
                continue;
            }
            b.append(' ').append(hex(name)).append('{');
            for (AppConfigurationEntry e : entries) {
                String flag = e.getControlFlag().toString();
                b.append(hex(e.getLoginModuleName())).append(',').append(flag.substring(flag.lastIndexOf(' ') + 1));
                new TreeMap<>(e.getOptions()).forEach((k, v) -> b.append(',').append(hex(k)).append('=').append(hex(v.toString())));
                b.append(';');
            }
            b.append('}');
        }
        return b.toString();
    }

    private boolean oneIn(int n) {
        return random.nextInt(n) == 0;
    }

    private String pick(String... of) {
        return of[random.nextInt(of.length)];
    }

    /** A file that is nearly right. */
    private String file() {
        StringBuilder b = new StringBuilder();
        for (int n = random.nextInt(4); n > 0; n--) {
            b.append(gap()).append(name()).append(gap()).append(oneIn(40) ? "" : "{");
            for (int m = oneIn(8) ? 0 : 1 + random.nextInt(2); m > 0; m--) {
                b.append(gap()).append(pick("org.apache.M", "\"a b\"", "a$B", "m")).append(' ');
                b.append(pick("required", "OPTIONAL", "Sufficient", "requisite", "\"required\"", oneIn(10) ? "maybe" : "required"));
                for (int o = random.nextInt(4); o > 0; o--) {
                    b.append(oneIn(60) ? "," : " ").append(gap()).append(key()).append(gap()).append(oneIn(60) ? "" : "=").append(gap()).append(value());
                }
                b.append(gap()).append(oneIn(60) ? "" : ";");
            }
            b.append(gap()).append(oneIn(60) ? "" : "}").append(gap()).append(oneIn(60) ? "" : ";");
        }
        b.append(gap());
        while (oneIn(6)) { // and now some damage
            b.insert(random.nextInt(b.length() + 1), pick(PIECES));
        }
        return b.toString();
    }

    private String gap() {
        return oneIn(4) ? pick(" ", "\n", "\t", "// x\n", "/* x \n */", "/ x\n", " /**/ ", "\r\n", "/***/", "//\r", "/*//*/", "") : "";
    }

    private String name() {
        return pick("A", "B", "Server", "\"a b\"", "x-y", "$_*", "\u00fc", "\"\"", "a.b", oneIn(6) ? pick("'A'", "7", ";", "-", "{", "1.5.2") : "B2");
    }

    private String key() {
        return pick("user_a", "user_b", "\"user_c d\"", "useKeyTab", "x", oneIn(20) ? pick("1", "'x'", "a@b", "-") : "k.1");
    }

    private String value() {
        if (oneIn(3)) {
            return pick("true", "plain-1", "$x", oneIn(10) ? "5" : "v5", oneIn(10) ? "'q'" : "q", oneIn(8) ? "a/b" : "ab");
        }
        StringBuilder b = new StringBuilder("\"");
        for (int n = random.nextInt(4); n > 0; n--) {
            b.append(oneIn(2) ? "p4ss" : pick(PIECES).replace("\"", oneIn(8) ? "\"" : "\\\""));
        }
        return b.append('"').toString();
    }

    private static String hex(String s) {
        return HexFormat.of().formatHex(s.getBytes(StandardCharsets.UTF_8));
    }
}
