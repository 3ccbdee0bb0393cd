import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.callback.PasswordCallback;
import javax.security.sasl.AuthorizeCallback;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslException;
import javax.security.sasl.SaslServer;

/**
 * Sends digest-responses, right ones and such that are a little wrong, through the JDK's own DIGEST-MD5
 * server, and prints what it made of them. Arguments: seed, count. First come lines "user NAME PASSWORD",
 * then lines "NONCE TOKEN OUTCOME"; all but OUTCOME is in hexadecimal. OUTCOME is the answer, "fail", or
 * "abort" for an exception that is no SaslException.
 */
public final class Mechanism {
    private static final String REALM = "zk-sasl-md5";
    private static final String URI = "zookeeper/zk-sasl-md5";
    private static final String[] USERS = {"bob", "secret", "", "", "jörg", "pässwörd", "名前", "パス", "é", "名", "q\"u\\o", "te,=\t", "a b", "c d", "super", "s"};

    private final Random random;
    private String nonce;

    private Mechanism(Random random) {
        this.random = random;
    }

    public static void main(String[] args) throws Exception {
        Random random = new Random(Long.parseLong(args[0]));
        Map<String, String> passwords = new HashMap<>();
        for (int i = 0; i < USERS.length; i += 2) {
            passwords.put(USERS[i], USERS[i + 1]);
            System.out.println("user " + hex(USERS[i]) + " " + hex(USERS[i + 1]));
        }
        for (int i = 0; i < Integer.parseInt(args[1]); i++) {
            SaslServer server = Sasl.createSaslServer("DIGEST-MD5", "zookeeper", REALM, null, callbacks -> answer(callbacks, passwords));
            String challenge = new String(server.evaluateResponse(new byte[0]), StandardCharsets.UTF_8);
            Mechanism m = new Mechanism(random);
            m.nonce = challenge.replaceAll(".*nonce=\"([^\"]*)\".*", "$1");
            byte[] token = m.token();
            String outcome;
            try {
                outcome = new String(server.evaluateResponse(token), StandardCharsets.UTF_8);
            } catch (SaslException e) {
                outcome = "fail";
            } catch (RuntimeException e) {
                outcome = "abort";
            }
            System.out.println(hex(m.nonce) + " " + HexFormat.of().formatHex(token) + " " + outcome);
        }
    }

    /** Answers as ZooKeeper's SaslServerCallbackHandler does. */
    private static void answer(Callback[] callbacks, Map<String, String> passwords) {
        String user = null;
        for (Callback c : callbacks) {
            if (c instanceof NameCallback name) {
                user = name.getDefaultName();
            } else if (c instanceof PasswordCallback password && passwords.containsKey(user)) {
                password.setPassword(passwords.get(user).toCharArray());
            } else if (c instanceof AuthorizeCallback authorize) {
                authorize.setAuthorized(true);
                authorize.setAuthorizedID(authorize.getAuthenticationID());
            }
        }
    }

    private boolean oneIn(int n) {
        return random.nextInt(n) == 0;
    }

    private String pick(String... of) {
        return of[random.nextInt(of.length)];
    }

