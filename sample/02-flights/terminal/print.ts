// Prints one stored value.
import type { FlowStoneService } from 'nestjs-flowstone';

/** As text for people; or as one line of JSON, where rows become an array. */
export async function printValue(
  flowstone: FlowStoneService,
  { asset, partition, json }: { asset: string; partition: string | undefined; json: boolean },
  out: NodeJS.WriteStream,
): Promise<void> {
  const value = await whole(await flowstone.load(asset, { partition }));
  if (typeof value === 'string' && !json) out.write(value);
  else out.write(`${JSON.stringify(value, null, json ? undefined : 2)}\n`);
}

async function whole(value: unknown): Promise<unknown> {
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) return value;
  const rows: unknown[] = [];
  for await (const row of value as AsyncIterable<unknown>) rows.push(row);
  return rows;
}
