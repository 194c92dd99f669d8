// What an application says of OpenLineage events, and what is wrong with it.
import { unknownName } from '../graph/did-you-mean.js';
import { readHeaders, readHttpUrl } from '../outbox/webhook.options.js';

/** Where OpenLineage events go: to a server or into a file (docs/openlineage.md). */
export interface OpenLineageOptions {
  /** Of a server that takes events, or the whole address where it takes them; without a path, `/api/v1/lineage` of it. */
  readonly url?: string;
  /** A file to which events are added, each as a line of JSON. */
  readonly file?: string;
  /** Of jobs and datasets; default: FlowStone's `namespace`. */
  readonly namespace?: string;
  /** Sent as `Authorization: Bearer ...`. */
  readonly apiKey?: string;
  /** More headers for the server. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A URI of what produced the events, such as the address of your repository. */
  readonly producer?: string;
}

/** The same, checked. */
export interface OpenLineage {
  readonly to: { readonly url: URL; readonly headers: Readonly<Record<string, string>> } | { readonly file: string };
  /** Undefined: FlowStone's. */
  readonly namespace: string | undefined;
  readonly producer: string;
}

const NAMES = ['url', 'file', 'namespace', 'apiKey', 'headers', 'producer'];
const DEFAULT_PATH = '/api/v1/lineage';
const DEFAULT_PRODUCER = 'urn:nestjs-flowstone';

/** The option `openLineage` of forRoot(), undefined where it is off. Throws a TypeError that completes "openLineage must be". */
export function readOpenLineage(given: unknown): OpenLineage | undefined {
  if (given === false) return undefined;
  if (typeof given !== 'object' || given === null) return wrong("false, { url: 'http://...' } or { file: '...' }");
  const unknown = unknownName(given, NAMES);
  if (unknown !== undefined) return wrong(`without ${unknown}: it has ${NAMES.join(', ')}`);
  const {
    url,
    file,
    namespace,
    apiKey,
    headers = {},
    producer = DEFAULT_PRODUCER,
  } = given as Readonly<Record<string, unknown>>;
  for (const [name, text] of Object.entries({ file, namespace, apiKey })) {
    if (text !== undefined && (typeof text !== 'string' || text === ''))
      return wrong(`such that ${name} is a non-empty text`);
  }
  if (typeof producer !== 'string' || !URL.canParse(producer)) return wrong('such that producer is a URI');
  const common = {
    namespace: namespace as string | undefined,
    producer,
  };
  if ((url === undefined) === (file === undefined)) return wrong('given either a url or a file');
  if (file !== undefined) {
    if (apiKey !== undefined || Object.keys(headers as object).length > 0)
      return wrong('without headers and apiKey for a file');
    return { to: { file: file as string }, ...common };
  }
  const address = readHttpUrl(url);
  if (address.pathname === '/') address.pathname = DEFAULT_PATH;
  const authorization = readHeaders(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey as string}` });
  return { to: { url: address, headers: { ...readHeaders(headers), ...authorization } }, ...common };
}

function wrong(expected: string): never {
  throw new TypeError(expected);
}
