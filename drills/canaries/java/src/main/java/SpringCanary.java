import java.util.List;
import org.springframework.security.core.SpringSecurityCoreVersion;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;

/** Spring's resource server with a jwk-set-uri: the set for five minutes, an unknown key id is fetched at once. */
public final class SpringCanary {

    public static void main(String[] arguments) throws Exception {
        Canary canary = new Canary(arguments);
        String audience = canary.audience();
        // Access tokens have a type of their own (RFC 9068 section 2.1), which the default refuses.
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withJwkSetUri(canary.jwksUri()).validateType(false).build();
        decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<Jwt>(
            new JwtTimestampValidator(),
            new JwtIssuerValidator(canary.issuer()),
            new JwtClaimValidator<List<String>>("aud", named -> named != null && named.contains(audience))));

        canary.serve("spring-security-oauth2-jose", SpringSecurityCoreVersion.getVersion(), decoder::decode);
    }
}
