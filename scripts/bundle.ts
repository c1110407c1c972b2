/**
 * What users run: one file for each role, quick to start and small in memory (type stripping alone would cost each
 * process 16 MiB and 60 ms).
 *
 *   dist/<role>.cjs          loads the bundle, compiled by an earlier run (scripts/loader.cjs); the file to start
 *   dist/<role>.bundle.cjs   the role with all it imports; CommonJS, which starts 6 ms sooner than ESM
 *   dist/embedded.cjs        the same for services/embedded.ts, the seven in one process
 *   dist/.cache              what V8 made of the bundles
 *
 * Whatever else the code needs from its folder it names by a literal `new URL('./<file>', import.meta.url)`, which is
 * right when run from sources; here the literal is replaced by the file's place in dist/:
 *
 *   a service's main.ts      → ./<role>.cjs
 *   `*-worker.ts`            → ./<service>-<name>.cjs, a bundle of its own
 *   any other file           → ./<its name>, copied
 *
 * Usage: bundle.ts [project folder]; LONGSHORE_DIST names another dist/, as it does for bin/longshore. A bundle is CommonJS: no `await` at the top level of a module, and of `import.meta`
 * only `url`, `dirname` and `filename`, which are the bundle's.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, glob, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build, type Plugin, transform } from 'esbuild';

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const dist = resolve(process.env.LONGSHORE_DIST ?? join(root, 'dist'));

/** The file in dist/ that stands for a source. */
function placeInDist(source: string): string {
  const path = relative(root, source);
  if (!path.endsWith('.ts')) return basename(path);
  const [folder, ...rest] = path
    .replace(/^services\//, '')
    .replace(/\.ts$/, '')
    .split('/');
  if (rest.at(-1) === 'main') return `${folder}.cjs`;
  if (path === 'services/embedded.ts') return 'embedded.cjs';
  if (rest.at(-1)?.endsWith('-worker')) return `${[folder, ...rest].join('-')}.cjs`;
  throw new Error(`${path} is named by a URL, but is neither a main.ts nor a *-worker.ts`);
}

const ownFile = /new URL\(\s*'(\.[^']+)',\s*import\.meta\.url\s*\)/g;

/** Replaces the literals that name files, and gathers the files to copy: place in dist → source. */
function namedFiles(copies: Map<string, string>): Plugin {
  return {
    name: 'named files',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (path.includes('/node_modules/')) return undefined;
        const text = await readFile(path, 'utf8');
        const contents = text.replace(ownFile, (_, literal: string) => {
          const source = resolve(dirname(path), literal);
          const place = placeInDist(source);
          if (!source.endsWith('.ts')) copies.set(place, source);
          return `new URL('./${place}', import.meta.url)`;
        });
        return { contents, loader: 'ts' };
      });
    },
  };
}

const esModule = /^(?:import|export)\b/m;

/**
 * Shortens the names in other people's code, which halves what V8 keeps of it in every process. Ours keeps its own: an
 * error's class and a stack trace are for people.
 */
const shortNames: Plugin = {
  name: 'short names',
  setup(build) {
    build.onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      // With a format given, the names at the top of a file count as its own too.
      const format = esModule.test(text) ? undefined : 'cjs';
      const { code } = await transform(text, { minify: true, legalComments: 'none', ...(format && { format }) });
      return { contents: code, loader: 'js' };
    });
  },
};

async function sources(...patterns: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const pattern of patterns) for await (const file of glob(pattern, { cwd: root })) found.push(join(root, file));
  return found.sort();
}

const bundleOf = (out: string, name: string) => join(out, `${name}.bundle.cjs`);

/** One character beyond Latin-1 would double what V8 keeps of a source; esbuild leaves those in regular expressions. */
const ascii = (text: string) =>
  text.replace(/[^\0-\x7f]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Bundles everything into `out`; returns the names of the programs. */
async function bundle(out: string): Promise<string[]> {
  const copies = new Map<string, string>();
  const programs = await sources('services/*/main.ts', 'gateway/main.ts', 'services/embedded.ts');
  const workers = await sources('{services,gateway,kit}/**/*-worker.ts');
  const names = programs.map((source) => basename(placeInDist(source), '.cjs'));
  await build({
    entryPoints: [
      ...programs.map((source, index) => ({ in: source, out: `${names[index]}.bundle` })),
      ...workers.map((source) => ({ in: source, out: basename(placeInDist(source), '.cjs') })),
    ],
    outdir: out,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
    banner: { js: "const bundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    define: {
      'import.meta.url': 'bundleUrl',
      'import.meta.dirname': '__dirname',
      'import.meta.filename': '__filename',
    },
    // grpc-js loads it to answer channelz and ORCA calls, which nobody here serves.
    external: ['@grpc/proto-loader'],
    plugins: [namedFiles(copies), shortNames],
  });
  const loader = await readFile(join(import.meta.dirname, 'loader.cjs'), 'utf8');
  for (const name of names) {
    const module = await readFile(bundleOf(out, name), 'utf8');
    // A function, for the loader to compile and call.
    const text = ascii(`(function(exports,require,module,__filename,__dirname){${module}\n})`);
    await writeFile(bundleOf(out, name), text);
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    await writeFile(join(out, `${name}.cjs`), loader.replace('<program>', name).replace('<hash>', hash));
  }
  // What server reflection answers from.
  const descriptors = join(root, 'proto/gen/descriptors.bin');
  if (existsSync(descriptors)) copies.set('descriptors.bin', descriptors);
  for (const [place, source] of copies) await cp(source, join(out, place));
  return names;
}

/** `--help` loads a program and ends: its exit writes the code that the first real start then finds. */
async function warm(program: string): Promise<void> {
  const flags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=1'];
  await promisify(execFile)(process.execPath, [...flags, join(dist, `${program}.cjs`), '--help'], { timeout: 10_000 });
}

const started = performance.now();
await mkdir(dist, { recursive: true });
const made = await mkdtemp(join(dist, '.new-'));
try {
  // As old as the start of the work: what is edited meanwhile counts as newer.
  await writeFile(join(made, '.stamp'), '');
  const programs = await bundle(made);
  const files = await readdir(made);
  for (const file of files) if (file !== '.stamp') await rename(join(made, file), join(dist, file));
  for (const old of await readdir(dist)) {
    if (!files.includes(old) && !old.startsWith('.new-')) await rm(join(dist, old), { recursive: true, force: true });
  }
  await Promise.all(programs.map(warm));
  await rename(join(made, '.stamp'), join(dist, '.stamp'));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`bundle: ${programs.join(' ') || 'no program yet'} in ${seconds} s\n`);
} catch (error) {
  process.stderr.write(`bundle: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await rm(made, { recursive: true, force: true });
}
