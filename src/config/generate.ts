import { writeFileSync } from 'node:fs';
import { referencePage } from './reference-page.ts';
import { typeSource } from './type-source.ts';

// `npm run generate`: what is made from the schema. A test fails where the files differ from what this writes.
writeFileSync(new URL('schema-types.ts', import.meta.url), await typeSource());
writeFileSync(new URL('../../docs/reference/config.md', import.meta.url), referencePage());
