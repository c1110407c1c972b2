/** Measures Longshore beside dockerd and Podman. Started by scripts/bench, which gives it namespaces of its own. */
import { verdicts } from './figure.ts';
import { isInOwnRoom } from './host/room.ts';
import { isFull, type Options, parseOptions, WrongOption } from './options.ts';
import { paths } from './paths/paths.ts';
import { progress } from './progress.ts';
import { terminalTable } from './report/terminal.ts';
import { json, writeReadme, writeResults } from './report/write.ts';
import { run } from './run.ts';

const usage = `Measures Longshore beside dockerd and Podman, those that are installed.

Usage: npm run bench -- [options]

  --quick           few runs, for a look
  --only NAME       only this path; may be repeated
  --engines NAME    only these of longshore, dockerd, podman; may be repeated
  --json            the figures as JSON instead of a table
  --write-readme    put the figures into README.md, between <!-- bench --> and <!-- /bench -->

Paths
${paths.map(({ name, about }) => `  ${name.padEnd(16)}  ${about}`).join('\n')}

A full run takes about ten minutes and writes bench/results/<date>-<kernel>.md and .json.
`;

/** A run is ended after this, whatever it is doing. */
const limitMs = 15 * 60_000;

class Interrupted extends Error {}

async function main(): Promise<number> {
  const options = parseOptions(
    process.argv.slice(2),
    paths.map(({ name }) => name),
  );
  if (options.wantsHelp) {
    process.stdout.write(usage);
    return 0;
  }
  if (!isInOwnRoom()) throw new WrongOption('it needs namespaces of its own; start it with: npm run bench');
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Also a second and a third one: what was started has to be taken down.
    process.on(signal, () => interrupt.abort(new Interrupted(`${signal}: everything is being taken down`)));
  }
  return await measureAndTell(options, AbortSignal.any([interrupt.signal, AbortSignal.timeout(limitMs)]));
}

async function measureAndTell(options: Options, signal: AbortSignal): Promise<number> {
  const { say, end } = progress();
  const begun = performance.now();
  const report = await run(options, say, signal).finally(end);
  process.stdout.write(options.printsJson ? json(report) : `${terminalTable(report)}\n`);
  const hasFailed = report.figures.some(({ notes = [] }) => notes.some((note) => note.startsWith('longshore failed')));
  if (isFull(options) && !hasFailed) {
    const results = writeResults(report);
    if (options.writesReadme) writeReadme(report, results);
    process.stderr.write(`written: ${results}.md and .json${options.writesReadme ? ', README.md' : ''}\n`);
  }
  process.stderr.write(`${Math.round((performance.now() - begun) / 1_000)} s\n`);
  const missed = report.figures.flatMap(verdicts).filter(({ isMet }) => !isMet).length;
  if (missed > 0) process.stderr.write(`${missed} goals are missed\n`);
  return hasFailed ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isExpected = error instanceof WrongOption || error instanceof Interrupted;
  process.stderr.write(`bench: ${isExpected ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exitCode = error instanceof WrongOption ? 2 : 1;
}
