// A person at the terminal: sees what is asked, and answers by a letter.
import type { Article } from '../articles/article.js';
import { scoreOf } from '../articles/scoring.js';
import type { Answer, Question, Reviewer } from './reviewer.js';
import { shown } from './show.js';
import type { Terminal } from './terminal.js';

const CHOICES = '[a]pprove  [m]odify  [r]eject  [s]kip  [q]uit > ';

export class Person implements Reviewer {
  constructor(
    readonly by: string,
    private readonly terminal: Terminal,
  ) {}

  async answer(question: Question): Promise<Answer> {
    const { article, problems } = question;
    if (problems.length > 0) {
      this.terminal.say('That cannot be published:', ...problems.map((problem) => `  - ${problem}`));
      return this.edited(article);
    }
    this.terminal.say('', ...shown(question), '');
    for (;;) {
      const choice = await this.terminal.ask(CHOICES);
      switch (choice?.toLowerCase()[0] ?? '') {
        case 'a':
          return { kind: 'approve' };
        case 'm':
          return this.edited(article);
        case 'r':
          return this.rejected();
        case 's':
          return { kind: 'leave' };
        case 'q':
          return { kind: 'stop' };
      }
      if (choice === undefined) return { kind: 'stop' };
      this.terminal.say('Answer by one of these letters.');
    }
  }

  private async edited(article: Article): Promise<Answer> {
    const { terminal } = this;
    const headline = await terminal.edit('headline', article.headline);
    const body = headline === undefined ? undefined : await terminal.edit('body', article.body);
    if (headline === undefined || body === undefined) return { kind: 'stop' };
    terminal.say(`It would score ${scoreOf(body).score} of 100.`);
    const reason = await terminal.ask('reason (may be left out) > ');
    if (reason === undefined) return { kind: 'stop' };
    return { kind: 'modify', value: { headline, body }, ...(reason !== '' && { reason }) };
  }

  private async rejected(): Promise<Answer> {
    for (;;) {
      const reason = await this.terminal.ask('reason > ');
      if (reason === undefined) return { kind: 'stop' };
      if (reason !== '') return { kind: 'reject', reason };
    }
  }
}
