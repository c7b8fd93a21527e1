import { compileOpaModule } from './opa-artefact.ts';
import { OpaInstance } from './opa-instance.ts';
import { hostBuiltinsOf } from './policy-builtins.ts';

export interface OpaWorkerRequest {
  readonly id: number;
  readonly text: string;
  readonly isBuild: boolean;
}

export type OpaWorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'broken'; readonly message: string }
  | { readonly kind: 'died'; readonly id: number; readonly message: string }
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly text: string;
      readonly wasm?: Uint8Array<ArrayBuffer>;
      readonly hostBuiltins?: readonly string[];
      readonly memoryBytes: number;
    };

interface BuildEnvelope {
  value?: { wasm?: string };
}

function start(): void {
  const post = (message: OpaWorkerMessage): void => {
    process.send?.(message);
  };
  // Without its host there is nothing to do here.
  process.on('disconnect', () => process.exit(0));
  let instance: OpaInstance;
  try {
    instance = new OpaInstance(compileOpaModule(Number(process.argv[2])));
    post({ kind: 'ready' });
  } catch (error) {
    post({ kind: 'broken', message: String(error) });
    return;
  }
  process.on('message', ({ id, text, isBuild }: OpaWorkerRequest) => {
    try {
      const answer = instance.call(text);
      const envelope = isBuild ? (JSON.parse(answer) as BuildEnvelope) : {};
      if (envelope.value?.wasm === undefined) {
        post({ kind: 'answer', id, text: answer, memoryBytes: instance.memoryBytes });
        return;
      }
      const wasm = new Uint8Array(Buffer.from(envelope.value.wasm, 'base64'));
      delete envelope.value.wasm;
      const hostBuiltins = hostBuiltinsOf(wasm);
      post({ kind: 'answer', id, text: JSON.stringify(envelope), wasm, hostBuiltins, memoryBytes: instance.memoryBytes });
    } catch (error) {
      post({ kind: 'died', id, message: error instanceof Error ? error.message : String(error) });
    }
  });
}

if (process.send !== undefined) start();
