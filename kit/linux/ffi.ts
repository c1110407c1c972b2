/**
 * Node's foreign function interface. It is experimental in the pinned Node, which says so on stderr at the first load;
 * that one warning is left out, every other passes. (A static import would load the module before this could be done.)
 */
function loadQuietly() {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (rest[0] === 'ExperimentalWarning' && String(warning).includes('FFI')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}

export const ffi = loadQuietly();
