import com.nimbusds.jose.util.JSONObjectUtils;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.text.ParseException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * The canary's side of the protocol that drills/canaries/protocol.py describes: a token a line in, a verdict a line out.
 */
final class Canary {

    private static final int MOST_CHARACTERS = 200;
    // A shorter part of a token is no secret, and would hide ordinary words.
    private static final int SHORTEST_PART = 6;

    /** Throws for a token that it refuses. */
    interface Verifier {
        void verify(String token) throws Exception;
    }

    private final Map<String, String> arguments = new HashMap<>();
    private final Map<String, Object> settings;
    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    Canary(String[] given) throws IOException, GeneralSecurityException, ParseException {
        // One line, which is what the other side shows of a start that fails.
        Thread.currentThread().setUncaughtExceptionHandler((thread, error) -> {
            System.err.println(error);
            System.exit(1);
        });
        for (int i = 0; i + 1 < given.length; i += 2) {
            arguments.put(given[i], given[i + 1]);
        }
        settings = JSONObjectUtils.parse(arguments.getOrDefault("--settings", "{}"));
        if (arguments.containsKey("--ca-file")) {
            trust(Path.of(arguments.get("--ca-file")));
        }
    }

    String issuer() {
        return required("--issuer");
    }

    String jwksUri() {
        return required("--jwks-uri");
    }

    String audience() {
        return required("--audience");
    }

    /** An option of the library, in milliseconds as the library wants it. */
    long setting(String option, long otherwise) {
        return settings.get(option) instanceof Number number ? number.longValue() : otherwise;
    }

    /** Answers until the end of the input. */
    void serve(String library, String version, Verifier verifier) throws IOException, ParseException {
        say(Map.of("ready", true, "library", library, "version", version));
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            say(answer(JSONObjectUtils.parse(line), verifier));
        }
        System.exit(0); // threads of a library would keep the process
    }

    private static Map<String, Object> answer(Map<String, Object> question, Verifier verifier) {
        String token = (String) question.get("token");
        String error = "";
        long started = System.nanoTime();
        try {
            verifier.verify(token);
        } catch (Exception refused) {
            error = withoutToken(refused.getClass().getSimpleName() + ": " + refused.getMessage(), token);
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("id", question.get("id"));
        answer.put("ok", error.isEmpty());
        answer.put("error", error);
        answer.put("seconds", (System.nanoTime() - started) / 1e9);
        return answer;
    }

    private static String withoutToken(String message, String token) {
        String kept = message.replace(token, "[token]");
        for (String part : token.split("\\.")) {
            if (part.length() >= SHORTEST_PART) {
                kept = kept.replace(part, "[token]");
            }
        }
        return kept.substring(0, Math.min(kept.length(), MOST_CHARACTERS));
    }

    private void say(Map<String, Object> line) {
        out.println(JSONObjectUtils.toJSONString(line));
    }

    private String required(String name) {
        String value = arguments.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }

    /** Both libraries fetch with HttpsURLConnection, whose default this changes; their own defaults stay. */
    private static void trust(Path caFile) throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream pem = Files.newInputStream(caFile)) {
            for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
                store.setCertificateEntry("ca" + store.size(), certificate);
            }
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
    }
}
