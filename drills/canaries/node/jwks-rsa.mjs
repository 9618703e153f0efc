// jwks-rsa below jsonwebtoken, as its README shows: each key for ten minutes, an unknown one is fetched at once.
import jwt from 'jsonwebtoken';
import jwksClient from 'jwks-rsa';
import { serve, target } from './canary.mjs';

const client = jwksClient({ jwksUri: target.jwksUri, ...target.settings });
const claims = { issuer: target.issuer, audience: target.audience };
const getKey = (header, done) => client.getSigningKey(header.kid, (error, key) => done(error, key?.getPublicKey()));

await serve(
  'jwks-rsa',
  (token) =>
    new Promise((accept, refuse) => {
      jwt.verify(token, getKey, claims, (error, verified) => (error ? refuse(error) : accept(verified)));
    }),
);
