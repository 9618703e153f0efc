// The provider's signing keys and the three ways to replace them.
import { generateKeyPairSync, randomUUID } from 'node:crypto';

// keep: the old keys stay published. abrupt: they vanish at once. samekid: new keys under the old names, which caches
// that look for an unknown kid never notice.
export const ROTATIONS = ['keep', 'abrupt', 'samekid'];

const PARAMETERS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
};

const generate = (alg, kid) => {
  const { privateKey } = generateKeyPairSync(...PARAMETERS[alg]);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid };
};

export class Keys {
  #active = Object.keys(PARAMETERS).map((alg) => generate(alg, randomUUID()));

  #retired = [];

  rotate(mode) {
    const fresh = this.#active.map(({ alg, kid }) => generate(alg, mode === 'samekid' ? kid : randomUUID()));
    if (mode === 'keep') this.#retired = [...this.#active, ...this.#retired];
    if (mode === 'abrupt') this.#retired = [];
    this.#active = fresh;
  }

  // A key set with private members; the provider signs with the first key that fits and publishes the public part.
  private() {
    return { keys: [...this.#active, ...this.#retired] };
  }

  summary() {
    return { active: this.#active.map(({ kid }) => kid), retired: this.#retired.map(({ kid }) => kid) };
  }
}