    private byte[] token() throws Exception {
        int u = random.nextInt(USERS.length / 2) * 2;
        String user = oneIn(20) ? "nobody" : USERS[u];
        String password = oneIn(12) ? "wrong" : USERS[u + 1];
        String realm = oneIn(20) ? pick("", "ZK-SASL-MD5", "other", REALM + " ") : REALM;
        String sent = oneIn(20) ? pick("", nonce.substring(1), nonce + "x", nonce.toLowerCase()) : nonce;
        String cnonce = oneIn(8) ? pick("", "x", "a\"b\\c", "\u00e9") : "cnonce" + random.nextInt(1000);
        String uri = oneIn(6) ? pick(URI.toUpperCase(), "ZooKeeper/zk-sasl-md5", "zookeeper/*", "zookeeper/other", "", URI + "/x", URI + " ") : URI;
        String qop = oneIn(10) ? pick("auth-int", "auth-conf", "", "AUTH", "auth,auth-int", "token") : "auth";
        String authzid = oneIn(3) ? pick("", user, "super", "x\"y") : null;
        String hashed = oneIn(15) ? pick("zk-sasl-md5", "a", "") : qop;

        List<String> d = new ArrayList<>();
        d.add("username=" + quoted(user));
        d.add("realm=" + quoted(realm));
        d.add("nonce=" + quoted(sent));
        d.add("cnonce=" + quoted(cnonce));
        d.add("nc=" + (oneIn(6) ? pick("00000002", "x", "1", "") : "00000001"));
        d.add("qop=" + (oneIn(8) ? quoted(qop) : qop));
        d.add("digest-uri=" + quoted(uri));
        String response = response(user, realm, password, cnonce, uri, hashed, authzid);
        if (oneIn(25)) {
            response = pick(response.toUpperCase(), response.substring(1), "", response + " x=y");
        }
        d.add("response=" + (oneIn(8) ? quoted(response) : response));
        d.add("charset=" + (oneIn(12) ? pick("UTF-8", "iso-8859-1", "", "\"utf-8\"") : "utf-8"));
        if (authzid != null) {
            d.add("authzid=" + quoted(authzid));
        }
        if (oneIn(4)) {
            d.add("maxbuf=" + pick("65536", "1", "-1", "+5", "0", "x", "", "99999999999", "1.5", "\"7\""));
        }
        if (oneIn(8)) {
            d.add("nonce-count=" + pick("00000001", "1", "+1", "2", "g", "", "ffffffff", "80000000", "-1"));
        }
        if (oneIn(8)) {
            d.add(pick("cipher=rc4", "x=y", "algorithm=md5-sess", "stale=true", "charset", "x", "x=\"", "=x", "x=\"y\"z", "x y", "x =y", "x= y", "x=y z=1", "x=\"\\", "é=ü", "x=\"a\\\"b\"", "username=eve"));
        }
        return text(d).getBytes(StandardCharsets.UTF_8);
    }

    /** Puts directives together, not always in order, not always all of them, not always with one comma. */
    private String text(List<String> d) {
        if (oneIn(2)) {
            Collections.shuffle(d, random);
        }
        if (oneIn(12)) {
            d.remove(random.nextInt(d.size()));
        }
        StringBuilder b = new StringBuilder(oneIn(10) ? pick(" ", ",", "\t\r\n", ", ,", "=") : "");
        for (int i = 0; i < d.size(); i++) {
            String one = d.get(i);
            if (oneIn(12)) {
                int cut = one.indexOf('=');
                one = cut < 0 ? one : one.substring(0, cut).toUpperCase() + one.substring(cut);
            }
            if (oneIn(20)) {
                one = one.replaceFirst("=", pick(" =", "= ", " = ", "\t=\r\n", "=="));
            }
            b.append(i == 0 ? "" : oneIn(6) ? pick(", ", " ", " ,", ",,", "\r\n", "\t", ",,, ") : ",").append(one);
        }
        return b.append(oneIn(10) ? pick(" ", ",", ",,", "\n", "=", "\"", "x", "\u0000") : "").toString();
    }

    private String quoted(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\' || oneIn(80)) {
                b.append('\\');
            }
            b.append(c);
        }
        return oneIn(40) ? s : b.append(oneIn(60) ? "" : "\"").toString();
    }

    private String response(String user, String realm, String password, String cnonce, String uri, String qop, String authzid) throws Exception {
        ByteArrayOutputStream first = new ByteArrayOutputStream();
        first.write(md5(latin(user), ":", latin(realm), ":", latin(password)));
        first.write((":" + nonce + ":" + cnonce + (authzid == null ? "" : ":" + authzid)).getBytes(StandardCharsets.UTF_8));
        String layer = qop.equals("auth-int") || qop.equals("auth-conf") ? ":00000000000000000000000000000000" : "";
        String last = HexFormat.of().formatHex(md5("AUTHENTICATE:" + uri + layer));
        return HexFormat.of().formatHex(md5(HexFormat.of().formatHex(md5(first.toByteArray())) + ":" + nonce + ":00000001:" + cnonce + ":" + qop + ":" + last));
    }

    private static byte[] latin(String s) {
        boolean fits = s.chars().allMatch(c -> c <= 0xff);
        return s.getBytes(fits ? StandardCharsets.ISO_8859_1 : StandardCharsets.UTF_8);
    }

    private static byte[] md5(Object... parts) throws Exception {
        MessageDigest md5 = MessageDigest.getInstance("MD5");
        for (Object p : parts) {
            md5.update(p instanceof byte[] b ? b : p.toString().getBytes(StandardCharsets.UTF_8));
        }
        return md5.digest();
    }

    private static String hex(String s) {
        return HexFormat.of().formatHex(s.getBytes(StandardCharsets.UTF_8));
    }
}
