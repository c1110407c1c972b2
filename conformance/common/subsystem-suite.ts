import { after, before, describe } from 'node:test';
import { type Controlled, controlSuite } from './control-suite.ts';
import { openSession, type Session, type Target } from './session.ts';

/**
 * One contract's suite: what all contracts share about the coordinator's side, then what `register` adds. The
 * implementation is initialised for each test, and drained at the end. The session is to be asked for within a test.
 */
export function subsystemSuite(
  target: Target,
  controlled: Controlled,
  register: (session: () => Session) => void,
): void {
  describe(controlled.role, () => {
    let opened: Session | undefined;
    const session = () => {
      if (opened === undefined) throw new Error(`there is no session with ${controlled.role}`);
      return opened;
    };
    before(async () => {
      opened = await openSession(target, controlled.identify);
      await controlled.init(opened.connection, opened.fence());
    });
    after(async () => {
      try {
        if (opened !== undefined) await controlled.drain(opened.connection);
      } finally {
        opened?.close();
      }
    });
    controlSuite(target, controlled, session);
    register(session);
  });
}
