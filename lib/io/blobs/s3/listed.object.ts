// An object as it is listed: apart from the calls of the SDK, whose types are not for who publishes this one.

/** What a listing tells of an object. */
export interface ListedObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Of its bytes. */
  readonly etag: string;
  /** In whole seconds. */
  readonly modified: Date;
}
