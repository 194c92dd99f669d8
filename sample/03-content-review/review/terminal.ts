// Questions to a person at a terminal, or to a pipe that answers line by line.
import { createInterface, type Interface } from 'node:readline';

/** Asks one question at a time. Lines that come before they are asked for wait their turn. */
export class Terminal {
  private readonly lines: string[] = [];
  private readonly reader: Interface;
  private waiting: ((line: string | undefined) => void) | undefined;
  private ended = false;

  constructor(
    input: NodeJS.ReadStream,
    private readonly out: NodeJS.WriteStream,
  ) {
    this.reader = createInterface({ input, output: input.isTTY ? out : undefined, terminal: input.isTTY });
    this.reader.on('line', (line) => {
      if (this.waiting) this.answered(line);
      else this.lines.push(line);
    });
    // Ctrl-D, the end of a pipe; Ctrl-C leaves as well, and what was not decided stays open.
    this.reader.on('SIGINT', () => this.reader.close());
    this.reader.on('close', () => {
      this.ended = true;
      this.answered(undefined);
    });
  }

  /** The answer without spaces around it; undefined: there are no more answers. */
  ask(question: string): Promise<string | undefined> {
    return this.next(question, '');
  }

  /** Text that was edited: on a terminal it stands there to be changed; an empty answer keeps it. */
  async edit(name: string, text: string): Promise<string | undefined> {
    const answer = await this.next(`${name} > `, text);
    return answer === '' ? text : answer;
  }

  say(...lines: readonly string[]): void {
    this.out.write(`${lines.join('\n')}\n`);
  }

  close(): void {
    this.reader.close();
  }

  private async next(question: string, prefilled: string): Promise<string | undefined> {
    const answer = await new Promise<string | undefined>((resolve) => {
      this.waiting = resolve;
      if (!this.reader.terminal) this.out.write(question);
      if (this.lines.length > 0 || this.ended) return this.answered(this.lines.shift());
      if (!this.reader.terminal) return;
      this.reader.setPrompt(question);
      this.reader.prompt();
      this.reader.write(prefilled);
    });
    // What a terminal shows of the answer a pipe does not.
    if (!this.reader.terminal || answer === undefined) this.out.write(`${answer ?? ''}\n`);
    return answer?.trim();
  }

  private answered(line: string | undefined): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.(line);
  }
}
