import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generatedPages } from './generated-pages.ts';
import { root } from './markdown.ts';

for (const [path, make] of Object.entries(generatedPages)) writeFileSync(join(root, path), await make());
