// node-oidc-provider with three clients, over TLS, and a second port on which keys are rotated. Started by Python,
// which passes all settings and secrets in the environment.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import { errors, Provider } from 'oidc-provider';
// Not a documented path, hence the pinned version: providers that share a store keep sessions, codes and grants over a
// rotation, and the documented default gives each provider a store of its own.
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

import { Keys, ROTATIONS } from './keys.mjs';

const HOST = '127.0.0.1';
const CONTROL_BODY_BYTES = 1024;

const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

const issuer = new URL(env('ISSUER'));
const redirectUri = 'https://portal.example.test/callback';
const orders = 'urn:oidcwatch:orders';
const hour = 3600;

const portal = (clientId, secret, alg) => ({
  client_id: clientId,
  client_secret: secret,
  redirect_uris: [redirectUri],
  post_logout_redirect_uris: ['https://portal.example.test/'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  id_token_signed_response_alg: alg,
});

const configuration = {
  adapter: createMemoryAdapter(),
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  clients: [
    portal('portal', env('NODE_OIDC_PROVIDER_PORTAL_SECRET'), 'RS256'),
    portal('portal-es256', env('NODE_OIDC_PROVIDER_PORTAL_ES256_SECRET'), 'ES256'),
    {
      client_id: 'machine',
      client_secret: env('NODE_OIDC_PROVIDER_MACHINE_SECRET'),
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    },
  ],
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, email: `${id}@example.test`, email_verified: true }),
  }),
  pkce: { required: () => true },
  // The default rotates for public clients only, and issues without prompt=consent to none.
  rotateRefreshToken: true,
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: () => false,
  ttl: {
    AccessToken: 300, ClientCredentials: 300, IdToken: 300,
    RefreshToken: 24 * hour, Session: hour, Interaction: 600, Grant: 24 * hour,
  },
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => {
        if (resource !== orders) throw new errors.InvalidTarget();
        return { scope: '', audience: orders, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
      },
    },
  },
};

const keys = new Keys();

const build = () => {
  const provider = new Provider(issuer.href.replace(/\/$/, ''), { ...configuration, jwks: keys.private() });
  provider.proxy = true;
  // Error codes only: descriptions and stacks may quote parameters.
  for (const event of ['server_error', 'grant.error', 'authorization.error']) {
    provider.on(event, (ctx, error) => console.error(event, error.error ?? error.name));
  }
  return provider.callback();
};
let answer = build();

const chain = fs.readFileSync(env('TLS_CHAIN'));
const server = https.createServer({ key: chain, cert: chain });
server.on('request', (request, response) => {
  // URLs in discovery follow the request's origin: whatever a proxy in front did to it, they must match the issuer.
  request.headers['x-forwarded-host'] = issuer.host;
  request.headers['x-forwarded-proto'] = issuer.protocol.slice(0, -1);
  answer(request, response);
});

const reply = (response, status, value) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
};

const body = async (request) => {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > CONTROL_BODY_BYTES) return {};
  }
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
};

const authorization = Buffer.from(`Bearer ${env('NODE_OIDC_PROVIDER_CONTROL_TOKEN')}`);
const allowed = (request) => {
  const given = Buffer.from(request.headers.authorization ?? '');
  return given.length === authorization.length && timingSafeEqual(given, authorization);
};

const control = http.createServer(async (request, response) => {
  if (!allowed(request)) return reply(response, 401, { error: 'unauthorized' });
  if (request.method === 'GET' && request.url === '/keys') return reply(response, 200, keys.summary());
  if (request.method !== 'POST' || request.url !== '/rotate') return reply(response, 404, { error: 'not found' });
  const { mode } = await body(request);
  if (!ROTATIONS.includes(mode)) return reply(response, 400, { error: `mode must be one of ${ROTATIONS.join(', ')}` });
  keys.rotate(mode);
  answer = build();
  return reply(response, 200, keys.summary());
});

control.listen(Number(env('CONTROL_PORT')), HOST, () => server.listen(Number(env('PORT')), HOST));
