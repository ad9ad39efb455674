// A certified OpenID provider on loopback: node provider.mjs PORT REDIRECT_URI. Prints "ready" when it listens.
// Anybody may sign in as anybody; who is called `unverified-...` has an e-mail address that nobody has verified.
import Provider from 'oidc-provider';

const [, , port, redirectUri] = process.argv;
const claims = (id) => ({ sub: id, email: `${id}@example.org`, email_verified: !id.startsWith('unverified'), name: id });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'pawl', client_secret: 'the-secret-of-the-test-client', redirect_uris: [redirectUri] }],
  pkce: { methods: ['S256'], required: () => true },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  findAccount: (_context, id) => ({ accountId: id, claims: async () => claims(id) }),
  cookies: { keys: ['only-for-tests'] },
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
