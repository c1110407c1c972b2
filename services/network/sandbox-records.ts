import type { Records } from '../../kit/records.ts';
import { CreateSandboxRequest, Sandbox } from '../../proto/gen/longshore/network/v1/sandbox.ts';
import { bytesOf } from './network-events.ts';

export interface SandboxRecord {
  id: string;
  /** creating: some of it may exist; removing: some of it may be gone. Both end at the next start. */
  state: 'creating' | 'ready' | 'removing';
  /** The boot of the host whose kernel has it. */
  bootId: string;
  spec: CreateSandboxRequest;
  sandbox: Sandbox;
}

export interface SandboxRecords {
  find(id: string): SandboxRecord | undefined;
  /** In the order of their creation. */
  all(): SandboxRecord[];
  insert(record: SandboxRecord): void;
  setState(id: string, state: SandboxRecord['state']): void;
  setAnswer(sandbox: Sandbox): void;
  setSpec(spec: CreateSandboxRequest): void;
  /** All of it stands; the answer is what it came to be. */
  settle(sandbox: Sandbox): void;
  /** With its addresses. */
  delete(id: string): void;
}

export function createSandboxRecords(records: Records): SandboxRecords {
  const read = (row: Record<string, unknown>): SandboxRecord => ({
    id: String(row.id),
    state: row.state as SandboxRecord['state'],
    bootId: String(row.boot_id),
    spec: CreateSandboxRequest.decode(bytesOf(row.spec)),
    sandbox: Sandbox.decode(bytesOf(row.answer)),
  });
  return {
    find(id) {
      const row = records.prepare('SELECT * FROM sandbox WHERE id = ?').get(id);
      return row && read(row);
    },
    all: () => records.prepare('SELECT * FROM sandbox ORDER BY rowid').all().map(read),
    insert({ id, state, bootId, spec, sandbox }) {
      records
        .prepare('INSERT INTO sandbox (id, state, boot_id, spec, answer) VALUES (?, ?, ?, ?, ?)')
        .run(id, state, bootId, CreateSandboxRequest.encode(spec).finish(), Sandbox.encode(sandbox).finish());
    },
    setState(id, state) {
      records.prepare('UPDATE sandbox SET state = ? WHERE id = ?').run(state, id);
    },
    setAnswer(sandbox) {
      records.prepare('UPDATE sandbox SET answer = ? WHERE id = ?').run(Sandbox.encode(sandbox).finish(), sandbox.id);
    },
    setSpec(spec) {
      records
        .prepare('UPDATE sandbox SET spec = ? WHERE id = ?')
        .run(CreateSandboxRequest.encode(spec).finish(), spec.id);
    },
    settle(sandbox) {
      records
        .prepare("UPDATE sandbox SET state = 'ready', answer = ? WHERE id = ?")
        .run(Sandbox.encode(sandbox).finish(), sandbox.id);
    },
    delete(id) {
      records.prepare('DELETE FROM sandbox WHERE id = ?').run(id);
    },
  };
}
