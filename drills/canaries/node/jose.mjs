// jose with createRemoteJWKSet: the set for ten minutes, a cooldown of 30 s from the last fetch.
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { serve, target } from './canary.mjs';

const keys = createRemoteJWKSet(new URL(target.jwksUri), target.settings);

await serve('jose', (token) => jwtVerify(token, keys, { issuer: target.issuer, audience: target.audience }));
