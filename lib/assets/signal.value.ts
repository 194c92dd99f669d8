// The base of signals, and the type of their values.
declare const signalType: unique symbol;

/** Base of a signal: `@Signal({ payload: PaymentDto, timeout: '2d' }) class Paid extends SignalAsset<PaymentDto> {}`. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- it is the type of the value
export abstract class SignalAsset<T> {
  declare readonly [signalType]: T;
}

/** The value of a signal: what its methods return, or its type. */
export type SignalValue<I> =
  | (I extends { onSignal: (...args: never[]) => infer V } ? Awaited<V> : I extends SignalAsset<infer T> ? T : never)
  | (I extends { onTimeout: (...args: never[]) => infer V } ? Awaited<V> : never);
