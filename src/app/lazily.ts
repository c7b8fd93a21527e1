type AsyncFunctions<Group> = { readonly [Name in keyof Group]: (...args: never[]) => Promise<unknown> };

/** Asynchronous functions whose modules are loaded when the first of them is called: a command that needs none of them starts without them. */
export function lazily<Group extends object & AsyncFunctions<Group>>(load: () => Promise<Group>): Group {
  const call =
    (name: string | symbol) =>
    async (...args: never[]): Promise<unknown> =>
      (await load())[name as keyof Group](...args);
  // A group is no promise, whoever awaits it.
  return new Proxy({} as Group, { get: (_none, name) => (name === 'then' ? undefined : call(name)) });
}
