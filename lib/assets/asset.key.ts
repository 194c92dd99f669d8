// Asset keys: what is one, and which one a class has by default.

const KEY = /^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*$/;

/** Whether a name may be an asset key: segments of `a-z0-9_` starting with a letter, joined by `.`. */
export function isAssetKey(name: string): boolean {
  return KEY.test(name);
}

/** A class name in snake case: `DailyDelays` is `daily_delays`, `S3Files` is `s3_files`, `HTTPLogs` is `http_logs`. */
export function defaultAssetKey(className: string): string {
  return className
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}
