/** A piece of a text that a detector found: UTF-16 offsets, the end not included. */
export interface Span {
  readonly detector: string;
  readonly start: number;
  readonly end: number;
}
