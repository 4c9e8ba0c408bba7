// A real OpenID Connect issuer on loopback: `node provider.mjs NODE_MODULES PORT ALGORITHM`. Machines log in with client credentials and get
// access tokens as RFC 9068 has them. Each start makes a new key under the same key id.
import { generateKeyPairSync } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [modules, port, algorithm] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const pair = algorithm === 'RS256' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = pair.privateKey.export({ format: 'jwk' });
const scope = 'signet:auditor signet:operator signet:owner tenant:basic-credentials:read';

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'ci', client_secret: 'a-long-secret-of-at-least-32-characters', scope, grant_types: ['client_credentials'],
    response_types: [], redirect_uris: [], id_token_signed_response_alg: algorithm,
  }],
  scopes: scope.split(' '),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        audience: resource.replace('urn:', ''), scope, accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithm } },
      }),
    },
  },
  jwks: { keys: [{ ...key, alg: algorithm, use: 'sig', kid: 'k1' }] },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
