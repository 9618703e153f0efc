// The canary's side of the protocol, which drills/canaries/protocol.py describes: a token a line in, a verdict a line out.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const MOST_CHARACTERS = 200;
const SHORTEST_PART = 6; // a shorter part of a token is no secret, and would hide ordinary words

// One line, which is what the other side shows of a start that fails.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.name}: ${error.message}\n`);
  process.exit(1);
});

const text = { type: 'string' };
const { values } = parseArgs({
  options: { issuer: text, 'jwks-uri': text, audience: text, 'ca-file': text, settings: { ...text, default: '{}' } },
});
for (const name of ['issuer', 'jwks-uri', 'audience']) {
  if (!values[name]) throw new Error(`--${name} is missing`);
}

// The CA comes through NODE_EXTRA_CA_CERTS: Node reads it before any of our code runs.
export const target = {
  issuer: values.issuer,
  jwksUri: values['jwks-uri'],
  audience: values.audience,
  settings: JSON.parse(values.settings),
};

function withoutToken(message, token) {
  for (const part of [token, ...token.split('.')]) {
    if (part.length >= SHORTEST_PART) message = message.replaceAll(part, '[token]');
  }
  return message.slice(0, MOST_CHARACTERS);
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// `verify` resolves for a token that it accepts, and rejects for one that it does not.
export async function serve(library, verify) {
  const about = new URL(`./node_modules/${library}/package.json`, import.meta.url);
  say({ ready: true, library, version: JSON.parse(readFileSync(about, 'utf8')).version });
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, token } = JSON.parse(line);
    const started = performance.now();
    let error = '';
    try {
      await verify(token);
    } catch (refused) {
      const causes = new Set([refused.message, refused.cause?.message ?? refused.message]);
      error = withoutToken([refused.code ?? refused.name, ...causes].join(': '), token);
    }
    say({ id, ok: !error, error, seconds: (performance.now() - started) / 1000 });
  }
  process.exit(0); // timers of a library would keep the process
}
