import { ffi } from './ffi.ts';
import { ask, attributes } from './netlink.ts';

/** nft refused the commands, none of which took effect. The message is nft's own text, which points at the place. */
export class NftError extends Error {
  readonly commands: string;

  constructor(commands: string, text: string) {
    super(text.trim() || 'nft refused the commands without a word');
    this.name = 'NftError';
    this.commands = commands;
  }
}

/** The library is not on this machine. */
export class NftablesMissing extends Error {
  constructor(cause: unknown) {
    super('libnftables.so.1 cannot be loaded: install the package libnftables1 (nftables-libs on Fedora)', { cause });
    this.name = 'NftablesMissing';
  }
}

/** The packet filter of one network namespace: the one that the thread was in when this was made. */
export interface Nftables {
  /** Runs nft commands as one transaction, all or nothing, and returns what they print. */
  run(commands: string): string;
  /** Runs a listing (`list table ip x`) and returns nft's JSON (libnftables-json(5)): its `nftables` array. */
  list(command: string): unknown[];
  /** Another number after every change of rules in the network namespace that the thread is in, whoever makes it. */
  generation(): number;
  [Symbol.dispose](): void;
}

const NFT_CTX_OUTPUT_JSON = 1 << 4;
const ptr = 'pointer';

// linux/netfilter/nf_tables.h
const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10 << 8;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
/** struct nfgenmsg: family, version, resource id. */
const genericHeader = Buffer.alloc(4);

function open() {
  try {
    return ffi.dlopen('libnftables.so.1', {
      nft_ctx_new: { arguments: ['uint32'], return: ptr },
      nft_ctx_free: { arguments: [ptr], return: 'void' },
      nft_ctx_buffer_error: { arguments: [ptr], return: 'int32' },
      nft_ctx_buffer_output: { arguments: [ptr], return: 'int32' },
      nft_ctx_get_error_buffer: { arguments: [ptr], return: ptr },
      nft_ctx_get_output_buffer: { arguments: [ptr], return: ptr },
      nft_ctx_output_get_flags: { arguments: [ptr], return: 'uint32' },
      nft_ctx_output_set_flags: { arguments: [ptr, 'uint32'], return: 'void' },
      nft_run_cmd_from_buffer: { arguments: [ptr, ptr], return: 'int32' },
    }).functions;
  } catch (error) {
    throw new NftablesMissing(error);
  }
}

let library: ReturnType<typeof open> | undefined;

/** The real packet filter, through libnftables in this process. Throws NftablesMissing where there is none. */
export function createNftables(): Nftables {
  library ??= open();
  const nft = library;
  const context = nft.nft_ctx_new(0);
  if (context === 0n) throw new Error('libnftables has no memory or no netlink socket for a context');
  nft.nft_ctx_buffer_error(context);
  nft.nft_ctx_buffer_output(context);
  const plain = nft.nft_ctx_output_get_flags(context);
  let isOpen = true;

  function run(commands: string, flags = plain): string {
    if (!isOpen) throw new Error('this packet filter handle is closed');
    nft.nft_ctx_output_set_flags(context, flags);
    const refused = nft.nft_run_cmd_from_buffer(context, commands) !== 0;
    // Reading empties them: both, so that nothing is left for the next call.
    const text = ffi.toString(nft.nft_ctx_get_error_buffer(context)) ?? '';
    const output = ffi.toString(nft.nft_ctx_get_output_buffer(context)) ?? '';
    if (refused) throw new NftError(commands, text);
    return output;
  }

  return {
    run: (commands) => run(commands),
    generation() {
      const what = 'generation of the rules';
      const type = NFNL_SUBSYS_NFTABLES | NFT_MSG_GETGEN;
      const { body } = ask(NETLINK_NETFILTER, { what, type, flags: 0, body: genericHeader });
      const id = attributes(body, genericHeader.length).get(NFTA_GEN_ID);
      if (id === undefined) throw new Error(`the kernel does not tell the ${what}`);
      return id.readUInt32BE();
    },
    list(command) {
      const answer: unknown = JSON.parse(run(command, plain | NFT_CTX_OUTPUT_JSON) || '{}');
      const hasList = typeof answer === 'object' && answer !== null && 'nftables' in answer;
      return hasList && Array.isArray(answer.nftables) ? answer.nftables : [];
    },
    [Symbol.dispose]() {
      if (isOpen) nft.nft_ctx_free(context);
      isOpen = false;
    },
  };
}
