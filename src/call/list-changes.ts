/** That lists may look different now, and at which endpoints. */
export interface ListChange {
  readonly kinds: readonly ('tools' | 'resources' | 'prompts')[];
  readonly isAt: (endpoint: string) => boolean;
}

/**
 * Where changes of lists are announced: an upstream's list changed, or policy, the configuration, or what is known of what policy refuses
 * anyhow. Whoever has agents to tell (sessions, subscriptions) listens here.
 */
export class ListChanges {
  readonly #listeners = new Set<(change: ListChange) => void>();

  /** Hears of each change until the function that is given back is called. A listener must not throw. */
  listen(listener: (change: ListChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  announce(kinds: ListChange['kinds'], isAt: ListChange['isAt']): void {
    for (const listener of [...this.#listeners]) listener({ kinds, isAt });
  }
}
