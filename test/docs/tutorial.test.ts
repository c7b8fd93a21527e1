import assert from 'node:assert/strict';
import { test } from 'node:test';
import { application } from '../../src/app.ts';
import { setUpDemo } from '../../src/demo/demo-setup.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';
import { newBrowser } from '../identity/browser.ts';
import { page } from './markdown.ts';
import { runBlocks, scratchFolder } from './run-blocks.ts';

test('the tutorial does what it says', async () => {
  const scratch = await scratchFolder();
  const demo = await setUpDemo(0);
  const gateway = await application.startGateway({ configPath: demo.configPath, env: process.env });
  try {
    const token = await demo.provider.tokenFor('alice', { resource: demo.endpoint });
    const env = {
      ...scratch.env,
      SERVER: demo.url,
      MCP_URL: demo.endpoint,
      TOKEN: token,
      POLICY: demo.policyFolder,
      TESTS: `${demo.policyFolder}/../policy-tests`,
    };
    const signedIn = new Set<string>();
    const onNote = (notes: string): void => {
      const address = /open this address[^]*?(http\S+)\n/.exec(notes)?.[1];
      if (address === undefined || signedIn.has(address)) return;
      signedIn.add(address);
      void signIn(address);
    };
    const inForce = async (): Promise<void> => {
      const { digest } = await readPolicySource(demo.policyFolder, undefined);
      for (;;) {
        const state = (await (await fetch(`${demo.url}/readyz`)).json()) as { release: { digest: string }; candidate?: { error: string } };
        if (state.release.digest === digest) return;
        if (state.candidate !== undefined) assert.fail(state.candidate.error);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    assert.ok((await runBlocks(page('docs/tutorial.md'), { folder: scratch.folder, env, onNote, settled: inForce })) > 8);
  } finally {
    await gateway.close();
    await demo.close();
    await scratch.close();
  }
});

async function signIn(address: string): Promise<void> {
  const browser = newBrowser();
  await browser.submit(await browser.submit(await browser.open(address), { subject: 'sofia' }), {});
}
