// Which webhooks are genuine.
import { describe, expect, it } from '@jest/globals';
import { signatureOf, verifyWebhook, type WebhookRequest } from '../../../lib/outbox/webhook.signature.js';

const secret = 'a secret of the two';
const now = new Date('2026-01-01T12:00:00Z');
const timestamp = now.getTime() / 1000;
const body = JSON.stringify({ id: 'here-7', text: 'é' });
const headers = {
  'flowstone-delivery': 'here-7',
  'flowstone-timestamp': String(timestamp),
  'flowstone-signature': signatureOf(secret, timestamp, body),
};
const verify = (fields: Partial<WebhookRequest> = {}) => verifyWebhook({ secret, headers, body, now, ...fields });

describe('a webhook', () => {
  it('is signed as documented', () => {
    expect(signatureOf('secret', 1_700_000_000, '{}')).toBe(
      'v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163',
    );
  });

  it('is genuine with the secret, and says which delivery it is', () => {
    const verdict = { genuine: true, delivery: 'here-7', sentAt: now };
    expect(verify()).toEqual(verdict);
    expect(verify({ headers: new Headers(headers), body: Buffer.from(body) })).toEqual(verdict);
    expect(verify({ secret: ['the one before', secret] })).toEqual(verdict);
    expect(
      verify({ headers: { ...headers, 'flowstone-signature': `v2=00, ${headers['flowstone-signature']}` } }),
    ).toEqual(verdict);
  });

  it.each<[string, Partial<WebhookRequest>]>([
    ['another secret', { secret: 'another secret' }],
    ['no secret', { secret: [] }],
    ['another body', { body: `${body} ` }],
    [
      'a signature cut off',
      { headers: { ...headers, 'flowstone-signature': headers['flowstone-signature'].slice(1) } },
    ],
    ['no signature', { headers: { ...headers, 'flowstone-signature': undefined } }],
    ['two headers of a name', { headers: { ...headers, 'flowstone-timestamp': ['1', '2'] } }],
    ['another time', { headers: { ...headers, 'flowstone-timestamp': String(timestamp + 1) } }],
    ['no number as its time', { headers: { ...headers, 'flowstone-timestamp': '1e9' } }],
    ['another id than its body', { headers: { ...headers, 'flowstone-delivery': 'here-8' } }],
    ['a body that is no JSON', withBody('{')],
  ])('is not with %s', (_what, fields) => {
    expect(verify(fields)).toMatchObject({ genuine: false, reason: expect.any(String) });
  });

  it('is genuine only for a while, back and forth', () => {
    const after = (seconds: number) => new Date(now.getTime() + 1000 * seconds);
    expect(verify({ now: after(300) }).genuine).toBe(true);
    expect(verify({ now: after(301) })).toEqual({ genuine: false, reason: 'it was not sent lately' });
    expect(verify({ now: after(-301) }).genuine).toBe(false);
    expect(verify({ now: after(301), tolerance: '10m' }).genuine).toBe(true);
  });
});

function withBody(other: string): Partial<WebhookRequest> {
  return { body: other, headers: { ...headers, 'flowstone-signature': signatureOf(secret, timestamp, other) } };
}
