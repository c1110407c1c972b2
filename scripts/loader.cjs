// Loads a bundle with what V8 compiled in an earlier run. (Node's own compile cache knows only the functions that were
// compiled before the first line ran, which leaves 300 of them to be parsed at every start.) The build's run of --help
// compiles what loading needs; the first run that served and ended in order adds what a boot needs, once.
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { cachedDataVersionTag } = require('node:v8');
const { Script } = require('node:vm');

const name = '<program>';
const filename = `${__dirname}/${name}.bundle.cjs`;
// V8 checks no more of the source than its length; the hash is the bundle's.
const loaded = `${__dirname}/.cache/${name}-<hash>-${cachedDataVersionTag().toString(16)}`;
const served = `${loaded}-served`;
const servedAfterS = 2;

function read(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function compile(path) {
  const cachedData = read(path);
  if (cachedData === undefined) return undefined;
  const script = new Script(readFileSync(filename, 'utf8'), { filename, cachedData });
  return script.cachedDataRejected ? undefined : script;
}

function write(path, code) {
  try {
    mkdirSync(`${__dirname}/.cache`, { recursive: true });
    writeFileSync(`${path}.${process.pid}`, code);
    renameSync(`${path}.${process.pid}`, path);
  } catch {
    // A folder that cannot be written: each start compiles anew.
  }
}

function program() {
  const known = compile(served);
  if (known !== undefined) return known.runInThisContext();
  const half = compile(loaded);
  const script = half ?? new Script(readFileSync(filename, 'utf8'), { filename });
  process.once('exit', (code) => {
    if (code !== 0) return;
    if (process.uptime() > servedAfterS) write(served, script.createCachedData());
    else if (half === undefined) write(loaded, script.createCachedData());
  });
  return script.runInThisContext();
}

program()(exports, require, module, filename, __dirname);
