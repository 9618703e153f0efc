// openid-client with signature checks of ID Tokens: the set for 300 s, an unknown key is fetched after 60 s.
import { allowInsecureRequests, Configuration, customFetch, enableNonRepudiationChecks, genericGrantRequest } from 'openid-client';
import { serve, target } from './canary.mjs';

const TOKEN_ENDPOINT = new URL('/token-endpoint-of-the-canary', target.issuer).href;

const config = new Configuration(
  { issuer: target.issuer, jwks_uri: target.jwksUri, token_endpoint: TOKEN_ENDPOINT },
  target.audience,
);
enableNonRepudiationChecks(config);
if (new URL(target.jwksUri).protocol === 'http:') allowInsecureRequests(config);

// The library verifies what a token endpoint returns: the token in question is the answer to a request of ours.
let answer;
config[customFetch] = (url, options) => (url === TOKEN_ENDPOINT ? Promise.resolve(answer) : fetch(url, options));

await serve('openid-client', (token) => {
  answer = Response.json({ access_token: 'unused', token_type: 'bearer', id_token: token });
  return genericGrantRequest(config, 'client_credentials', {});
});
