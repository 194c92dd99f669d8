// Where pages are published: a directory of Markdown files.
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Lent to the assets that publish. Publishing the same page again changes nothing, as an asset may run more than once. */
export class Press {
  constructor(readonly directory: string) {}

  /** A reader sees the old page or the new one, never a part. */
  async publish(file: string, page: string): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    const written = join(this.directory, `.${randomUUID()}`);
    await writeFile(written, page);
    await rename(written, join(this.directory, file));
  }

  async withdraw(file: string): Promise<void> {
    await rm(join(this.directory, file), { force: true });
  }
}
