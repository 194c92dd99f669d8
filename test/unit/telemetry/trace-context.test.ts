// Contexts of spans as they are kept with runs: what is written is read again, and what nobody could have written is none.
import * as api from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { readTrace, writeTrace } from '../../../lib/telemetry/trace-context.js';

const hex = (length: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
    .map((digits) => digits.map((digit) => digit.toString(16)).join(''))
    .filter((text) => /[^0]/.test(text));

describe('the context of a span', () => {
  it('is the same after it was kept', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 255 }), (traceId, spanId, traceFlags) => {
        const traceState = api.createTraceState('vendor=of-the-application');
        const kept = writeTrace(api, { traceId, spanId, traceFlags, traceState });
        const read = api.trace.getSpanContext(readTrace(api, JSON.parse(JSON.stringify(kept))));
        expect(read).toMatchObject({ traceId, spanId, traceFlags, isRemote: true });
        expect(read?.traceState?.serialize()).toBe('vendor=of-the-application');
      }),
    );
  });

  it('is not kept where nobody records spans', () => {
    expect(writeTrace(api, api.INVALID_SPAN_CONTEXT)).toBeUndefined();
  });

  it.each(['', 'x', 'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-0af7-b7ad-01'])(
    'that is kept as "%s" is none',
    (traceparent) => {
      expect(readTrace(api, { traceparent })).toBe(api.ROOT_CONTEXT);
    },
  );
});
