// The whole journey of oidcwatch's login probe as a test of Playwright's runner would do it: discovery, authorization
// request with PKCE, login form, consent, callback caught in the browser, token, key set, UserInfo, logout. It checks
// no signature and next to nothing else, so it still does less. Settings come from the environment.
import { createHash, randomBytes } from 'node:crypto';

import { expect, test } from '@playwright/test';

const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};
const random = () => randomBytes(32).toString('base64url');

test('a user signs in, the code is exchanged for tokens, and the user signs out', async ({ page, request }) => {
  const [issuer, clientId, redirectUri] = ['BENCH_ISSUER', 'BENCH_CLIENT_ID', 'BENCH_REDIRECT_URI'].map(env);
  const [state, nonce, verifier, farewell] = [random(), random(), random(), random()];
  const metadata = await (await request.get(`${issuer}/.well-known/openid-configuration`)).json();
  expect(metadata.issuer).toBe(issuer);
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

  await page.goto(`${metadata.authorization_endpoint}?${parameters}`);
  await page.fill('input[name=login]', env('BENCH_USERNAME'));
  await page.fill('input[name=password]', env('BENCH_PASSWORD'));
  await page.click('button[type=submit]');
  await page.click('form[action*="/interaction/"] button[type=submit]:has-text("Continue")');

  const callback = new URL((await arrival).url());
  expect(callback.searchParams.get('state')).toBe(state);
  const answer = await request.post(metadata.token_endpoint, {
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
  const tokens = await answer.json();
  expect(tokens.id_token).toBeTruthy();
  expect((await (await request.get(metadata.jwks_uri)).json()).keys.length).toBeGreaterThan(0);
  const userinfo = await request.get(metadata.userinfo_endpoint, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  expect((await userinfo.json()).sub).toBeTruthy();

  const afterwards = env('BENCH_POST_LOGOUT_REDIRECT_URI');
  const tab = await page.context().newPage(); // the first one may still be busy with the callback's missing host
  const departure = tab.waitForRequest((sent) => sent.url().startsWith(afterwards) && sent.url().includes(farewell));
  const leaving = new URLSearchParams({
    id_token_hint: tokens.id_token,
    client_id: clientId,
    post_logout_redirect_uri: afterwards,
    state: farewell,
  });
  await tab.goto(`${metadata.end_session_endpoint}?${leaving}`);
  await tab.click('button[type=submit]:has-text("Yes")');
  expect(new URL((await departure).url()).searchParams.get('state')).toBe(farewell);
});
