import type { WriteStream } from 'node:tty';

type Writable = Pick<WriteStream, 'write' | 'on'> & { readonly isTTY?: boolean; readonly columns?: number };

const codes = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof codes;

/** Where a command writes: text for people, or one JSON value for programs. Colours only on a terminal and without NO_COLOR. */
export class Output {
  readonly #out: Writable;
  readonly #err: Writable;
  readonly colors: boolean;
  #json = false;
  #closed = false;

  constructor(out: Writable, err: Writable, env: Readonly<Record<string, string | undefined>>) {
    this.#out = out;
    this.#err = err;
    // Whoever read may be gone (`… | head`): what goes on writing, stops at its next look.
    for (const stream of [out, err]) stream.on('error', () => (this.#closed = true));
    this.colors = out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  }

  useJson(on: boolean): void {
    this.#json = on;
  }

  get json(): boolean {
    return this.#json;
  }

  /** Whether nobody reads any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The command's answer: `value` for programs, `text` for people. */
  answer(value: unknown, text: () => string): void {
    this.#out.write(this.#json ? `${JSON.stringify(value)}\n` : `${text()}\n`);
  }

  /** A line for people on the way; silent when the output is for programs. */
  line(text: string): void {
    if (!this.#json) this.#out.write(`${text}\n`);
  }

  /** A line on standard error, whatever the form of the output. */
  note(text: string): void {
    this.#err.write(`${text}\n`);
  }

  /** Why a command failed. The text may be a server's: control characters are shown, line breaks kept. */
  error(code: string, message: string): void {
    if (this.#json) this.#out.write(`${JSON.stringify({ error: { code, message } })}\n`);
    else this.#err.write(`${this.paint('red', 'error')}: ${message.split('\n').map(visible).join('\n')} (${code})\n`);
  }

  paint(colour: Colour, text: string): string {
    return this.colors ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
  }

  /** Rows under headings, columns as wide as their widest cell; each line is cut where the terminal ends. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
    const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)));
    const room = this.#out.isTTY === true ? (this.#out.columns ?? 120) : Number.POSITIVE_INFINITY;
    const lay = (row: readonly string[]): string => {
      const text = row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
      return text.length > room ? `${text.slice(0, room - 1).toWellFormed()}…` : text;
    };
    return [this.paint('bold', lay(headings)), ...rows.map(lay)].join('\n');
  }
}

/** Text of somebody else's, safe to show on a terminal: what is invisible, steers a terminal or turns the reading direction is escaped. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u{e0100}-\u{e01ef}]/gu,
    (character) => {
      const code = character.codePointAt(0) ?? 0;
      return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
    },
  );
}
