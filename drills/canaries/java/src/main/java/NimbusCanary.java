import static com.nimbusds.jose.jwk.source.JWKSourceBuilder.DEFAULT_CACHE_REFRESH_TIMEOUT;
import static com.nimbusds.jose.jwk.source.JWKSourceBuilder.DEFAULT_CACHE_TIME_TO_LIVE;
import static com.nimbusds.jose.jwk.source.JWKSourceBuilder.DEFAULT_RATE_LIMIT_MIN_INTERVAL;
import static com.nimbusds.jose.jwk.source.JWKSourceBuilder.DEFAULT_REFRESH_AHEAD_TIME;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.net.URL;
import java.util.Properties;
import java.util.Set;

/** Nimbus with the defaults of JWKSourceBuilder: the set for five minutes, an unknown key id fetches twice in 30 s. */
public final class NimbusCanary {

    // Nimbus has no Ed25519 without a further library.
    private static final Set<JWSAlgorithm> ALGORITHMS = Set.of(JWSAlgorithm.RS256, JWSAlgorithm.PS256, JWSAlgorithm.ES256);

    public static void main(String[] arguments) throws Exception {
        Canary canary = new Canary(arguments);
        var processor = new DefaultJWTProcessor<SecurityContext>();
        processor.setJWSTypeVerifier(
            new DefaultJOSEObjectTypeVerifier<>(JOSEObjectType.JWT, new JOSEObjectType("at+jwt"), null));
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(ALGORITHMS, keys(canary)));
        processor.setJWTClaimsSetVerifier(new DefaultJWTClaimsVerifier<>(
            canary.audience(), new JWTClaimsSet.Builder().issuer(canary.issuer()).build(), Set.of("exp")));

        canary.serve("nimbus-jose-jwt", version(), token -> processor.process(token, null));
    }

    private static JWKSource<SecurityContext> keys(Canary canary) throws Exception {
        long timeToLive = canary.setting("timeToLive", DEFAULT_CACHE_TIME_TO_LIVE);
        // The library refuses a time to live without room for these two, so that they shrink with it.
        long refreshTimeout = DEFAULT_CACHE_REFRESH_TIMEOUT * timeToLive / DEFAULT_CACHE_TIME_TO_LIVE;
        long refreshAhead = DEFAULT_REFRESH_AHEAD_TIME * timeToLive / DEFAULT_CACHE_TIME_TO_LIVE;
        return JWKSourceBuilder.create(new URL(canary.jwksUri()))
            .cache(timeToLive, refreshTimeout)
            .refreshAheadCache(refreshAhead, false)
            .rateLimited(canary.setting("minTimeInterval", DEFAULT_RATE_LIMIT_MIN_INTERVAL))
            .build();
    }

    private static String version() throws Exception {
        var about = new Properties();
        about.load(JWTClaimsSet.class.getResourceAsStream("/META-INF/maven/com.nimbusds/nimbus-jose-jwt/pom.properties"));
        return about.getProperty("version");
    }
}
