const pageBytes = 65_536;
const maxInitialPages = 4_096;

/**
 * Names of the builtins that a compiled policy wants from its host, as the module itself says, sorted. Running it is also the proof that
 * V8 accepts the module (a rule with a very large literal exceeds V8's limit on the size of a function).
 * @throws WebAssembly.CompileError
 */
export function hostBuiltinsOf(policy: Uint8Array<ArrayBuffer> | WebAssembly.Module): string[] {
  const module = policy instanceof WebAssembly.Module ? policy : new WebAssembly.Module(policy);
  const refuse = (): never => {
    throw new Error('a policy called its host while it was inspected');
  };
  const memory = new WebAssembly.Memory({
    initial: policy instanceof WebAssembly.Module ? maxInitialPages : Math.min(maxInitialPages, 16 + Math.ceil(policy.length / pageBytes)),
  });
  const env = {
    memory,
    opa_abort: refuse,
    opa_println: refuse,
    opa_builtin0: refuse,
    opa_builtin1: refuse,
    opa_builtin2: refuse,
    opa_builtin3: refuse,
    opa_builtin4: refuse,
  };
  const { exports } = new WebAssembly.Instance(module, { env });
  const address = (exports['opa_json_dump'] as (value: number) => number)((exports['builtins'] as () => number)());
  const bytes = new Uint8Array(memory.buffer, address);
  return Object.keys(JSON.parse(Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString()) as Record<string, number>).sort();
}
