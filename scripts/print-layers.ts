// Writes the layer table of test/support/layer-table.ts into ARCHITECTURE.md, between its markers.
import { readFileSync, writeFileSync } from 'node:fs';
import { layersAsMarkdown } from '../test/support/layer-table.ts';

const path = new URL('../ARCHITECTURE.md', import.meta.url);
const text = readFileSync(path, 'utf8');
writeFileSync(path, text.replace(/<!-- layers:start -->[\s\S]*<!-- layers:end -->/, `<!-- layers:start -->\n${layersAsMarkdown()}\n<!-- layers:end -->`));
