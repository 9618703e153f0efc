// A login as a test of Playwright's runner would do it: authorization request with PKCE, login form, consent, the
// callback caught in the browser, then the token request. Settings come from the environment.
import { createHash, randomBytes } from 'node:crypto';

import { expect, test } from '@playwright/test';

const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};
const random = () => randomBytes(32).toString('base64url');

test('a user signs in and the code is exchanged for tokens', async ({ page, request }) => {
  const [issuer, clientId, redirectUri] = ['BENCH_ISSUER', 'BENCH_CLIENT_ID', 'BENCH_REDIRECT_URI'].map(env);
  const [state, nonce, verifier] = [random(), random(), random()];
  const parameters = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: env('BENCH_SCOPE'),
    state,
    nonce,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  // Playwright routes no redirected request, so the callback is read from the request; its host does not exist.
  const arrival = page.waitForRequest((sent) => sent.url().startsWith(redirectUri));

  await page.goto(`${issuer}/auth?${parameters}`);
  await page.fill('input[name=login]', env('BENCH_USERNAME'));
  await page.fill('input[name=password]', env('BENCH_PASSWORD'));
  await page.click('button[type=submit]');
  await page.click('form[action*="/interaction/"] button[type=submit]:has-text("Continue")');

  const callback = new URL((await arrival).url());
  expect(callback.searchParams.get('state')).toBe(state);
  const answer = await request.post(`${issuer}/token`, {
    headers: {
      authorization: `Basic ${Buffer.from(`${clientId}:${env('BENCH_CLIENT_SECRET')}`).toString('base64')}`,
    },
    form: {
      grant_type: 'authorization_code',
      code: callback.searchParams.get('code'),
      redirect_uri: redirectUri,
      code_verifier: verifier,
    },
  });
  expect(answer.status()).toBe(200);
  expect((await answer.json()).id_token).toBeTruthy();
});
