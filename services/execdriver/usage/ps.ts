import { execFile } from 'node:child_process';
import { errors } from '../errors.ts';

/** What the host's ps(1) prints of some processes. */
export interface PsTable {
  titles: string[];
  rows: { cells: string[] }[];
}

const patienceMs = 10_000;
const largestOutput = 16 * 1024 * 1024;

/** BAD_PS_OPTIONS with the words of ps, or why it cannot be asked. */
export async function psTable(options: readonly string[], pids: readonly number[]): Promise<PsTable> {
  refuseRenamedPid(options);
  // Some options go with no choice of processes: then it is made here.
  const output = await ps([...options, `-q${pids.join(',')}`]).catch(() => ps(options));
  return parse(output, new Set(pids.map(String)));
}

/** A head of another name would hide which process a row is of: `-o user=PID` is refused, as in Docker. */
function refuseRenamedPid(options: readonly string[]): void {
  const [whole, column] = /(?:^|[\s,])([^\s,=]*)=\s*PID/.exec(options.join(' ')) ?? [];
  if (whole !== undefined && column !== 'pid') {
    throw errors.badPsOptions({ detail: `specifying "${whole.replace(/^[\s,]/, '')}" is not allowed` });
  }
}

function ps(options: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = {
      timeout: patienceMs,
      maxBuffer: largestOutput,
      env: { ...process.env, LC_ALL: 'C', COLUMNS: '32767' },
    };
    execFile('ps', [...options], limits, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.code === 'ENOENT') {
        const instead = 'this host has no ps (procps): use -ef, aux, or -o with columns that need none';
        reject(errors.badPsOptions({ detail: instead }));
      } else reject(errors.badPsOptions({ detail: `ps: ${stderr.trim().split('\n')[0] || error.message}` }));
    });
  });
}

/** The last column takes what is left of a line. Lines below a process that are not its own (its threads) stay with it. */
function parse(output: string, pids: ReadonlySet<string>): PsTable {
  const [head = '', ...lines] = output.split('\n');
  const titles = head.split(/[\t\f\r ]+/).filter(Boolean);
  const at = titles.indexOf('PID');
  if (at < 0) throw errors.badPsOptions({ detail: "Couldn't find PID field in ps output" });
  let isWanted = false;
  const rows = lines.filter(Boolean).flatMap((line) => {
    const words = line.split(/[\t\f\r ]+/).filter(Boolean);
    if (words[at] !== '-') isWanted = pids.has(words[at] ?? '');
    if (!isWanted) return [];
    return [{ cells: [...words.slice(0, titles.length - 1), words.slice(titles.length - 1).join(' ')] }];
  });
  return { titles, rows };
}
