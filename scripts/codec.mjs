// npm run -s codec -- decode <content-format> <path> <hex>: the tool lwm2m-codec, on a fresh clone too. `-- --help` says more.
// Only its own answer goes to standard output: what the build says goes to standard error.
import { createRequire } from 'node:module';
import path from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, root } from './lib/workspace.mjs';

checkNode();
const aside = { stdio: ['inherit', 2, 2] };
await ensureInstalled(aside);
await ensureBuilt(aside);
// Folders are meant from where the command was given; npm has moved to the package.
if (process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);
await createRequire(import.meta.url)(path.join(root, 'dist/lib/cli.js')).runCli(process.argv.slice(2));
