/** Who knows a part already, and under which number; the object is one that lives as long as the knowledge. */
interface PartMark {
  readonly by: object;
  readonly id: number;
}

/**
 * A piece of JSON text that many inputs have in common: an identity, a tool, a list, an earlier call. Handed over as a reference, so that it
 * crosses to the audit worker once and is stored once, however many inputs it stands in. The same text in two parts is only a waste.
 */
export class TextPart {
  readonly text: string;
  #mark: PartMark | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** The number under which `by` knows this part, if it does. */
  knownTo(by: object): number | undefined {
    return this.#mark?.by === by ? this.#mark.id : undefined;
  }

  /** Notes that `by` knows this part as `id`; whoever knew it before is forgotten. */
  tell(by: object, id: number): void {
    this.#mark = { by, id };
  }
}
