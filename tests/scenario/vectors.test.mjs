/* The phone of app.mjs has its cryptography right: fixtures/protocol/channel.json, made with yet other code. */
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assert, ROOT } from './harness.mjs';
import { nacl, openEnvelope, sealEnvelope, toBase64 } from './app.mjs';

const vectors = JSON.parse(fs.readFileSync(process.env.TRIVET_VECTORS ?? path.join(ROOT, 'fixtures/protocol/channel.json'), 'utf8'));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));

for (const [index, session] of vectors.v1.entries())
    test(`session ${index}: keys and envelopes, byte for byte`, () => {
        const pair = nacl.box.keyPair.fromSecretKey(bytes(session.phoneSecret));
        assert.deepEqual(pair.publicKey, bytes(session.phonePublic));
        assert.equal(JSON.stringify({ type: 'key_init', publicKey: toBase64(pair.publicKey) }), session.keyInit);
        const key = nacl.box.before(bytes(session.computerPublic), pair.secretKey);
        assert.deepEqual(key, bytes(session.sharedKey));
        for (const envelope of session.envelopes) {
            assert.equal(sealEnvelope(envelope.plaintext, key, bytes(envelope.nonce)), envelope.text);
            assert.equal(openEnvelope(envelope.text, key), envelope.plaintext);
        }
    });

for (const { why, key, text, plaintext } of vectors.v1_accepted)
    test(`opens: ${why}`, () => assert.equal(openEnvelope(text, bytes(key)), plaintext));

for (const { why, key, text } of vectors.v1_refused)
    test(`does not open: ${why}`, () => assert.equal(openEnvelope(text, bytes(key)), null));
