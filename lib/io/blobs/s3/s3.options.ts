// How an application names its bucket and the way to it. No type of the SDK here: what is published must not need it.
import { FlowStoneError } from '../../../flowstone.errors.js';
import { suggestion } from '../../../graph/did-you-mean.js';
import { isStep, longestPath } from '../path-template.js';
import { USUAL_TEMPLATE } from '../blob-path.js';

/** Bytes that S3 allows for a key. */
const LONGEST_KEY = 1024;
const NAMES = ['bucket', 'prefix', 'endpoint', 'region', 'credentials', 'forcePathStyle', 'client'];
const OF_OUR_CLIENT = ['endpoint', 'region', 'credentials', 'forcePathStyle'] as const;

/** Keys of an account, as the SDK takes them. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** Of an `S3Client` of @aws-sdk/client-s3, what is used. */
export interface S3ClientLike {
  send(command: never, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>;
}

/**
 * Where values are kept. What is left out of `endpoint`, `region` and `credentials` the SDK takes from its usual places:
 * the variables `AWS_*`, shared files, the role of the machine.
 */
export interface S3Options {
  readonly bucket: string;
  /** What all keys begin with, such as `flowstone/values`; nothing else may be below it. Default: nothing. */
  readonly prefix?: string;
  /** URL of a server that speaks S3. Default: Amazon's. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Or a function that is asked for them whenever they are about to expire. */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>);
  /** The bucket in the path instead of the host name, as most servers but Amazon's want it. Default: false. */
  readonly forcePathStyle?: boolean;
  /** An `S3Client` of yours, for whatever else a client can be told; you destroy it. */
  readonly client?: S3ClientLike;
}

/** The options, if they can be used. Throws `FLOWSTONE_OPTIONS_INVALID`. */
export function requireS3Options(options: S3Options): S3Options {
  const problems = Array.from(problemsOf(options));
  if (problems.length === 0) return options;
  throw new FlowStoneError(
    'FLOWSTONE_OPTIONS_INVALID',
    `The s3 manager cannot be made: ${problems.join('; ')}. Correct what \`new S3IoManager()\` is given.`,
    { context: { problems } },
  );
}

/** Characters that a key has for what is below the prefix. */
export function roomBelow({ prefix }: S3Options): number {
  return prefix === undefined ? LONGEST_KEY : LONGEST_KEY - prefix.length - 1;
}

function* problemsOf(options: S3Options): Generator<string> {
  const { bucket, prefix, endpoint, client } = options;
  if (typeof bucket !== 'string' || bucket === '') yield 'bucket must be the name of a bucket';
  if (prefix !== undefined && !(typeof prefix === 'string' && prefix.split('/').every(isStep))) {
    yield `prefix is ${JSON.stringify(prefix)}, must be steps of letters, digits or _.,=@+- with "/" between them`;
  } else if (roomBelow(options) < longestPath(USUAL_TEMPLATE)) {
    yield `prefix has ${prefix!.length} characters, must have at most ${LONGEST_KEY - 1 - longestPath(USUAL_TEMPLATE)}`;
  }
  if (endpoint !== undefined && !isHttpUrl(endpoint))
    yield 'endpoint must be a URL such as http://minio:9000, without a user or password in it';
  const beside = client === undefined ? [] : OF_OUR_CLIENT.filter((name) => options[name] !== undefined);
  if (beside.length > 0) yield `client is given and so is ${beside.join(', ')}, which only a client made here takes`;
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) yield `unknown option "${name}"${suggestion(name, NAMES)}`;
  }
}

function isHttpUrl(given: unknown): boolean {
  if (typeof given !== 'string' || !URL.canParse(given)) return false;
  const { protocol, username, password } = new URL(given);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}
